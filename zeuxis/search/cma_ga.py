"""sep-CMA-ES, then a genetic algorithm from its best: first to find, then to spread.

A distribution finds a good picture in a fraction of the images that a GA needs, and ends with copies of it; a GA that
mutates strongly keeps its pictures apart, and finds less. sep-CMA-ES: Ros and Hansen 2008 (`search/sep_cma_es.py`); GA:
`search/genetic.py`. One search that begins where another ends is the relay hybrid of Talbi, "A taxonomy of hybrid
metaheuristics", Journal of Heuristics 8 (2002), https://doi.org/10.1023/A:1016540724870
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.genetic import GeneticSearch, VariationOptions
from zeuxis.search.operators import fittest
from zeuxis.search.options import Member, option, same_but
from zeuxis.search.sep_cma_es import SepCmaEs, SepCmaEsOptions
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation


@dataclass(frozen=True)
class CmaGaOptions(SepCmaEsOptions, VariationOptions):
    """Those of sep-CMA-ES and of the genetic algorithm, with defaults of their own, and of the turns they take."""

    focus: int = option(120, "generations of sep-CMA-ES in a turn; all but the first start at the run's best", low=1)
    spread: int = option(40, "generations of the GA in a turn; its population lives on from turn to turn", low=1)
    elite: int = option(
        1, "best latents of sep-CMA-ES that the GA starts from; the rest are the best of the first draws", low=1
    )
    offspring: int = same_but(SepCmaEsOptions, "offspring", 8)
    sigma: float = same_but(SepCmaEsOptions, "sigma", 0.4)
    rate: float = same_but(SepCmaEsOptions, "rate", 3.0)
    mirrored: int = same_but(SepCmaEsOptions, "mirrored", 1)
    scale: str = same_but(SepCmaEsOptions, "scale", "room")
    mutation_prob: float = same_but(VariationOptions, "mutation_prob", 0.5)
    mutation_sigma: float = same_but(VariationOptions, "mutation_sigma", 1.0)


class CmaGa(PopulationSearch):
    """Generations of sep-CMA-ES, then of a GA bred from its best and from the draws that the run began with, in turns.

    The first generation is shared: the distribution starts at the best of it.
    """

    _state = ("finder as find", "breeder as spread")

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: CmaGaOptions = CmaGaOptions(),
        name: str = "cma-ga",
    ) -> None:
        super().__init__(space, population, device, name)
        self.focus, self.turn, self.elite = options.focus, options.focus + options.spread, options.elite
        self.finder = SepCmaEs(space, population, device, options.part(SepCmaEsOptions))
        self.breeder = GeneticSearch(space, population, device, options.part(VariationOptions))

    @property
    def batch(self) -> int:
        """How many latents a generation of sep-CMA-ES has; those of the GA are a population."""
        return self.finder.batch

    @property
    def finding(self) -> bool:
        """Whose turn this generation is."""
        return self.generation == 0 or (self.generation - 1) % self.turn < self.focus

    @property
    def _now(self) -> PopulationSearch:
        return self.finder if self.finding else self.breeder

    def _first(self, rng: torch.Generator) -> Tensor:
        self.finder.start = self.start
        return self.finder.ask(rng).x

    def _ask(self, rng: torch.Generator) -> Batch:
        return self._now.ask(rng)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        self._now.tell(Batch(x), evaluation)
        place = (self.generation - 1) % self.turn
        if not self.generation:
            self.breeder.begin(x, score)
        elif not self.finding:
            if place == self.turn - 1:
                self.finder.begin(self.breeder.best_x, self.breeder.best_score)
            return self.breeder.population_x, self.breeder.population_score
        elif place == self.focus - 1:
            self._hand_over()
            return self.breeder.population_x, self.breeder.population_score
        everyone = torch.cat([self.population_x, x])  # a run that ends while it finds shows the best it has seen
        return fittest(everyone, torch.cat([self.population_score, score]), self.population)

    def _hand_over(self) -> None:
        """The best latents found join the GA's population."""
        found, count = self.finder, min(self.elite, self.population) - 1
        x, score = fittest(found.population_x, found.population_score, count)
        rest = self.population - 1 - len(x)
        self.breeder.begin(
            torch.cat([found.best_x, x, self.breeder.population_x[:rest]]),
            torch.cat([found.best_score, score, self.breeder.population_score[:rest]]),
        )


cma_ga = Member(CmaGa, CmaGaOptions, "cma-ga")  # the default: finds like sep-CMA-ES, ends with different pictures
