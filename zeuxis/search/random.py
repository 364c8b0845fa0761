"""Random search: draws from the prior and keeps the best. The yardstick for every other search."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import fittest
from zeuxis.search.options import NONE, Member, Options
from zeuxis.spaces import Space
from zeuxis.types import Evaluation


class RandomSearch(PopulationSearch):
    """Every generation is a fresh sample of the prior; the survivors are the best ever seen."""

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: Options = NONE,
        name: str = "random",
    ) -> None:
        super().__init__(space, population, device, name)

    def _ask(self, rng: torch.Generator) -> Tensor:
        return self._prior(self.population, rng)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        everyone = torch.cat([self.population_x, x])
        return fittest(everyone, torch.cat([self.population_score, score]), self.population)


random = Member(RandomSearch, Options, "random")
best_of_n = Member(RandomSearch, Options, "best-of-n")  # what experiments call the null hypothesis: no search at all
