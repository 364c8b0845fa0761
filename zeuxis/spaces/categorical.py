"""Choices: one of several options for each of a few places, as genes that any search can breed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.base import Bounded


class Categorical(Bounded):
    """A product of finite sets: gene j in [0, 1] names option floor(gene * K_j) of place j.

    A discrete space with the interface of a continuous one: the prior is uniform over all combinations, and options
    that stand side by side are neighbours. Searches that need a gradient find none here.
    """

    def __init__(self, options: Sequence[Sequence[str]]) -> None:
        if not options or not all(options):
            raise BadInput("Expected at least one place, and at least one option for each.")
        self.options = tuple(tuple(place) for place in options)
        self.sizes = torch.tensor([len(place) for place in self.options])
        super().__init__(torch.zeros(len(self.options)), torch.ones(len(self.options)))

    def __repr__(self) -> str:
        return f"Categorical({', '.join(str(len(place)) for place in self.options)})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`, of the uniform distribution on [0, 1]."""
        return torch.full((self.dim,), 0.5)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`, of the uniform distribution on [0, 1]."""
        return torch.full((self.dim,), math.sqrt(1 / 12))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, each combination as likely as any other."""
        return torch.rand(count, self.dim, generator=rng)

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, D)` -> numbers of options `(N, D)` int64."""
        sizes = self.sizes.to(x.device)
        return (x.double() * sizes).long().clamp_min(0).minimum(sizes - 1)

    def encode(self, chosen: Tensor) -> Tensor:
        """Numbers of options `(N, D)` -> genes in the middle of each option's interval `(N, D)`."""
        return ((chosen.double() + 0.5) / self.sizes.to(chosen.device)).float()

    def words(self, x: Tensor) -> list[tuple[str, ...]]:
        """What each latent of `(N, D)` chooses, place by place."""
        rows = self.decode(x).tolist()
        return [tuple(place[k] for place, k in zip(self.options, row, strict=True)) for row in rows]

    def describe(self, x: Tensor) -> str:
        """What one latent `(D,)` chooses: "red, shoe, on grass"."""
        return ", ".join(word for word in self.words(x[None])[0] if word)
