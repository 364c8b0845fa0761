"""sep-CMA-ES: Ros and Hansen, "A simple modification in CMA-ES achieving linear time and space complexity", PPSN 2008,
https://doi.org/10.1007/978-3-540-87700-4_30 . Letters and constants: Hansen, https://arxiv.org/abs/1604.00772
Mirrored pairs: Auger, Brockhoff and Hansen, "Mirrored sampling in evolution strategies with weighted recombination",
GECCO 2011, https://doi.org/10.1145/2001576.2001694
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU, Option, build, integer, number
from zeuxis.search.distribution import DistributionSearch, expected_length
from zeuxis.spaces import Space


class SepCmaEs(DistributionSearch):
    """A normal distribution with a diagonal covariance.

    sigma       the step size at the start, in the unit that `scale` names
    first       images of the first generation at least, draws of the prior; none beside a `start`
    offspring   images per generation after it; 0 is the population
    begin       where the mean starts: "best" of the first generation, or the weighted "mean" of its better half
    rate        factor on the learning rates of the covariance
    scale       what `sigma` is measured in: deviations of the "prior", or those cut to the "room" there is: where a
                space keeps latents near a class, most of a step as wide as all classes would be clipped away
    mirrored    1: every step is tried in both directions, and only the better of the two is learnt from (pairwise
                selection, without which the step size shrinks too soon); 0: independent steps
    """

    _kept = ("path_sigma", "path_c", "C")

    def __init__(
        self,
        space: Space,
        population: int = 16,
        device: torch.device = CPU,
        *,
        name: str = "sep-cma-es",
        sigma: float = 0.3,
        first: int = 64,
        offspring: int = 0,
        begin: str = "best",
        rate: float = 1.0,
        mirrored: int = 0,
        scale: str = "prior",
    ) -> None:
        super().__init__(
            space, population, device, name, sigma=sigma, first=first, offspring=offspring, begin=begin, scale=scale
        )
        self.mirrored = integer("mirrored", mirrored, 0, 1)
        n, mu = space.dim, self.mu_eff
        self.c_sigma = (mu + 2) / (n + mu + 5)  # Eq. (55)
        self.damping = 1 + 2 * max(0.0, ((mu - 1) / (n + 1)) ** 0.5 - 1) + self.c_sigma
        self.c_c = (4 + mu / n) / (n + 4 + 2 * mu / n)  # Eq. (56)
        faster = number("rate", rate, 0, 100) * (n + 2) / 3  # Ros and Hansen, section 3: fewer numbers to learn
        c_1 = 2 / ((n + 1.3) ** 2 + mu)  # Eq. (57)
        self.c_1 = min(0.5, faster * c_1)
        self.c_mu = min(1 - self.c_1, faster * 2 * (mu - 2 + 1 / mu) / ((n + 2) ** 2 + mu))  # Eq. (58)
        self.length = expected_length(n)
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


def sep_cma_es(space: Space, population: int = 16, device: torch.device = CPU, **options: Option) -> SepCmaEs:
    """sep-CMA-ES with the constants of the papers."""
    return build(SepCmaEs, "sep-cma-es", space, population, device, options)
