"""Reduced precision: the gate of a search, and the number type of a training.

A search takes bfloat16 only where it is faster and ranks the population alike; a training only where it is faster.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from zeuxis.compute.micro_batches import out_of_memory

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
CORRELATION = 0.99  # Spearman's, at least
ERROR = 0.05  # of the spread of the scores, at most
FASTER = 0.95  # bf16 must take at most this part of fp32's time; less is within the noise of a clock
ROUNDS = 3
CLEARLY = 2.0  # times as slow as fp32 after one round that counts: no further round is needed
GAIN = 1.2  # a training's bf16 must be this much faster: a flag says that a processor multiplies it, not how fast

Chosen = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Gate:
    """How the precision was chosen. Seconds are for one micro-batch, rendered and scored.

    `correlation` is Spearman's between the scores in both types, `error` the largest difference of a score over the
    spread (highest minus lowest score in fp32). Both are None where the gate had no need to compare.
    """

    precision: Chosen
    reason: str
    fp32_seconds: float | None = None
    bf16_seconds: float | None = None
    correlation: float | None = None
    error: float | None = None


class Scoring(Protocol):
    """What the gate needs of a problem."""

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on."""
        ...

    def scores(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N,)` on the CPU."""
        ...


def choose(problem: Scoring, x: Tensor, micro_batch: int) -> Gate:
    """Score the latents `x` `(N, D)` in both types and choose. The problem's precision is left as fp32."""
    try:
        return _choose(problem, x, micro_batch)
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        return Gate("fp32", f"bf16 does not run here: {str(error)[:120]}")
    finally:
        problem.set_precision(torch.float32)


def _choose(problem: Scoring, x: Tensor, micro_batch: int) -> Gate:
    fp32, bf16 = _seconds(problem, x[:micro_batch])
    if bf16 > FASTER * fp32:
        return Gate("fp32", "bf16 is not faster on this machine", fp32, bf16)
    problem.set_precision(torch.bfloat16)
    reduced = problem.scores(x)
    problem.set_precision(torch.float32)
    correlation, error = agreement(problem.scores(x), reduced)
    passed = correlation >= CORRELATION and error <= ERROR
    reason = "bf16 is faster and ranks alike" if passed else "bf16 changes the scores too much"
    return Gate("bf16" if passed else "fp32", reason, fp32, bf16, correlation, error)


def agreement(full: Tensor, reduced: Tensor) -> tuple[float, float]:
    """Spearman's correlation of two score vectors `(N,)` and the largest error over the spread of the first.

    (0, inf) where that says nothing: fewer than 3 scores, NaN in one place only, or all scores alike.
    """
    known = full.isfinite()
    spread = float(full[known].max() - full[known].min()) if int(known.sum()) >= 3 else 0.0
    if spread == 0 or not torch.equal(known, reduced.isfinite()):
        return 0.0, float("inf")
    error = float((full[known] - reduced[known]).abs().max()) / spread
    return spearman(full[known], reduced[known]), error


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two vectors `(N,)`, ties sharing their mean rank; 0 if one is constant."""
    ranks = torch.stack([_ranks(a), _ranks(b)])  # (2, N)
    ranks = ranks - ranks.mean(dim=1, keepdim=True)
    length = ranks.norm(dim=1)
    return float((ranks[0] * ranks[1]).sum() / (length[0] * length[1])) if bool((length > 0).all()) else 0.0


def _ranks(x: Tensor) -> Tensor:
    below, alike = (x[None, :] < x[:, None]).sum(dim=1), (x[None, :] == x[:, None]).sum(dim=1)  # (N, N) -> (N,)
    return below.double() + (alike + 1) / 2


def _seconds(problem: Scoring, x: Tensor) -> tuple[float, float]:
    """The shortest time in fp32 and in bf16, taken in turns; the first round only warms up."""
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(ROUNDS):
        for dtype, taken in times.items():
            problem.set_precision(dtype)
            started = time.perf_counter()
            problem.scores(x)
            taken.append(time.perf_counter() - started)
        full, reduced = (taken[1:] for taken in times.values())
        if full and reduced[-1] > CLEARLY * full[-1]:
            break
    fp32, bf16 = (min(taken[1:]) for taken in times.values())
    return fp32, bf16


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type of a training: as asked, or for "auto" bf16 on a GPU that has it and where a convolution is faster.

    Some processors with AVX512-BF16 multiply it at half the speed of fp32, others at twice.
    """
    if precision != "auto":
        return TYPES[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu" or not torch.cpu._is_avx512_bf16_supported():
        return torch.float32
    return torch.bfloat16 if _convolution(torch.float32) > GAIN * _convolution(torch.bfloat16) else torch.float32


def _convolution(dtype: torch.dtype) -> float:
    """Seconds of the fastest of five 3x3 convolutions of 64 channels at 32x32, batch 8."""
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.ones(8, 64, 32, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    found = []
    with torch.no_grad():
        for _ in range(6):
            begin = time.perf_counter()
            layer(x)
            found.append(time.perf_counter() - begin)
    return min(found[1:])
