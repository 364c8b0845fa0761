"""What searches share that breed a distribution instead of a population: a mean, a step size, samples about the mean.

Hansen, "The CMA evolution strategy: a tutorial" (2016, https://arxiv.org/abs/1604.00772) gives the letters: mean m,
step size sigma, weights w_i of the mu best, variance-effective size mu_eff.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import PopulationSearch, State, choice, integer, number, tensor
from zeuxis.search.operators import fittest
from zeuxis.spaces import Space, room

PRIOR_SAMPLE = 256  # draws that mean and deviation of the prior are measured from


class DistributionSearch(PopulationSearch):
    """Genes are measured in deviations of the prior about its mean, so `sigma` 1 is as wide as the prior.

    The first generation is the prior. The mean starts at its best latent (`begin` "best") or at the weighted mean of
    the better half ("mean"), which lies between the classes of a generator that has any. A member writes `_sample` (the
    next steps) and `_update` (what the ranked steps teach), and names its tensors in `_kept`.
    """

    _kept: tuple[str, ...] = ()  # further state tensors, attributes of the member

    def __init__(
        self,
        space: Space,
        population: int,
        device: torch.device,
        name: str,
        *,
        sigma: float,
        first: int,
        offspring: int,
        begin: str,
        scale: str = "prior",
    ) -> None:
        super().__init__(space, population, device, name)
        within = choice("scale", scale, ("prior", "room")) == "room"
        self.room = sent(room(space) if within else torch.ones(space.dim), self.device)  # (D,), shortens deviations
        self.begin = choice("begin", begin, ("best", "mean"))
        self.draws = integer("first", first, 1)
        self.offspring = integer("offspring", offspring, 0) or self.population  # lambda
        self.centre = torch.zeros(space.dim, device=self.device)  # mean and deviation of the prior (D,), measured
        self.spread = torch.ones(space.dim, device=self.device)  # in the first generation
        self.start_sigma = number("sigma", sigma, 1e-9, 1e3)
        self.mean = torch.zeros(space.dim, device=self.device)  # m (D,), in deviations about the centre
        self.sigma = torch.full((1,), self.start_sigma, device=self.device)
        self.weights, self.mu_eff = recombination(self.offspring)
        self.weights = sent(self.weights, self.device)  # (N,), by rank, best first

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
        prior = self.space.sample(PRIOR_SAMPLE, rng)
        self.centre = sent(prior.mean(dim=0), self.device)
        spread = sent(prior.std(dim=0).clamp_min(1e-6), self.device)
        self.spread = spread * self.room
        return x

    def _children(self, rng: torch.Generator) -> Tensor:
        return self._genes(self.mean + self.sigma * self._sample(rng))

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        if not self.generation:
            x, score = fittest(x, score, self.offspring)
        weights = self._weights_of(score)
        u = (x - self.centre) / self.spread  # (N, D), as clipped by the space
        if self.generation:
            y = (u - self.mean) / self.sigma
            self._update(y, weights)
        else:
            self.mean = u[score.argmax()[None]][0] if self.begin == "best" else weights @ u
        return x, score

    def begin_at(self, x: Tensor, like: DistributionSearch) -> None:
        """A fresh search whose mean is the latent `x` `(D,)`, with the prior as `like` has measured it."""
        self.centre, self.spread = like.centre, like.spread
        self.mean = (x - self.centre) / self.spread
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

    def state_dict(self) -> State:
        """The state as of the last `tell`."""
        kept = {name: getattr(self, name) for name in ("centre", "spread", "mean", "sigma", *self._kept)}
        return super().state_dict() | kept

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        for name in ("centre", "spread", "mean", "sigma", *self._kept):
            setattr(self, name, tensor(state, name, self.device))


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
