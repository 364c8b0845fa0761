"""Evolution, then gradients on the elite, in turns: a memetic algorithm. Moscato, "On evolution, search, optimization,
genetic algorithms and martial arts" (1989); on CLIP and BigGAN: Costa et al. (2022), https://arxiv.org/abs/2207.02907
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.search.adam import NORM, NORM_HELP, Climber, gradient_of
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.genetic import CROSSOVERS, MUTATIONS
from zeuxis.search.options import Member, Options, option
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation

OWN = "own"
EVOLUTIONS = ("ga", "sep-cma-es", "lm-ma-es", "open-es", "cma-es")


@dataclass(frozen=True)
class HybridOptions(Options):
    """Those of evolution and gradients in turns."""

    evolution: str = option("sep-cma-es", "the search that gradients are added to", choices=EVOLUTIONS)
    evolve: int = option(10, "generations of evolution in a turn", low=1)
    climb: int = option(10, "gradient steps in a turn", low=1)
    elite: int = option(0, "latents that climb; 0 is an eighth of the population", low=0)
    rate: float = option(0.05, "Adam's learning rate, in deviations of the prior", low=0, high=100)
    norm: float = option(NORM, NORM_HELP, low=0, high=100)
    mutation: str = option(
        OWN, "evolution=ga only; own: as in `ga`", choices=(OWN, *MUTATIONS), only=("evolution", "ga")
    )
    crossover: str = option(
        OWN, "evolution=ga only; own: as in `ga`", choices=(OWN, *CROSSOVERS), only=("evolution", "ga")
    )
    lamarckian: int = option(
        1,
        "1: the climbed latent replaces its parent; 0 (Baldwin): the parent gets the score, not the genes",
        low=0,
        high=1,
    )


class HybridSearch(PopulationSearch):
    """Generations of evolution, then Adam steps (three images each) on the best few, and again."""

    _state = (
        *("rows", "x", "top_x", "top_score", "inner"),
        *("climber.spread", "climber.steps", "climber.first", "climber.second"),
    )

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        options: HybridOptions = HybridOptions(),
        name: str = "hybrid",
    ) -> None:
        super().__init__(space, population, device, name)
        from zeuxis.search import SEARCHES

        of_ga = {name: said for name in ("mutation", "crossover") if (said := getattr(options, name)) != OWN}
        if of_ga and options.evolution != "ga":
            raise BadInput(f"{' and '.join(of_ga)} are of the genetic algorithm: add evolution=ga, or leave them out.")
        self.inner: PopulationSearch = SEARCHES[options.evolution](space, population=population, device=device, **of_ga)
        self.evolve, self.climb, self.lamarckian = options.evolve, options.climb, options.lamarckian
        self.elite = min(options.elite or max(1, self.population // 8), self.population)
        self.climber = Climber(options.rate, self._deviation(), space, options.norm)
        self.rows = torch.empty(0, dtype=torch.int64, device=self.device)  # of the inner population, that climb
        self.x = torch.empty(0, space.dim, device=self.device)  # where they are (K, D)
        self.top_x = torch.empty(0, space.dim, device=self.device)  # the best place of each climb, and its score
        self.top_score = torch.empty(0, device=self.device)

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.inner.batch

    @property
    def climbing(self) -> bool:
        """Whether this generation is a gradient step."""
        return self.generation % (self.evolve + self.climb) >= self.evolve

    def _first(self, rng: torch.Generator) -> Tensor:
        self.inner.start = self.start
        return self.inner.ask(rng).x

    def _ask(self, rng: torch.Generator) -> Batch:
        """A generation of the evolution, or the climbers with their gradients."""
        return Batch(self.x, gradient=True) if self.climbing else self.inner.ask(rng)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        place = self.generation % (self.evolve + self.climb)
        if place < self.evolve:
            self.inner.tell(Batch(x), evaluation)
            if place == self.evolve - 1:
                self._begin_climb()
        else:
            slope = gradient_of(evaluation, self)
            better = score > self.top_score
            self.top_x = torch.where(better[:, None], x, self.top_x)
            self.top_score = torch.where(better, score, self.top_score)
            self.x = self.space.clip(self.climber.step(self.x, slope))
            if place == self.evolve + self.climb - 1:
                genes = self.top_x if self.lamarckian else self.inner.population_x[self.rows]
                self.inner.adopt(self.rows, genes, self.top_score)
        return self.inner.population_x, self.inner.population_score

    def _begin_climb(self) -> None:
        order = self.inner.population_score.argsort(descending=True, stable=True)
        self.rows = order[: self.elite]
        self.x = self.top_x = self.inner.population_x[self.rows]
        self.top_score = self.inner.population_score[self.rows]
        self.climber.begin(len(self.rows))


hybrid = Member(HybridSearch, HybridOptions, "hybrid")  # sep-CMA-ES and Adam in turns
