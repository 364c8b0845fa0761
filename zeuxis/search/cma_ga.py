"""sep-CMA-ES, then a genetic algorithm from its best: first to find, then to spread.

A distribution finds a good picture in a fraction of the images that a GA needs, and ends with copies of it; a GA that
mutates strongly keeps its pictures apart, and finds less. sep-CMA-ES: Ros and Hansen 2008 (`search/sep_cma_es.py`); GA:
`search/genetic.py`. One search that begins where another ends is the relay hybrid of Talbi, "A taxonomy of hybrid
metaheuristics", Journal of Heuristics 8 (2002), https://doi.org/10.1023/A:1016540724870
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.search.base import CPU, Option, PopulationSearch, State, build, integer, tensor
from zeuxis.search.genetic import GeneticSearch
from zeuxis.search.operators import fittest
from zeuxis.search.sep_cma_es import SepCmaEs
from zeuxis.spaces import Space
from zeuxis.types import Evaluation

FIND, SPREAD = "find.", "spread."  # before the names of the two searches' own states


class CmaGa(PopulationSearch):
    """Generations of sep-CMA-ES, then a GA bred from its best and from the draws that the run began with.

    first            images of the first generation at least; the distribution starts at the best of them
    focus            generations of sep-CMA-ES
    offspring        images in each of these generations; 0 is the population
    sigma            its step size at the start, in deviations of the prior
    rate             factor on the learning rates of its covariance
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
        offspring: int = 8,
        sigma: float = 0.3,
        rate: float = 3.0,
        elite: int = 2,
        mutation_prob: float = 0.4,
        mutation_sigma: float = 0.85,
    ) -> None:
        super().__init__(space, population, device, name)
        self.focus = integer("focus", focus, 1)
        self.elite = integer("elite", elite, 1)
        self.find = SepCmaEs(space, population, device, sigma=sigma, rate=rate, first=first, offspring=offspring)
        mutation: dict[str, float] = {"mutation_prob": mutation_prob, "mutation_sigma": mutation_sigma}
        self.spread = GeneticSearch(space, population, device, **mutation)  # type: ignore[arg-type]
        self.drawn_x = torch.empty(0, space.dim, device=self.device)  # the best of the first generation (N, D)
        self.drawn_score = torch.empty(0, device=self.device)

    @property
    def _now(self) -> PopulationSearch:
        """Whose turn it is."""
        return self.find if self.generation <= self.focus else self.spread

    def _first(self, rng: torch.Generator) -> Tensor:
        self.find.start = self.start
        return self.find.ask(rng).x

    def _children(self, rng: torch.Generator) -> Tensor:
        return self._now.ask(rng).x

    def _learn_from(self, evaluation: Evaluation) -> None:
        assert self._asked is not None
        self._now.tell(self._asked, evaluation)

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        if not self.generation:
            self.drawn_x, self.drawn_score = fittest(x, score, self.population)
        if self.generation > self.focus:
            return self.spread.population_x, self.spread.population_score
        if self.generation == self.focus:
            return self._hand_over()
        everyone = torch.cat([self.population_x, x])  # a run that ends here shows the best it has seen
        return fittest(everyone, torch.cat([self.population_score, score]), self.population)

    def _hand_over(self) -> tuple[Tensor, Tensor]:
        """The GA's first population: the best latents found, and the best of the first draws."""
        best, top = self.find.best
        elite = min(self.elite, self.population)
        x, score = fittest(self.find.population_x, self.find.population_score, elite - 1)
        everyone = torch.cat([best[None], x, self.drawn_x])[: self.population]
        value = torch.cat([torch.tensor([top], device=self.device), score, self.drawn_score])[: self.population]
        self.spread.population_x, self.spread.population_score = fittest(everyone, value, self.population)
        self.spread.spread, self.spread.generation = self.find.spread, 1
        self.spread._keep_best(everyone, value)
        return self.spread.population_x, self.spread.population_score

    def state_dict(self) -> State:
        """The state as of the last `tell`: that of both searches."""
        mine: State = {"drawn_x": self.drawn_x, "drawn_score": self.drawn_score}
        for prefix, search in ((FIND, self.find), (SPREAD, self.spread)):
            mine |= {prefix + name: value for name, value in search.state_dict().items()}
        return super().state_dict() | mine

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        self.drawn_x = tensor(state, "drawn_x", self.device)
        self.drawn_score = tensor(state, "drawn_score", self.device)
        for prefix, search in ((FIND, self.find), (SPREAD, self.spread)):
            search.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})


def cma_ga(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> CmaGa:
    """The default search: finds like sep-CMA-ES, ends with different pictures like a GA."""
    return build(CmaGa, "cma-ga", space, population, device, options)
