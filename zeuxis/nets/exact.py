"""Full float32 on NVIDIA GPUs, where convolutions are computed in TF32 (10 bits of mantissa) unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Inside, float32 convolutions are float32; afterwards the setting is what it was."""
    settings = torch.backends.cudnn.conv  # type: ignore[attr-defined]  # not in torch's stubs
    before = settings.fp32_precision
    settings.fp32_precision = "ieee"
    try:
        yield
    finally:
        settings.fp32_precision = before
