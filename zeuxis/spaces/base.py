"""What a space is: it knows its prior, its bounds and what its genes mean."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent, stream

MEASURED = 4096  # draws that mean and deviation of a prior are measured from: an error of 1 %


@runtime_checkable
class Space(Protocol):
    """`dim` genes between `lower` and `upper` (each `(D,)` float32, on the CPU)."""

    dim: int
    lower: Tensor
    upper: Tensor

    @property
    def prior_mean(self) -> Tensor:
        """`(D,)` float32, on the CPU: the mean of the prior per gene."""
        ...

    @property
    def prior_std(self) -> Tensor:
        """`(D,)` float32, on the CPU: its standard deviation per gene, 0 for a gene that never changes."""
        ...

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32 draws from the prior, on the CPU, inside the bounds."""
        ...

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, genes outside the bounds set to the nearest bound; stays on `x.device`."""
        ...

    def decode(self, x: Tensor) -> Any:
        """`(N, D)` -> the network's input: a tensor, or a tuple of them for `Product`."""
        ...

    def describe(self, x: Tensor) -> str:
        """One latent `(D,)` in words, "" when the genes have no names."""
        ...


class Fixed:
    """Tensors that never change, copied to each device once: a copy at every use would make the host wait for it."""

    def __init__(self, *values: Tensor) -> None:
        self._values = values
        self._copies: dict[torch.device, tuple[Tensor, ...]] = {}

    def on(self, device: torch.device) -> tuple[Tensor, ...]:
        """All of them, on `device`."""
        if device not in self._copies:
            self._copies[device] = tuple(sent(value, device) for value in self._values)
        return self._copies[device]


class Bounded(ABC):
    """What all spaces share: bounds and the clip into them, mean and deviation of the prior.

    Mean and deviation are measured from draws; a space that knows them in closed form says so.
    """

    def __init__(self, lower: Tensor, upper: Tensor) -> None:
        self.lower = lower.detach().to("cpu", torch.float32)
        self.upper = upper.detach().to("cpu", torch.float32)
        self.dim = len(self.lower)
        self._bounds = Fixed(self.lower, self.upper)

    @abstractmethod
    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32 draws from the prior."""

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`, the mean of the prior."""
        return self._draws.mean(dim=0)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`, the deviation of the prior."""
        return self._draws.std(dim=0)

    @property
    def _draws(self) -> Tensor:
        return self.sample(MEASURED, stream(0, "prior"))

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, genes outside the bounds set to the nearest bound."""
        return x.clamp(*self._bounds.on(x.device))

    def decode(self, x: Tensor) -> Tensor:
        """`(N, D)` as it is: the genes are the network's input."""
        return x

    def describe(self, x: Tensor) -> str:
        """Nothing to say: these genes have no names."""
        return ""


def checked_shares(shares: Tensor, places: int, options: int) -> Tensor:
    """`shares` float64 `(places, options)`, each row summing to 1. BadInput for what are no shares."""
    shares = shares.detach().to("cpu", torch.float64)
    if shares.shape != (places, options) or not bool(torch.isfinite(shares).all()) or bool((shares < 0).any()):
        raise BadInput(f"Expected shares ({places}, {options}) of at least 0, got {tuple(shares.shape)}.")
    total = shares.sum(1, keepdim=True)
    if not bool((total > 0).all()):
        raise BadInput("Expected some option to be drawn in every place, got shares of 0 alone.")
    return shares / total


def check(space: Space, x: Tensor) -> Tensor:
    """`x` itself if it is a batch `(N, D)` of this space's latents, all of them numbers; else BadInput."""
    if x.ndim != 2 or x.shape[1] != space.dim:
        raise BadInput(
            f"Expected latents of shape (N, {space.dim}), the genes of {space!r}, got {tuple(x.shape)}. "
            "A single latent (D,) becomes a batch with x[None]."
        )
    bad = ~torch.isfinite(x).all(dim=1)
    if bool(bad.any()):
        rows = bad.nonzero().flatten().tolist()
        raise BadInput(
            f"Expected finite genes, got NaN or infinity in {len(rows)} of {len(x)} latents (first: row {rows[0]}). "
            "Look at the search or the file that they came from."
        )
    return x


def positive(zero: bool = False, **values: float) -> None:
    """BadInput for the first of `values` that is not a finite number above 0 (or 0, where `zero` may be)."""
    for name, value in values.items():
        if not (value >= 0 if zero else value > 0) or not math.isfinite(value):
            raise BadInput(f"Expected {name} {'>= 0' if zero else '> 0'}, got {value}.")
