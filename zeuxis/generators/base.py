"""What a generator is: latents -> images, and perhaps an opinion on realism."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.spaces import Space


@runtime_checkable
class Generator(Protocol):
    """Latents `(N, D)` float32 -> images `(N, 3, H, W)` float32 in [0, 1], deterministic per latent.

    `sha256` names the exact weights. `set_precision` picks the type the network computes in
    (`torch.float32` or `torch.bfloat16`); what comes out is float32 either way.
    """

    name: str
    sha256: str
    space: Space
    resolution: int
    device: torch.device

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, H, W)`."""
        ...

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on."""
        ...

    def describe(self, x: Tensor) -> str:
        """One latent `(D,)` in words a person can read, e.g. "62 % fire truck, 25 % bus"; "" for none."""
        ...


@runtime_checkable
class HasRealism(Protocol):
    """A generator whose discriminator came with it."""

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W) -> (N,)`, the discriminator's output, higher is more real."""
        ...
