"""Random search: draws from the prior and keeps the best. The yardstick for every other search."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.search.base import CPU, Option, PopulationSearch, build
from zeuxis.search.operators import fittest
from zeuxis.spaces import Space


class RandomSearch(PopulationSearch):
    """Every generation is a fresh sample of the prior; the survivors are the best ever seen."""

    def __init__(self, space: Space, population: int = 64, device: torch.device = CPU, *, name: str = "random") -> None:
        super().__init__(space, population, device, name)

    def _children(self, rng: torch.Generator) -> Tensor:
        return self._prior(self.population, rng)

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        everyone = torch.cat([self.population_x, x])
        return fittest(everyone, torch.cat([self.population_score, score]), self.population)


def random(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> RandomSearch:
    """Prior sampling; no options."""
    return build(RandomSearch, "random", space, population, device, options)


def best_of_n(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> RandomSearch:
    """The same under the name by which experiments call the null hypothesis: no search at all."""
    return build(RandomSearch, "best-of-n", space, population, device, options)
