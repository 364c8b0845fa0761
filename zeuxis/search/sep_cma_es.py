"""sep-CMA-ES: Ros and Hansen, "A simple modification in CMA-ES achieving linear time and space complexity", PPSN 2008,
https://doi.org/10.1007/978-3-540-87700-4_30 . Letters and constants: Hansen, https://arxiv.org/abs/1604.00772
Mirrored pairs: Auger, Brockhoff and Hansen, "Mirrored sampling in evolution strategies with weighted recombination",
GECCO 2011, https://doi.org/10.1145/2001576.2001694
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU
from zeuxis.search.distribution import DistributionOptions, DistributionSearch, expected_length
from zeuxis.search.options import Member, option
from zeuxis.spaces import Space, room


@dataclass(frozen=True)
class SepCmaEsOptions(DistributionOptions):
    """Those of sep-CMA-ES."""

    rate: float = option(1.0, "factor on the learning rates of the covariance", low=0, high=100)
    mirrored: int = option(
        0,
        "1: steps come in mirrored pairs, of which only the better is learnt from; 0: independent steps",
        low=0,
        high=1,
    )
    scale: str = option(
        "prior",
        "what sigma is measured in: deviations of the prior, or those cut to the room there is",
        choices=("prior", "room"),
    )


class SepCmaEs(DistributionSearch):
    """A normal distribution with a diagonal covariance.

    Mirrored, every step is tried in both directions and only the better of the two is learnt from: pairwise selection,
    without which the step size shrinks too soon. `scale` "room" is for spaces that keep latents near a class, where
    most of a step as wide as all classes would be clipped away.
    """

    _state = ("path_sigma", "path_c", "C")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        options: SepCmaEsOptions = SepCmaEsOptions(),
        name: str = "sep-cma-es",
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.mirrored = options.mirrored
        if options.scale == "room":
            self.spread = self.spread * sent(room(space), self.device)
        n, mu = space.dim, self.mu_eff
        self.c_sigma = (mu + 2) / (n + mu + 5)  # Eq. (55)
        self.damping = 1 + 2 * max(0.0, ((mu - 1) / (n + 1)) ** 0.5 - 1) + self.c_sigma
        self.c_c = (4 + mu / n) / (n + 4 + 2 * mu / n)  # Eq. (56)
        faster = options.rate * (n + 2) / 3  # Ros and Hansen, section 3: fewer numbers to learn
        c_1 = 2 / ((n + 1.3) ** 2 + mu)  # Eq. (57)
        self.c_1 = min(0.5, faster * c_1)
        self.c_mu = min(1 - self.c_1, faster * 2 * (mu - 2 + 1 / mu) / ((n + 2) ** 2 + mu))  # Eq. (58)
        self.length = expected_length(n)
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        n = self.space.dim
        self.path_sigma = torch.zeros(n, device=self.device)
        self.path_c = torch.zeros(n, device=self.device)
        self.C = torch.ones(n, device=self.device)  # variances (D,)

    def _sample(self, rng: torch.Generator) -> Tensor:
        fresh = (self.offspring + 1) // 2 if self.mirrored else self.offspring
        z = sent(torch.randn(fresh, self.space.dim, generator=rng), self.device)
        if self.mirrored:
            z = torch.cat([z, -z[: self.offspring // 2]])
        return z * self.C.sqrt()

    def _weights_of(self, score: Tensor) -> Tensor:
        if self.mirrored and self.generation:
            score = best_of_pairs(score)
        return super()._weights_of(score)

    def _update(self, y: Tensor, weights: Tensor) -> None:
        step = weights @ y  # <y>_w (D,), Eq. (41)
        c, mu = self.c_sigma, self.mu_eff
        self.path_sigma = (1 - c) * self.path_sigma + (c * (2 - c) * mu) ** 0.5 * step / self.C.sqrt()  # Eq. (43)
        length = self.path_sigma.norm() / self.length
        warm = (1 - (1 - c) ** (2 * (self.generation + 1))) ** 0.5
        open_path = (length / warm < 1.4 + 2 / (self.space.dim + 1)).float()  # h_sigma
        self.path_c = (1 - self.c_c) * self.path_c + open_path * (self.c_c * (2 - self.c_c) * mu) ** 0.5 * step
        lost = (1 - open_path) * self.c_1 * self.c_c * (2 - self.c_c)
        learnt = self.c_1 * self.path_c.square() + self.c_mu * (weights @ y.square())  # Eq. (47), its diagonal
        keep = 1 - self.c_1 - self.c_mu * weights.sum() + lost
        self.C = (keep * self.C + learnt).clamp(1e-10, 1e10)
        self._move(self.sigma * step)
        self.sigma = (self.sigma * torch.exp(c / self.damping * (length - 1)).clamp(0.5, 2.0)).clamp(1e-8, 1e3)


def best_of_pairs(score: Tensor) -> Tensor:
    """Scores `(N,)` of steps, then of their mirror images (but for a last odd one): the worse of each pair to -inf."""
    pairs, fresh = len(score) // 2, (len(score) + 1) // 2
    first, second = score[:pairs], score[fresh:]
    won = torch.where(first >= second, first, -torch.inf)
    return torch.cat([won, score[pairs:fresh], torch.where(second > first, second, -torch.inf)])


sep_cma_es = Member(SepCmaEs, SepCmaEsOptions, "sep-cma-es")
