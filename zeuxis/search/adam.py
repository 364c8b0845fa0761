"""Adam on latents, from several starts at once: Kingma and Ba, "Adam: a method for stochastic optimization" (2015),
https://arxiv.org/abs/1412.6980 ; random candidates first, as in FuseDream (Liu et al. 2021, https://arxiv.org/abs/2112.01573)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.search.base import CPU, Option, PopulationSearch, State, build, integer, number, tensor
from zeuxis.search.operators import fittest
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
PRIOR_SAMPLE = 256  # draws that the deviation per gene is measured from


class Climber:
    """Adam's moments for K latents, in deviations of the prior per gene. Rows of a gradient that is no number rest."""

    def __init__(self, rate: float, spread: Tensor) -> None:
        self.rate, self.spread = rate, spread  # (D,)
        self.first = self.second = torch.empty(0)
        self.steps = 0

    def begin(self, count: int) -> None:
        """Forget the past; `count` latents climb from here."""
        self.first = torch.zeros(count, len(self.spread), device=self.spread.device)
        self.second = torch.zeros_like(self.first)
        self.steps = 0

    def step(self, x: Tensor, gradient: Tensor) -> Tensor:
        """`(K, D)` one step up the gradient d score / d x `(K, D)`."""
        known = gradient.isfinite().all(dim=1, keepdim=True)
        slope = torch.where(known, gradient, 0.0) * self.spread  # per deviation
        self.steps += 1
        self.first = BETA_1 * self.first + (1 - BETA_1) * slope
        self.second = BETA_2 * self.second + (1 - BETA_2) * slope.square()
        first = self.first / (1 - BETA_1**self.steps)
        second = self.second / (1 - BETA_2**self.steps)
        return x + known * self.rate * self.spread * first / (second.sqrt() + EPSILON)


def gradient_of(evaluation: Evaluation, name: str) -> Tensor:
    """The gradient that was asked for, `(N, D)`. BadInput where it is missing."""
    if evaluation.gradient is None:
        raise BadInput(f"{name} asked for gradients and was told none. Give Evaluation(score, gradient=(N, D)).")
    return evaluation.gradient


class AdamSearch(PopulationSearch):
    """Draws from the prior, then the best of them climb the gradient. A step of one latent costs three images.

    screen   generations of plain draws before the climb; the best latents of all of them are its starts
    starts   latents that climb side by side; 0 is a quarter of the population
    rate     Adam's learning rate, in deviations of the prior
    decay    factor on the rate after each step
    """

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        *,
        name: str = "adam",
        screen: int = 8,
        starts: int = 0,
        rate: float = 0.05,
        decay: float = 1.0,
    ) -> None:
        super().__init__(space, population, device, name)
        self.screen = integer("screen", screen, 1)
        self.starts = min(integer("starts", starts, 0) or max(1, self.population // 4), self.population)
        self.rate, self.decay = number("rate", rate, 0, 100), number("decay", decay, 0.01, 1)
        self.climber = Climber(self.rate, torch.ones(space.dim, device=self.device))
        self.x = torch.empty(0, space.dim, device=self.device)  # where the climbers are (K, D)
        self._gradient = torch.empty(0)

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.starts

    def _first(self, rng: torch.Generator) -> Tensor:
        x = super()._first(rng)
        self.climber.spread = self._prior(PRIOR_SAMPLE, rng).std(dim=0).clamp_min(1e-6)
        return x

    def ask(self, rng: torch.Generator) -> Batch:
        """Draws of the prior, then the climbers with their gradients."""
        if self._asked is None and self.generation >= self.screen:
            self._asked = Batch(self.x, gradient=True)
        return super().ask(rng)

    def _children(self, rng: torch.Generator) -> Tensor:
        return self._prior(self.population, rng)

    def _learn_from(self, evaluation: Evaluation) -> None:
        if self._asked is not None and self._asked.gradient:
            self._gradient = gradient_of(evaluation, self.name).detach().to(self.device, torch.float32)

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        if self.generation < self.screen:
            x, score = torch.cat([self.population_x, x]), torch.cat([self.population_score, score])
            x, score = fittest(x, score, self.starts)
            self.x = x
            self.climber.begin(len(x))
            return x, score
        self.climber.rate = self.rate * self.decay**self.climber.steps
        self.x = self.space.clip(self.climber.step(self.x, self._gradient))
        better = score > self.population_score  # each climber's best so far
        return torch.where(better[:, None], x, self.population_x), torch.where(better, score, self.population_score)

    def state_dict(self) -> State:
        """The state as of the last `tell`: climbers and Adam's moments."""
        mine: State = {"x": self.x, "spread": self.climber.spread, "steps": self.climber.steps}
        return super().state_dict() | mine | {"first": self.climber.first, "second": self.climber.second}

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        self.x = tensor(state, "x", self.device)
        self.climber.spread = tensor(state, "spread", self.device)
        self.climber.first = tensor(state, "first", self.device)
        self.climber.second = tensor(state, "second", self.device)
        self.climber.steps = int(number("steps", state.get("steps"), 0))


def adam(space: Space, population: int = 16, device: torch.device = CPU, **options: Option) -> AdamSearch:
    """The gradient baseline: needs a generator and scorers with gradients."""
    return build(AdamSearch, "adam", space, population, device, options)
