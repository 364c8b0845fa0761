"""OpenES: Salimans, Ho, Chen, Sidor and Sutskever, "Evolution strategies as a scalable alternative to reinforcement
learning" (2017), https://arxiv.org/abs/1703.03864 ; with Adam, Kingma and Ba (2015), https://arxiv.org/abs/1412.6980
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU
from zeuxis.search.distribution import DistributionOptions, DistributionSearch
from zeuxis.search.options import Member, option
from zeuxis.spaces import Space

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class OpenEsOptions(DistributionOptions):
    """Those of OpenES; `sigma` is the width of its samples."""

    rate: float = option(0.15, "Adam's learning rate, in deviations of the prior", low=0, high=100)
    decay: float = option(0.995, "factor on sigma and rate after each generation", low=0.01, high=1)


class OpenEs(DistributionSearch):
    """A round distribution of fixed width that climbs the slope which its mirrored samples show."""

    _state = ("first", "second")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        options: OpenEsOptions = OpenEsOptions(),
        name: str = "open-es",
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.rate, self.decay = options.rate, options.decay
        self._z = torch.empty(0)  # of the generation that is asked
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self.first = torch.zeros(self.space.dim, device=self.device)  # Adam's moments (D,)
        self.second = torch.zeros(self.space.dim, device=self.device)

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


open_es = Member(OpenEs, OpenEsOptions, "open-es")
