"""Zero-order search: Ma et al., "Inference-time scaling for diffusion models beyond scaling denoising steps" (2025),
section 3.1, https://arxiv.org/abs/2501.09732 : the best of N neighbours of a pivot becomes the next pivot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import fittest, keep_length
from zeuxis.search.options import Member, Options, option
from zeuxis.spaces import Space, blocks
from zeuxis.types import Evaluation


@dataclass(frozen=True)
class ZeroOrderOptions(Options):
    """Those of zero-order search."""

    radius: float = option(
        0.5, "distance of a neighbour from the pivot, in parts of the prior's own length", low=1e-6, high=1.4
    )
    shrink: float = option(0.9, "factor on the radius after a generation without a better neighbour", low=0.01, high=1)
    offspring: int = option(0, "neighbours in a generation; 0 is the population", low=0)


class ZeroOrder(PopulationSearch):
    """Neighbours on a sphere about the pivot, all as far from the prior's mean as the pivot itself.

    The best neighbour becomes the pivot if it is better; else the radius shrinks. The survivors are the best ever seen.
    """

    _state = ("pivot", "pivot_score", "radius")

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: ZeroOrderOptions = ZeroOrderOptions(),
        name: str = "zero-order",
    ) -> None:
        super().__init__(space, population, device, name)
        self.shrink, self.offspring = options.shrink, options.offspring or self.population
        self.mean, self.spread, self.parts = sent(space.prior_mean, self.device), self._deviation(), blocks(space)
        self.pivot = torch.empty(0, space.dim, device=self.device)  # (1, D) once told
        self.pivot_score = torch.full((1,), -math.inf, device=self.device)
        self.radius = torch.full((1,), options.radius, device=self.device)

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.offspring

    def _ask(self, rng: torch.Generator) -> Tensor:
        """`(offspring, D)`: pivot + radius |pivot| u for random directions u, brought back to the pivot's length."""
        u = sent(torch.randn(self.offspring, self.space.dim, generator=rng), self.device)
        pivot = self.pivot.expand_as(u)
        away = keep_length(self.mean + self.spread * u, pivot, mean=self.mean, deviation=self.spread, parts=self.parts)
        near = pivot + self.radius * (away - self.mean)
        return keep_length(near, pivot, mean=self.mean, deviation=self.spread, parts=self.parts)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        top = score.argmax()[None]
        if len(self.pivot):
            better = score[top] > self.pivot_score
            self.pivot = torch.where(better[:, None], x[top], self.pivot)
            self.pivot_score = torch.where(better, score[top], self.pivot_score)
            self.radius = torch.where(better, self.radius, self.radius * self.shrink)
        else:
            self.pivot, self.pivot_score = x[top], score[top]
        everyone = torch.cat([self.population_x, x])
        return fittest(everyone, torch.cat([self.population_score, score]), self.population)


zero_order = Member(ZeroOrder, ZeroOrderOptions, "zero-order")
