"""Several spaces side by side, and what may be asked of those parts whose genes stand for classes."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.base import Space
from zeuxis.spaces.class_mix import ClassMix
from zeuxis.spaces.normal import Normal, TruncatedNormal
from zeuxis.spaces.whitened import Whitened

GAUSSIAN = (Normal, TruncatedNormal, Whitened)


class Product:
    """Several spaces side by side: the genes of the first, then those of the second, ..."""

    def __init__(self, *spaces: Space) -> None:
        if not spaces:
            raise BadInput("Product() needs at least one space.")
        self.spaces = spaces
        self.sizes = tuple(space.dim for space in spaces)
        self.dim = sum(self.sizes)
        self.lower = torch.cat([space.lower for space in spaces])
        self.upper = torch.cat([space.upper for space in spaces])

    def __repr__(self) -> str:
        return f"Product({', '.join(map(repr, self.spaces))})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`, the mean of each space's prior in turn."""
        return torch.cat([space.prior_mean for space in self.spaces])

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`, the deviation of each space's prior in turn."""
        return torch.cat([space.prior_std for space in self.spaces])

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """`(..., D)` -> one `(..., D_i)` per space."""
        return tuple(torch.split(x, list(self.sizes), dim=-1))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, each space's prior in turn."""
        return torch.cat([space.sample(count, rng) for space in self.spaces], dim=1)

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, each part into its own bounds."""
        parts = zip(self.spaces, self.split(x), strict=True)
        return torch.cat([space.clip(part) for space, part in parts], dim=-1)

    def decode(self, x: Tensor) -> tuple[Any, ...]:
        """`(N, D)` -> the tuple of what each space decodes to."""
        return tuple(space.decode(part) for space, part in zip(self.spaces, self.split(x), strict=True))

    def describe(self, x: Tensor) -> str:
        """What each space has to say, joined by "; "."""
        parts = zip(self.spaces, self.split(x), strict=True)
        return "; ".join(words for space, part in parts if (words := space.describe(part)))


def parts(space: Space) -> tuple[Space, ...]:
    """The spaces that a product lays side by side; of any other space itself alone."""
    return space.spaces if isinstance(space, Product) else (space,)


@runtime_checkable
class HasClasses(Protocol):
    """A space in which each label has a place."""

    def one_of_each(self) -> Tensor:
        """`(K, D)`: each label alone."""
        ...


def class_sweep(space: Space, rng: torch.Generator) -> Tensor | None:
    """`(K, D)`: one latent for each label of a space, all else drawn from the prior; None where there are no labels."""
    labelled = [part for part in parts(space) if isinstance(part, HasClasses)]
    if len(labelled) != 1:
        return None
    each = labelled[0].one_of_each()
    return torch.cat([each if part is labelled[0] else part.sample(len(each), rng) for part in parts(space)], dim=1)


def room(space: Space) -> Tensor:
    """`(D,)`: how far a latent can go, in deviations of the prior: 1, or less for genes bound to the nearest label."""
    return torch.cat(
        [torch.full((part.dim,), part.room if isinstance(part, ClassMix) else 1.0) for part in parts(space)]
    )


def gaussian(space: Space) -> Tensor:
    """`(D,)`: 1 for genes whose prior is the standard normal distribution, truncated or shortened or not; else 0."""
    return torch.cat([torch.full((part.dim,), float(isinstance(part, GAUSSIAN))) for part in parts(space)])


def balls(space: Space) -> list[tuple[slice, float]]:
    """Where normal genes lie that are cut to a ball, and its radius."""
    found = zip(blocks(space), parts(space), strict=True)
    return [(at, part.radius * math.sqrt(part.dim)) for at, part in found
            if isinstance(part, Normal) and math.isfinite(part.radius)]  # fmt: skip


def blocks(space: Space) -> list[slice]:
    """Where the genes of each space of a product lie; of any other space all of them."""
    ends = torch.tensor([part.dim for part in parts(space)]).cumsum(0).tolist()
    return [slice(end - part.dim, end) for end, part in zip(ends, parts(space), strict=True)]
