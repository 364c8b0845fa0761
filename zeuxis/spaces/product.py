"""Several spaces side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.base import Space


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
