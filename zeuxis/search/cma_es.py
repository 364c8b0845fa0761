"""CMA-ES: Hansen, "The CMA evolution strategy: a tutorial" (2016), https://arxiv.org/abs/1604.00772"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU
from zeuxis.search.distribution import DEFAULTS, DistributionOptions, DistributionSearch, expected_length
from zeuxis.search.options import Member
from zeuxis.spaces import Space


class CmaEs(DistributionSearch):
    """A normal distribution with a full covariance: D^2 numbers, and an eigendecomposition every few generations."""

    _state = ("path_sigma", "path_c", "C", "B", "scale")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        options: DistributionOptions = DEFAULTS,
        name: str = "cma-es",
    ) -> None:
        super().__init__(space, population, device, options, name)
        n, mu = space.dim, self.mu_eff
        self.c_sigma = (mu + 2) / (n + mu + 5)  # Eq. (55)
        self.damping = 1 + 2 * max(0.0, ((mu - 1) / (n + 1)) ** 0.5 - 1) + self.c_sigma
        self.c_c = (4 + mu / n) / (n + 4 + 2 * mu / n)  # Eq. (56)
        self.c_1 = 2 / ((n + 1.3) ** 2 + mu)  # Eq. (57)
        self.c_mu = min(1 - self.c_1, 2 * (mu - 2 + 1 / mu) / ((n + 2) ** 2 + mu))  # Eq. (58)
        # Appendix B.2 decomposes every 1 / (10 n (c_1 + c_mu)) generations; no more often than every n / 32nd.
        self.gap = max(1, math.floor(1 / (10 * n * (self.c_1 + self.c_mu))), n // 32)
        self.length = expected_length(n)
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        n = self.space.dim
        self.path_sigma = torch.zeros(n, device=self.device)
        self.path_c = torch.zeros(n, device=self.device)
        self.C = torch.eye(n, device=self.device)
        self.B = torch.eye(n, device=self.device)  # eigenvectors of C, columns
        self.scale = torch.ones(n, device=self.device)  # square roots of its eigenvalues

    def _sample(self, rng: torch.Generator) -> Tensor:
        z = sent(torch.randn(self.offspring, self.space.dim, generator=rng), self.device)
        return (z * self.scale) @ self.B.T  # y = B D z, Eq. (39)

    def _update(self, y: Tensor, weights: Tensor) -> None:
        step = weights @ y  # <y>_w (D,), Eq. (41)
        c, mu = self.c_sigma, self.mu_eff
        white = self.B @ ((self.B.T @ step) / self.scale)  # C^-1/2 <y>_w
        self.path_sigma = (1 - c) * self.path_sigma + (c * (2 - c) * mu) ** 0.5 * white  # Eq. (43)
        length = self.path_sigma.norm() / self.length
        warm = (1 - (1 - c) ** (2 * (self.generation + 1))) ** 0.5
        open_path = (length / warm < 1.4 + 2 / (self.space.dim + 1)).float()  # h_sigma
        self.path_c = (1 - self.c_c) * self.path_c + open_path * (self.c_c * (2 - self.c_c) * mu) ** 0.5 * step
        lost = (1 - open_path) * self.c_1 * self.c_c * (2 - self.c_c)
        keep = 1 - self.c_1 - self.c_mu * weights.sum() + lost
        learnt = (y * weights[:, None]).T @ y  # rank mu
        self.C = keep * self.C + self.c_1 * torch.outer(self.path_c, self.path_c) + self.c_mu * learnt  # Eq. (47)
        self._move(self.sigma * step)
        self.sigma = (self.sigma * torch.exp(c / self.damping * (length - 1)).clamp(0.5, 2.0)).clamp(1e-8, 1e3)
        if self.generation % self.gap == 0:
            self._decompose()

    def _decompose(self) -> None:
        self.C = (self.C + self.C.T) / 2
        values, basis = torch.linalg.eigh(self.C)
        self.B = basis.contiguous()  # it comes by columns; a state comes back by rows, and products round by order
        self.scale = values.clamp(1e-10, 1e10).sqrt()


cma_es = Member(CmaEs, DistributionOptions, "cma-es")
