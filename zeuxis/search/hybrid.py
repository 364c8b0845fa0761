"""Evolution, then gradients on the elite, in turns: a memetic algorithm. Moscato, "On evolution, search, optimization,
genetic algorithms and martial arts" (1989); on CLIP and BigGAN: Costa et al. (2022), https://arxiv.org/abs/2207.02907
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.search.adam import PRIOR_SAMPLE, Climber, gradient_of
from zeuxis.search.base import (
    CPU,
    Option,
    PopulationSearch,
    State,
    build,
    choice,
    integer,
    nested,
    number,
    tensor,
    unnested,
)
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation

EVOLUTIONS = ("ga", "sep-cma-es", "lm-ma-es", "open-es", "cma-es")
INNER = "inner."  # before the names of the evolution's own state


class HybridSearch(PopulationSearch):
    """Generations of evolution, then Adam steps (three images each) on the best few, and again.

    evolution    "ga", "sep-cma-es", "lm-ma-es", "open-es" or "cma-es"
    evolve       generations of evolution in a turn
    climb        gradient steps in a turn
    elite        latents that climb; 0 is an eighth of the population
    rate         Adam's learning rate, in deviations of the prior
    lamarckian   1: what was learnt is inherited, the climbed latent replaces its parent. 0 (Baldwin): the parent keeps
                 its genes and is only credited with the score that it reached
    """

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        *,
        name: str = "hybrid",
        evolution: str = "sep-cma-es",
        evolve: int = 10,
        climb: int = 10,
        elite: int = 0,
        rate: float = 0.05,
        lamarckian: int = 1,
    ) -> None:
        super().__init__(space, population, device, name)
        from zeuxis.search import SEARCHES

        kind = SEARCHES[choice("evolution", evolution, EVOLUTIONS)]
        self.inner: PopulationSearch = kind(space, population=population, device=device)
        self.evolve, self.climb = integer("evolve", evolve, 1), integer("climb", climb, 1)
        self.elite = min(integer("elite", elite, 0) or max(1, self.population // 8), self.population)
        self.lamarckian = integer("lamarckian", lamarckian, 0, 1)
        self.climber = Climber(number("rate", rate, 0, 100), torch.ones(space.dim, device=self.device))
        self.rows = torch.empty(0, dtype=torch.int64, device=self.device)  # of the inner population, that climb
        self.x = torch.empty(0, space.dim, device=self.device)  # where they are (K, D)
        self.top_x = torch.empty(0, space.dim, device=self.device)  # the best place of each climb, and its score
        self.top_score = torch.empty(0, device=self.device)
        self._gradient = torch.empty(0)

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.inner.batch

    @property
    def climbing(self) -> bool:
        """Whether this generation is a gradient step."""
        return self.generation % (self.evolve + self.climb) >= self.evolve

    def ask(self, rng: torch.Generator) -> Batch:
        """A generation of the evolution, or the climbers with their gradients."""
        if self._asked is None:
            if self.climbing:
                self._asked = Batch(self.x, gradient=True)
            else:
                self.inner.start = self.start
                self._asked = self.inner.ask(rng)
                if not self.generation:
                    self.climber.spread = self._prior(PRIOR_SAMPLE, rng).std(dim=0).clamp_min(1e-6)
        return self._asked

    def _children(self, rng: torch.Generator) -> Tensor:
        raise NotImplementedError  # `ask` hands on the evolution's own batch

    def _learn_from(self, evaluation: Evaluation) -> None:
        if self.climbing:
            self._gradient = gradient_of(evaluation, self.name).detach().to(self.device, torch.float32)
        else:
            assert self._asked is not None
            self.inner.tell(self._asked, evaluation)

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        place = self.generation % (self.evolve + self.climb)
        if place < self.evolve:
            if place == self.evolve - 1:
                self._begin_climb()
        else:
            better = score > self.top_score
            self.top_x = torch.where(better[:, None], x, self.top_x)
            self.top_score = torch.where(better, score, self.top_score)
            self.x = self.space.clip(self.climber.step(self.x, self._gradient))
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

    def state_dict(self) -> State:
        """The state as of the last `tell`: the evolution's and the climbers'."""
        mine: State = {"rows": self.rows, "x": self.x, "top_x": self.top_x, "top_score": self.top_score}
        mine |= {"spread": self.climber.spread, "steps": self.climber.steps}
        mine |= {"first": self.climber.first, "second": self.climber.second}
        return super().state_dict() | mine | nested(INNER, self.inner.state_dict())

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        for name in ("rows", "x", "top_x", "top_score"):
            setattr(self, name, tensor(state, name, self.device))
        for name in ("spread", "first", "second"):
            setattr(self.climber, name, tensor(state, name, self.device))
        self.climber.steps = int(number("steps", state.get("steps"), 0))
        self.inner.load_state_dict(unnested(INNER, state))


def hybrid(space: Space, population: int = 16, device: torch.device = CPU, **options: Option) -> HybridSearch:
    """sep-CMA-ES and Adam in turns; needs a generator and scorers with gradients."""
    return build(HybridSearch, "hybrid", space, population, device, options)
