"""L-SHADE: Tanabe and Fukunaga, "Improving the search performance of SHADE using linear population size reduction",
IEEE CEC 2014, https://doi.org/10.1109/CEC.2014.6900380
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import uniform
from zeuxis.search.options import Member, Options, option
from zeuxis.spaces import Space
from zeuxis.types import Evaluation

SMALLEST = 4  # N_min


@dataclass(frozen=True)
class LShadeOptions(Options):
    """Those of L-SHADE."""

    memory: int = option(6, "entries of the history of F and Cr", low=1, high=1000)
    p: float = option(0.11, "the best share of the parents that trials are drawn towards", low=0, high=1)
    archive: float = option(
        2.6, "replaced parents kept for differences, as a multiple of the population", low=0, high=100
    )
    horizon: int = option(200, "generations over which the parents shrink to 4; 0 keeps all (SHADE)", low=0)


class LShade(PopulationSearch):
    """Differential evolution current-to-pbest/1/bin whose F and Cr follow what has succeeded. Needs 4 or more.

    A generation always asks `population` images: as the parents become fewer, each gets several trials, and the best of
    them stands against it. (The paper's generations shrink with the parents.)
    """

    _state = ("memory_F", "memory_Cr", "slot", "archive", "filled")

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: LShadeOptions = LShadeOptions(),
        name: str = "l-shade",
    ) -> None:
        super().__init__(space, population, device, name)
        if self.population < SMALLEST:
            raise BadInput(f"L-SHADE needs a population of 4 or more, got {population}. Raise it, or use ga or random.")
        self.memory, self.p, self.horizon = options.memory, options.p, options.horizon
        self.archive_size = int(options.archive * self.population)
        self.memory_F = torch.full((self.memory,), 0.5, device=self.device)
        self.memory_Cr = torch.full((self.memory,), 0.5, device=self.device)
        self.slot = torch.zeros((), dtype=torch.int64, device=self.device)  # k
        self.archive = torch.zeros(self.archive_size, space.dim, device=self.device)  # its first `filled` rows count
        self.filled = torch.zeros((), dtype=torch.int64, device=self.device)  # on the device: nothing waits for it
        self._drawn: tuple[Tensor, Tensor, Tensor] | None = None  # F, Cr and the archive's shuffle of the batch asked

    def _ask(self, rng: torch.Generator) -> Tensor:
        x, rows, parents = self.population_x, self.population, len(self.population_x)
        target = torch.arange(rows, device=self.device) % parents
        entry = sent(torch.randint(self.memory, (rows,), generator=rng), self.device)
        normal = sent(torch.randn(rows, generator=rng), self.device)
        Cr = (self.memory_Cr[entry] + 0.1 * normal).clamp(0, 1)  # section II-B
        F = cauchy_above_zero(self.memory_F[entry], 0.1, uniform(rows, rng=rng, device=self.device))  # (N,)
        best = self.population_score.argsort(descending=True, stable=True)[: max(2, round(self.p * parents))]
        towards = best[sent(torch.randint(len(best), (rows,), generator=rng), self.device)]
        r1 = (target + 1 + sent(torch.randint(parents - 1, (rows,), generator=rng), self.device)) % parents
        pool = torch.cat([x, self.archive])
        r2 = (uniform(rows, rng=rng, device=self.device) * (parents + self.filled - 2)).long()
        low, high = torch.minimum(target, r1), torch.maximum(target, r1)
        r2 = r2 + (r2 >= low)
        r2 = r2 + (r2 >= high)  # neither target nor r1
        own = x[target]
        donor = own + F[:, None] * (x[towards] - own + x[r1] - pool[r2])  # Eq. (2)
        donor = torch.where(donor < self.lower, (self.lower + own) / 2, donor)  # Eq. (3) of JADE: half-way back
        donor = torch.where(donor > self.upper, (self.upper + own) / 2, donor)
        crosses = uniform(rows, self.space.dim, rng=rng, device=self.device) < Cr[:, None]
        sure = torch.randint(self.space.dim, (rows, 1), generator=rng)  # one gene of the donor's in any case
        crosses.scatter_(1, sent(sure, self.device), True)
        shuffle = sent(torch.rand(self.archive_size + rows, generator=rng), self.device)
        self._drawn = (F, Cr, shuffle)
        return torch.where(crosses, donor, own)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        if self._drawn is None or not len(self.population_x):
            return self._cut(x, score)
        parents = len(self.population_x)
        trial = self._best_trials(score, parents)  # (P,), one row of the batch per parent
        old, new = self.population_score, score[trial]
        wins = new > old
        self._learn(torch.where(wins, torch.where(old.isfinite(), new - old, 1.0), 0.0), trial)
        self._archive(wins)
        takes = new >= old
        survivors = torch.where(takes[:, None], x[trial], self.population_x)
        values = torch.where(takes, new, old)
        order = values.argsort(descending=True, stable=True)[: self._parents_next()]
        self._drawn = None
        return survivors[order], values[order]

    def _best_trials(self, score: Tensor, parents: int) -> Tensor:
        """For each parent `(P,)` the row of its best trial; trial i belongs to parent i mod P."""
        rounds = math.ceil(len(score) / parents)
        padded = torch.full((rounds * parents,), -torch.inf, device=self.device)
        padded[: len(score)] = score
        return padded.view(rounds, parents).argmax(dim=0) * parents + torch.arange(parents, device=self.device)

    def _archive(self, wins: Tensor) -> None:
        """Parents that lost `(P,)` join the archive; where it is too small, those that leave are drawn at random."""
        assert self._drawn is not None
        old = torch.arange(self.archive_size, device=self.device) < self.filled
        counts = torch.cat([old, wins])
        key = torch.where(counts, self._drawn[2][: len(counts)], torch.inf)
        kept = key.argsort()[: self.archive_size]
        self.archive = torch.cat([self.archive, self.population_x])[kept]
        self.filled = counts.sum().clamp_max(self.archive_size)

    def _learn(self, gain: Tensor, trial: Tensor) -> None:
        """Entry k of the memory becomes the weighted Lehmer mean of what succeeded, Eqs. (7)-(9).

        `gain` `(P,)` is 0 where the parent's best `trial` failed; where all failed the memory stays as it is.
        """
        assert self._drawn is not None
        weight = gain / gain.sum().clamp_min(1e-12)
        here = (torch.arange(self.memory, device=self.device) == self.slot) & (gain.sum() > 0)
        good = torch.stack(self._drawn[:2])[:, trial]  # (2, P)
        mean = (weight * good.square()).sum(dim=1) / (weight * good).sum(dim=1).clamp_min(1e-12)
        self.memory_F = torch.where(here, mean[0], self.memory_F)
        self.memory_Cr = torch.where(here, mean[1], self.memory_Cr)
        self.slot = (self.slot + here.any()) % self.memory

    def _parents_next(self) -> int:
        """Eq. (10), in generations."""
        if not self.horizon:
            return self.population
        done = min(1.0, (self.generation + 1) / self.horizon)
        return round(self.population + (SMALLEST - self.population) * done)


def cauchy_above_zero(location: Tensor, scale: float, u: Tensor) -> Tensor:
    """Cauchy draws given that they are above 0, at most 1: what redrawing F until it is positive comes to."""
    below = 0.5 + torch.atan(-location / scale) / math.pi  # P(F <= 0)
    level = below + (1 - below) * u.clamp(1e-6, 1 - 1e-6)
    return (location + scale * torch.tan(math.pi * (level - 0.5))).clamp(1e-6, 1.0)


l_shade = Member(LShade, LShadeOptions, "l-shade")  # the paper's constants, its parents shrinking over 200 generations
