"""OpenES: Salimans, Ho, Chen, Sidor and Sutskever, "Evolution strategies as a scalable alternative to reinforcement
learning" (2017), https://arxiv.org/abs/1703.03864 ; with Adam, Kingma and Ba (2015), https://arxiv.org/abs/1412.6980
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU, Option, build, number
from zeuxis.search.distribution import DistributionSearch
from zeuxis.spaces import Space

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class OpenEs(DistributionSearch):
    """A round distribution of fixed width that climbs the slope which its mirrored samples show.

    sigma       width of the samples, in deviations of the prior
    first       images of the first generation at least, draws of the prior; none beside a `start`
    offspring   images per generation after it; 0 is the population
    begin       where the mean starts: "best" of the first generation, or the weighted "mean" of its better half
    rate        Adam's learning rate, in the same unit
    decay       factor on both after each generation
    """

    _kept = ("first", "second")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        *,
        name: str = "open-es",
        sigma: float = 0.3,
        first: int = 64,
        offspring: int = 0,
        begin: str = "best",
        rate: float = 0.15,
        decay: float = 0.995,
    ) -> None:
        super().__init__(space, population, device, name, sigma=sigma, first=first, offspring=offspring, begin=begin)
        self.rate = number("rate", rate, 0, 100)
        self.decay = number("decay", decay, 0.01, 1)
        self.first = torch.zeros(space.dim, device=self.device)
        self.second = torch.zeros(space.dim, device=self.device)
        self._z = torch.empty(0)

    def _sample(self, rng: torch.Generator) -> Tensor:
        half = sent(torch.randn((self.offspring + 1) // 2, self.space.dim, generator=rng), self.device)
        self._z = torch.cat([half, -half])[: self.offspring]  # mirrored
        return self._z

    def _weights_of(self, score: Tensor) -> Tensor:
        """In the first generation as for all; then centred ranks in [-0.5, 0.5], zero for what is no number."""
        if not self.generation:
            return super()._weights_of(score)
        rank = score.argsort(stable=True).argsort().float()
        return (rank / max(1, len(score) - 1) - 0.5) * score.isfinite()

    def _update(self, y: Tensor, weights: Tensor) -> None:
        told = (weights != 0).any()
        slope = weights @ self._z / (self.offspring * self.sigma)  # Salimans et al., Algorithm 1
        self.first = BETA_1 * self.first + (1 - BETA_1) * slope
        self.second = BETA_2 * self.second + (1 - BETA_2) * slope.square()
        first = self.first / (1 - BETA_1**self.generation)
        second = self.second / (1 - BETA_2**self.generation)
        faded = self.decay ** (self.generation - 1)
        step = self.rate * faded * first / (second.sqrt() + EPSILON)
        self._move(torch.where(told, step, 0.0))
        self.sigma = torch.full_like(self.sigma, self.start_sigma * self.decay**self.generation)


def open_es(space: Space, population: int = 16, device: torch.device = CPU, **options: Option) -> OpenEs:
    """OpenES with Adam."""
    return build(OpenEs, "open-es", space, population, device, options)
