"""How a training computes on this machine: number type and threads, chosen once and kept in the training's folder."""

from __future__ import annotations

import os
import time

import torch

GAIN = 1.2  # bf16 must be this much faster: a flag says that a processor multiplies it, not how fast


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """fp32 or bf16 as asked; "auto" takes bf16 on a GPU that has it, and on a processor where a convolution is faster.

    Some processors with AVX512-BF16 multiply it at half the speed of fp32, others at twice.
    """
    if precision != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu" or not torch.cpu._is_avx512_bf16_supported():
        return torch.float32
    return torch.bfloat16 if _seconds(torch.float32) > GAIN * _seconds(torch.bfloat16) else torch.float32


def _seconds(dtype: torch.dtype) -> float:
    """The fastest of five 3x3 convolutions of 64 channels at 32x32, batch 8."""
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.ones(8, 64, 32, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    found = []
    with torch.no_grad():
        for _ in range(6):
            begin = time.perf_counter()
            layer(x)
            found.append(time.perf_counter() - begin)
    return min(found[1:])


def choose_threads(kept: int | None = None) -> tuple[int, str]:
    """Set torch's threads and say why: as OMP_NUM_THREADS or an earlier part of the run has it, else the idle cores.

    Two threads that do not both get a core wait for one another at every layer: ten times slower than one thread.
    """
    cores = os.cpu_count() or 1
    if os.environ.get("OMP_NUM_THREADS"):
        return torch.get_num_threads(), "as OMP_NUM_THREADS says"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    count, why = kept, "as when the training began"
    if count is None:
        count, why = max(1, min(cores, int(cores - load + 0.3))), f"{cores} cores with a load of {load:.1f}"
    torch.set_num_threads(count)
    return count, why
