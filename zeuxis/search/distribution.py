"""What searches share that breed a distribution instead of a population: a mean, a step size, samples about the mean.

Hansen, "The CMA evolution strategy: a tutorial" (2016, https://arxiv.org/abs/1604.00772) gives the letters: mean m,
step size sigma, weights w_i of the mu best, variance-effective size mu_eff.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import PopulationSearch
from zeuxis.search.operators import fittest
from zeuxis.search.options import Options, option
from zeuxis.spaces import Space
from zeuxis.types import Evaluation


@dataclass(frozen=True)
class DistributionOptions(Options):
    """Those of all searches that breed a distribution."""

    sigma: float = option(0.3, "the step size at the start, in deviations of the prior", low=1e-9, high=1e3)
    first: int = option(64, "images of the first generation at least, draws of the prior; none beside a start", low=1)
    offspring: int = option(0, "images per generation after it; 0 is the population", low=0)
    begin: str = option(
        "best",
        "where the mean starts: the best of the first generation, or the weighted mean of its better half",
        choices=("best", "mean"),
    )


DEFAULTS = DistributionOptions()


class DistributionSearch(PopulationSearch):
    """Genes are measured in deviations of the prior about its mean, so `sigma` 1 is as wide as the prior.

    The first generation is the prior. The mean starts at its best latent (`begin` "best") or at the weighted mean of
    the better half ("mean"), which lies between the classes of a generator that has any. A member writes `_sample` (the
    next steps), `_update` (what the ranked steps teach) and `_forget` (what it knows before it was told anything).
    """

    _state: tuple[str, ...] = ("centre", "spread", "mean", "sigma")

    def __init__(
        self, space: Space, population: int, device: torch.device, options: DistributionOptions, name: str
    ) -> None:
        super().__init__(space, population, device, name)
        self.starts_at, self.draws = options.begin, options.first
        self.offspring = options.offspring or self.population  # lambda
        self.centre = sent(space.prior_mean, self.device)  # (D,)
        self.spread = self._deviation()
        self.start_sigma = options.sigma
        weights, self.mu_eff = recombination(self.offspring)
        self.weights = sent(weights, self.device)  # (N,), by rank, best first

    def _forget(self) -> None:
        """All that is learnt as it was at the start. A member extends it, and calls it when it is made."""
        self.mean = torch.zeros(self.space.dim, device=self.device)  # m (D,), in deviations about the centre
        self.sigma = torch.full((1,), self.start_sigma, device=self.device)

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.offspring

    @abstractmethod
    def _sample(self, rng: torch.Generator) -> Tensor:
        """`(N, D)` steps y from the mean, in units of sigma."""

    @abstractmethod
    def _update(self, y: Tensor, weights: Tensor) -> None:
        """Learn from the steps taken `(N, D)`, in units of sigma; `weights` `(N,)` of each, zero for the worse half.

        The mean has not moved yet; all weights are zero when no score was a number.
        """

    def _first(self, rng: torch.Generator) -> Tensor:
        x = super()._first(rng)
        if self.start is None:  # what a start holds is better than draws
            x = torch.cat([x, self._prior(max(0, self.draws - len(x)), rng)])
        return x

    def _ask(self, rng: torch.Generator) -> Tensor:
        return self._genes(self.mean + self.sigma * self._sample(rng))

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        if not self.generation:
            x, score = fittest(*self._cut(x, score), self.offspring)
            self._start_at(x, score)
            return x, score
        u = (x - self.centre) / self.spread  # (N, D), as clipped by the space
        self._update((u - self.mean) / self.sigma, self._weights_of(score))
        return x, score

    def _start_at(self, x: Tensor, score: Tensor) -> None:
        """The mean begins at the best of these latents, or at the weighted mean of the better half."""
        u = (x - self.centre) / self.spread
        self.mean = u[score.argmax()[None]][0] if self.starts_at == "best" else self._weights_of(score) @ u

    def begin(self, x: Tensor, score: Tensor) -> None:
        """Forget all that was learnt and start at the best of these latents, which are no find of one's own."""
        self._forget()
        self._start_at(x, score)
        self.population_x, self.population_score = self.population_x[:0], self.population_score[:0]
        self.best_x, self.best_score = self.best_x[:0], self.best_score[:0]
        self.generation = 1

    def adopt(self, rows: Tensor, x: Tensor, score: Tensor) -> None:
        """The mean moves to the recombination of the survivors, the adopted among them."""
        super().adopt(rows, x, score)
        u = (self.population_x - self.centre) / self.spread
        self._move(DistributionSearch._weights_of(self, self.population_score) @ u - self.mean)

    def _weights_of(self, score: Tensor) -> Tensor:
        """The recombination weight of each sample `(N,)`, by its rank; none for a score that is not finite."""
        rank = score.argsort(descending=True, stable=True).argsort()
        weights = self.weights[rank] * score.isfinite()
        return weights / weights.sum().clamp_min(1e-12)

    def _genes(self, u: Tensor) -> Tensor:
        return self.space.clip(self.centre + self.spread * u)

    def _move(self, step: Tensor) -> None:
        """m + step `(D,)`, kept where the space allows."""
        self.mean = ((self._genes((self.mean + step)[None]) - self.centre) / self.spread)[0]


def recombination(population: int) -> tuple[Tensor, float]:
    """Weights `(N,)` by rank that sum to 1, positive for the better half, and mu_eff. Tutorial, Eqs. (49)-(53)."""
    raw = math.log((population + 1) / 2) - torch.arange(1, population + 1, dtype=torch.float64).log()
    raw = raw.clamp_min(0.0)
    if population == 1:
        raw = torch.ones(1, dtype=torch.float64)
    weights = raw / raw.sum()
    return weights.float(), float(1.0 / weights.square().sum())


def expected_length(dim: int) -> float:
    """E|N(0, I)| in `dim` dimensions, as approximated in the tutorial, appendix A."""
    return math.sqrt(dim) * (1 - 1 / (4 * dim) + 1 / (21 * dim * dim))
