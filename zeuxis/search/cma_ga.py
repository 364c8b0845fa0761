"""sep-CMA-ES, then a genetic algorithm from its best: first to find, then to spread.

A distribution finds a good picture in a fraction of the images that a GA needs, and ends with copies of it; a GA that
mutates strongly keeps its pictures apart, and finds less. sep-CMA-ES: Ros and Hansen 2008 (`search/sep_cma_es.py`); GA:
`search/genetic.py`. One search that begins where another ends is the relay hybrid of Talbi, "A taxonomy of hybrid
metaheuristics", Journal of Heuristics 8 (2002), https://doi.org/10.1023/A:1016540724870
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from zeuxis.search.base import CPU, Option, PopulationSearch, State, build, integer, nested, unnested
from zeuxis.search.genetic import GeneticSearch
from zeuxis.search.operators import fittest
from zeuxis.search.sep_cma_es import SepCmaEs
from zeuxis.spaces import Space
from zeuxis.types import Evaluation

FIND, SPREAD = "find.", "spread."  # before the names of the two searches' own states


class CmaGa(PopulationSearch):
    """Generations of sep-CMA-ES, then of a GA bred from its best and from the draws that the run began with, in turns.

    first            images of the first generation at least, unless there is a `start`; the distribution starts at the
                     best of them
    focus            generations of sep-CMA-ES in a turn; every turn but the first starts at the best of the run
    spread           generations of the GA in a turn; its population lives on from turn to turn
    offspring        images in a generation of sep-CMA-ES; 0 is the population
    sigma            its step size at the start, in the unit that `scale` names
    rate             factor on the learning rates of its covariance
    scale            what `sigma` is measured in: deviations of the "prior", or those cut to the "room" there is
    mirrored         1: its steps come in mirrored pairs, of which the better is learnt from
    elite            its best latents that the GA starts from; the rest are the best of the first draws
    mutation_prob    of the GA: chance per gene
    mutation_sigma   of the GA: deviation of a step, in deviations of the prior
    """

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        *,
        name: str = "cma-ga",
        first: int = 64,
        focus: int = 120,
        spread: int = 40,
        offspring: int = 8,
        sigma: float = 0.4,
        rate: float = 3.0,
        mirrored: int = 1,
        scale: str = "room",
        elite: int = 1,
        mutation_prob: float = 0.5,
        mutation_sigma: float = 1.0,
    ) -> None:
        super().__init__(space, population, device, name)
        self.focus, self.turn = integer("focus", focus, 1), integer("spread", spread, 1) + focus
        self.elite = integer("elite", elite, 1)
        self._new_find = partial(
            SepCmaEs,
            space,
            population,
            device,
            sigma=sigma,
            rate=rate,
            first=first,
            offspring=offspring,
            mirrored=mirrored,
            scale=scale,
        )
        self.finder = self._new_find()
        mutation: dict[str, float] = {"mutation_prob": mutation_prob, "mutation_sigma": mutation_sigma}
        self.breeder = GeneticSearch(space, population, device, **mutation)  # type: ignore[arg-type]

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

    def _children(self, rng: torch.Generator) -> Tensor:
        return self._now.ask(rng).x

    def _learn_from(self, evaluation: Evaluation) -> None:
        assert self._asked is not None
        self._now.tell(self._asked, evaluation)

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        if not self.generation:
            self._breed(x, score)  # what the GA will begin with
        elif self.finding:
            if (self.generation - 1) % self.turn == self.focus - 1:
                self._hand_over()
                return self.breeder.population_x, self.breeder.population_score
        else:
            if (self.generation - 1) % self.turn == self.turn - 1:
                found, self.finder = self.finder, self._new_find()
                self.finder.begin_at(self.breeder.best_so_far[0][0], found)
            return self.breeder.population_x, self.breeder.population_score
        everyone = torch.cat([self.population_x, x])  # a run that ends while it finds shows the best it has seen
        return fittest(everyone, torch.cat([self.population_score, score]), self.population)

    def _hand_over(self) -> None:
        """The best latents found join the GA's population."""
        best, top = self.finder.best_so_far
        x, score = fittest(self.finder.population_x, self.finder.population_score, min(self.elite, self.population) - 1)
        found = torch.cat([top, score])
        rest = self.population - len(found)
        self._breed(
            torch.cat([best, x, self.breeder.population_x[:rest]]),
            torch.cat([found, self.breeder.population_score[:rest]]),
        )

    def _breed(self, x: Tensor, score: Tensor) -> None:
        """The GA goes on from these latents `(N, D)` and scores `(N,)`."""
        self.breeder.population_x, self.breeder.population_score = fittest(x, score, self.population)
        self.breeder.spread = self.finder.spread / self.finder.room
        self.breeder.generation = max(1, self.breeder.generation)
        self.breeder._keep_best(x, score)

    def state_dict(self) -> State:
        """The state as of the last `tell`: that of both searches."""
        inner = nested(FIND, self.finder.state_dict()) | nested(SPREAD, self.breeder.state_dict())
        return super().state_dict() | inner

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        self.finder.load_state_dict(unnested(FIND, state))
        self.breeder.load_state_dict(unnested(SPREAD, state))


def cma_ga(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> CmaGa:
    """The default search: finds like sep-CMA-ES, ends with different pictures like a GA."""
    return build(CmaGa, "cma-ga", space, population, device, options)
