"""LM-MA-ES: Loshchilov, Glasmachers and Beyer, "Large scale black-box optimization by limited-memory matrix
adaptation", IEEE Transactions on Evolutionary Computation 23 (2019), https://arxiv.org/abs/1705.06693
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU
from zeuxis.search.distribution import DEFAULTS, DistributionOptions, DistributionSearch
from zeuxis.search.options import Member
from zeuxis.spaces import Space


class LmMaEs(DistributionSearch):
    """A normal distribution whose covariance is remembered as a few directions, old and new: O(D log D) numbers."""

    _state = ("path", "M")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        options: DistributionOptions = DEFAULTS,
        name: str = "lm-ma-es",
    ) -> None:
        super().__init__(space, population, device, options, name)
        n = space.dim
        self.count = 4 + math.floor(3 * math.log(n)) if n > 1 else 1  # m directions, Algorithm 1, line 2
        i = torch.arange(self.count, device=self.device, dtype=torch.float32)
        self.c_d = 1 / (1.5**i * n)  # Algorithm 1, line 3
        self.c_c = (self.offspring / (4.0**i * n)).clamp_max(0.99)
        self.c_sigma = min(0.99, 2 * self.offspring / n)
        self._z = self._d = torch.empty(0)  # of the generation that is asked, before and after the directions
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self.path = torch.zeros(self.space.dim, device=self.device)
        self.M = torch.zeros(self.count, self.space.dim, device=self.device)  # rows m_i

    def _sample(self, rng: torch.Generator) -> Tensor:
        self._z = sent(torch.randn(self.offspring, self.space.dim, generator=rng), self.device)
        d = self._z
        for row, c in zip(self.M[: self.generation - 1], self.c_d, strict=False):  # one more direction a generation
            d = (1 - c) * d + c * torch.outer(d @ row, row)
        self._d = d
        return d

    def _update(self, y: Tensor, weights: Tensor) -> None:
        # A step that the space cut short is learnt from as cut: else no step is too long, and sigma never falls.
        cut = (y.norm(dim=1) / self._d.norm(dim=1).clamp_min(1e-12)).clamp_max(1.0)
        z = (weights * cut) @ self._z  # (D,)
        c, told = self.c_sigma, weights.sum()
        self.path = (1 - c) * self.path + (self.mu_eff * c * (2 - c)) ** 0.5 * z
        self.M = (1 - self.c_c)[:, None] * self.M + (self.mu_eff * self.c_c * (2 - self.c_c)).sqrt()[:, None] * z
        self._move(self.sigma * (weights @ y))
        change = torch.exp(c / 2 * (self.path.square().sum() / self.space.dim - 1)).clamp(0.5, 2.0)
        self.sigma = (self.sigma * torch.where(told > 0, change, 1.0)).clamp(1e-8, 1e3)


lm_ma_es = Member(LmMaEs, DistributionOptions, "lm-ma-es")
