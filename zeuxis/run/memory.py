"""Micro-batches: pieces of one fixed size, so that a picture never depends on the batch it was drawn in."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

MICRO_BATCH = 16
_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def fitting(batch: int, device: torch.device) -> int:
    """The size for generations of `batch` images: 16, or on a CPU, which pays for every row, what pads them least."""
    if device.type != "cpu":
        return MICRO_BATCH
    return math.ceil(batch / math.ceil(batch / MICRO_BATCH))


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


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of any layer below means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)


def release(device: torch.device) -> None:
    """Hand cached blocks back before a second try."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
