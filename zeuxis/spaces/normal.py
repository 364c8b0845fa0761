"""Spaces of noise: a standard normal, as it is or truncated."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from zeuxis.spaces.algebra import shorten, shortened_deviation
from zeuxis.spaces.base import Bounded, positive


class Normal(Bounded):
    """N(0, 1) per gene, cut to `[-bound, bound]` by clipping (at the default 4, one gene in 16 000 is cut).

    `radius` limits the length of a latent to radius * sqrt(dim): a draw from the prior has length sqrt(dim), give or
    take 1 (the Gaussian annulus), and a longer latent is a place the network has never seen.
    """

    def __init__(self, dim: int, bound: float = 4.0, radius: float = math.inf) -> None:
        positive(dim=dim, bound=bound)
        super().__init__(torch.full((dim,), -bound), torch.full((dim,), bound))
        self.bound, self.radius = bound, radius

    def __repr__(self) -> str:
        return f"Normal({self.dim}, bound={self.bound:g})"

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, into the box and the ball."""
        return shorten(super().clip(x), self.radius * math.sqrt(self.dim))

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`: 0 by symmetry."""
        return torch.zeros(self.dim)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`, of a normal distribution whose tails lie at the bounds; with a tight box and a ball, measured."""
        if math.isfinite(self.radius):
            boxed = self.bound < 4.0
            return super().prior_std if boxed else torch.full((self.dim,), shortened_deviation(self.dim, self.radius))
        tail = math.erfc(self.bound / math.sqrt(2))  # E[min(x^2, b^2)]
        return torch.full((self.dim,), math.sqrt(_middle(self.bound) + self.bound**2 * tail))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, standard normal."""
        return self.clip(torch.randn(count, self.dim, generator=rng))


class TruncatedNormal(Bounded):
    """N(0, 1) per gene given that it lies in `[-bound, bound]`: exact, by the inverse of its distribution function.

    The truncation trick of Brock, Donahue and Simonyan, "Large scale GAN training" (2019), section 3.1.
    """

    def __init__(self, dim: int, bound: float = 2.0) -> None:
        positive(dim=dim, bound=bound)
        super().__init__(torch.full((dim,), -bound), torch.full((dim,), bound))
        self.bound = bound

    def __repr__(self) -> str:
        return f"TruncatedNormal({self.dim}, bound={self.bound:g})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`: 0 by symmetry."""
        return torch.zeros(self.dim)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`, of the truncated normal distribution."""
        return torch.full((self.dim,), math.sqrt(_middle(self.bound) / math.erf(self.bound / math.sqrt(2))))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, truncated standard normal."""
        u = torch.rand(count, self.dim, generator=rng, dtype=torch.float64)
        # u = (F(x) - F(-b)) / (F(b) - F(-b)) with F(x) = (1 + erf(x / sqrt 2)) / 2, solved for x
        x = math.sqrt(2) * torch.erfinv((2 * u - 1) * math.erf(self.bound / math.sqrt(2)))
        return self.clip(x.float())


def _middle(bound: float) -> float:
    """E[x^2; |x| < bound] of a standard normal number."""
    return math.erf(bound / math.sqrt(2)) - bound * math.sqrt(2 / math.pi) * math.exp(-(bound**2) / 2)
