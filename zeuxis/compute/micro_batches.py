"""Micro-batches: pieces of one fixed size, so that a picture never depends on the batch it was drawn in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor

from zeuxis.errors import SearchStopped

MICRO_BATCH = 16
FEWEST = 4  # images in a piece: fewer cost more each than another core saves
SMALL = 64  # pixels
SHARED = 128  # pixels up to which pieces are computed side by side: layers of larger pictures fill all cores alone
T = TypeVar("T")
_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def fitting(batch: int, device: torch.device, resolution: int) -> int:
    """The size for generations of `batch` images of `resolution` pixels square.

    16, on a GPU 64 of images so small that it draws 64 in the time of 16 (12,400 against 3,400 a second of the pocket
    generator's on an H200); on a CPU, which pays for every row, what pads them least and gives every core a piece.
    """
    if device.type != "cpu":
        return 4 * MICRO_BATCH if resolution <= SMALL else MICRO_BATCH
    pieces = max(math.ceil(batch / MICRO_BATCH), min(at_once(device, resolution), batch // FEWEST))
    return math.ceil(batch / pieces)


def at_once(device: torch.device, resolution: int) -> int:
    """How many pieces are computed at a time: on a CPU one for each of torch's threads, if the images are small.

    A thread of its own for each piece, one core for each thread: 22 pictures of `pocket-products`, drawn and scored,
    took 0.52 of the time of two threads that share every layer and sleep in between, and no more when another program
    takes one of the cores. What a piece computes does not depend on the number of threads.
    """
    return _threads() if device.type == "cpu" and resolution <= SHARED else 1


@cache
def _threads() -> int:
    """Torch's threads before any of ours was begun: the number of cores, or what OMP_NUM_THREADS says."""
    return torch.get_num_threads()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "micro-batch", initializer=partial(torch.set_num_threads, 1))


def over_micro_batches(work: Callable[[Tensor], T], rows: Tensor, size: int, threads: int = 1) -> list[tuple[T, int]]:
    """`work` of each piece of `rows`, in order, with the number of rows that count; `threads` pieces at a time.

    `work` must not change anything that another piece reads. An error of any piece is raised.
    """
    pieces = list(micro_batches(rows, size))
    if threads <= 1:
        return [(work(piece), count) for piece, count in pieces]
    graded = torch.is_grad_enabled()  # each thread has a switch of its own

    def one(piece: Tensor) -> T:
        with torch.set_grad_enabled(graded):
            return work(piece)

    return list(zip(_pool(threads).map(one, [piece for piece, _ in pieces]), [n for _, n in pieces], strict=True))


def micro_batches(rows: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """`(N, ...)` -> pieces `(size, ...)`, each with the number of its rows that count.

    The last piece is filled by repeating its last row: kernels may round differently for another number of rows.
    """
    for start in range(0, len(rows), size):
        piece = rows[start : start + size]
        count = len(piece)
        if count < size:
            piece = torch.cat([piece, piece[-1:].expand(size - count, *piece.shape[1:])])
        yield piece, count


def within_memory(
    work: Callable[[int], T], size: int, rows: int, device: torch.device, smaller: Callable[[int], object]
) -> T:
    """`work(size)`; out of memory, all of it again with half the size, as often as it takes; `smaller` hears of each.

    `rows` are those asked for: what only fills a micro-batch up to its size is left out at the first halving.
    SearchStopped where there is no room for one.
    """
    while True:
        try:
            return work(size)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if size == 1:
                raise SearchStopped(
                    "Out of memory with one image at a time. Free memory, or choose a smaller generator, scorer "
                    "or population; the run can be resumed."
                ) from error
        size //= 2
        while size >= 2 * max(1, rows):
            size //= 2
        release(device)  # outside of the except block: the error holds on to tensors
        smaller(size)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of any layer below means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)


def release(device: torch.device) -> None:
    """Hand cached blocks back before a second try."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
