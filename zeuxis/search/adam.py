"""Adam on latents, from several starts at once: Kingma and Ba, "Adam: a method for stochastic optimization" (2015),
https://arxiv.org/abs/1412.6980 ; random candidates first, as in FuseDream (Liu et al. 2021, https://arxiv.org/abs/2112.01573)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import fittest
from zeuxis.search.options import Member, Options, option
from zeuxis.spaces import Space, blocks, gaussian
from zeuxis.types import Batch, Evaluation

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
NORM, NORM_HELP = 0.0, "weight of the log-likelihood of a latent's length under the prior; 0.01 as in ReNO"


class Climber:
    """Adam's moments for K latents, in deviations of the prior per gene. Rows of a gradient that is no number rest.

    `norm` weighs the log-likelihood of a latent's length r, (d - 1) log r - r^2 / 2, which is added to the score for
    the d genes of each part of the space with a standard normal prior: Samuel et al., "Norm-guided latent space
    exploration" (2023), https://arxiv.org/abs/2306.08687 ; as in ReNO (2024), https://arxiv.org/abs/2406.04312
    """

    def __init__(self, rate: float, spread: Tensor, space: Space, norm: float = 0.0) -> None:
        self.rate, self.spread, self.norm = rate, spread, norm  # spread (D,)
        normal = gaussian(space)
        self.parts = [part for part in blocks(space) if bool(normal[part].all())]
        self.first = self.second = torch.empty(0, device=spread.device)
        self.steps = 0

    def begin(self, count: int) -> None:
        """Forget the past; `count` latents climb from here."""
        self.first = torch.zeros(count, len(self.spread), device=self.spread.device)
        self.second = torch.zeros_like(self.first)
        self.steps = 0

    def step(self, x: Tensor, gradient: Tensor) -> Tensor:
        """`(K, D)` one step up the gradient d score / d x `(K, D)`."""
        known = gradient.isfinite().all(dim=1, keepdim=True)
        slope = (torch.where(known, gradient, 0.0) + self._towards_length(x)) * self.spread  # per deviation
        self.steps += 1
        self.first = BETA_1 * self.first + (1 - BETA_1) * slope
        self.second = BETA_2 * self.second + (1 - BETA_2) * slope.square()
        first = self.first / (1 - BETA_1**self.steps)
        second = self.second / (1 - BETA_2**self.steps)
        return x + known * self.rate * self.spread * first / (second.sqrt() + EPSILON)

    def _towards_length(self, x: Tensor) -> Tensor:
        """`(K, D)`, the gradient of norm ((d - 1) log r - r^2 / 2)."""
        slope = torch.zeros_like(x)
        for part in self.parts if self.norm else ():
            r = x[:, part].norm(dim=1, keepdim=True).clamp_min(1e-6)
            slope[:, part] = self.norm * ((x[:, part].shape[1] - 1) / r - r) * x[:, part] / r
        return slope


def gradient_of(evaluation: Evaluation, search: PopulationSearch) -> Tensor:
    """The gradient that a search asked for, `(N, D)` on its device. BadInput where it is missing."""
    if evaluation.gradient is None:
        raise BadInput(f"{search.name} asked for gradients and was told none. Give Evaluation(score, gradient=(N, D)).")
    return evaluation.gradient.detach().to(search.device, torch.float32)


@dataclass(frozen=True)
class AdamOptions(Options):
    """Those of gradient ascent."""

    screen: int = option(8, "generations of plain draws first; the best latents of all of them are the starts", low=1)
    starts: int = option(0, "latents that climb side by side; 0 is a quarter of the population", low=0)
    rate: float = option(0.05, "Adam's learning rate, in deviations of the prior", low=0, high=100)
    decay: float = option(1.0, "factor on the rate after each step", low=0.01, high=1)
    norm: float = option(NORM, NORM_HELP, low=0, high=100)


class AdamSearch(PopulationSearch):
    """Draws from the prior, then the best of them climb the gradient. A step of one latent costs three images."""

    _state = ("x", "climber.spread", "climber.steps", "climber.first", "climber.second")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        options: AdamOptions = AdamOptions(),
        name: str = "adam",
    ) -> None:
        super().__init__(space, population, device, name)
        self.screen, self.rate, self.decay = options.screen, options.rate, options.decay
        self.starts = min(options.starts or max(1, self.population // 4), self.population)
        self.climber = Climber(self.rate, self._deviation(), space, options.norm)
        self.x = torch.empty(0, space.dim, device=self.device)  # where the climbers are (K, D)

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.starts

    def _ask(self, rng: torch.Generator) -> Tensor | Batch:
        """Draws of the prior, then the climbers with their gradients."""
        return self._prior(self.population, rng) if self.generation < self.screen else Batch(self.x, gradient=True)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        if self.generation < self.screen:
            x, score = torch.cat([self.population_x, x]), torch.cat([self.population_score, score])
            x, score = fittest(x, score, self.starts)
            self.x = x
            self.climber.begin(len(x))
            return x, score
        slope = gradient_of(evaluation, self)
        self.climber.rate = self.rate * self.decay**self.climber.steps
        self.x = self.space.clip(self.climber.step(self.x, slope))
        better = score > self.population_score  # each climber's best so far
        return torch.where(better[:, None], x, self.population_x), torch.where(better, score, self.population_score)


adam = Member(AdamSearch, AdamOptions, "adam")  # the gradient baseline
