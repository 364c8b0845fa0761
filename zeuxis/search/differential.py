"""Differential evolution: Storn and Price, "Differential evolution - a simple and efficient heuristic for global
optimization over continuous spaces", Journal of Global Optimization 11, 1997, https://doi.org/10.1023/A:1008202821328
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import chance, keep_length, uniform
from zeuxis.search.options import Member, Options, option
from zeuxis.spaces import Space, blocks
from zeuxis.types import Evaluation

STRATEGIES = ("rand/1/bin", "best/1/bin", "rand-to-best/1/bin")
BOUNDS = ("reflect", "clip", "resample")


@dataclass(frozen=True)
class DifferentialOptions(Options):
    """Those of differential evolution."""

    strategy: str = option("best/1/bin", "from where a donor sets out", choices=STRATEGIES)
    F: float = option(0.5, "scale of the difference of two latents", low=0, high=2)
    Cr: float = option(0.7, "chance per gene that the trial takes the donor's", low=0, high=1)
    dither: float = option(0.3, "F is drawn anew for every donor, uniformly within F +- dither", low=0, high=2)
    bounds: str = option(
        "reflect",
        "a donor's gene outside: reflect at the bound, clip to it, or resample between the bound and the base's gene",
        choices=BOUNDS,
    )
    length: str = option(
        "free",
        "keep: a donor is as long as its base, each part of the space about its mean; free: as it comes",
        choices=("free", "keep"),
    )


class DifferentialSearch(PopulationSearch):
    """Each latent of the population is a target; its trial replaces it if it is at least as good. Needs 4 or more."""

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: DifferentialOptions = DifferentialOptions(),
        name: str = "de",
    ) -> None:
        super().__init__(space, population, device, name)
        if self.population < 4:
            raise BadInput(
                f"Differential evolution needs a population of 4 or more (a target and 3 others), got {population}. "
                "Raise the population, or use ga or random, which work from 1."
            )
        self.options = options
        self.mean, self.spread, self.parts = sent(space.prior_mean, self.device), self._deviation(), blocks(space)

    def _ask(self, rng: torch.Generator) -> Tensor:
        target = self.population_x  # x_i (N, D)
        base, donor = self._donor(rng)
        if self.options.length == "keep":
            donor = keep_length(donor, base, mean=self.mean, deviation=self.spread, parts=self.parts)
        donor = self._inside(donor, base, rng)
        return self._trial(target, donor, rng)

    def _donor(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The base vectors and the donors v_i `(N, D)`, Eq. (2)."""
        x, how = self.population_x, self.options
        r1, r2, r3 = (x[r] for r in sent(others(len(x), 3, rng), self.device))
        F = sent(how.F + how.dither * (2.0 * uniform(len(x), 1, rng=rng) - 1.0), self.device)  # (N, 1)
        best = x[self.population_score.argmax()[None]].expand_as(x)
        if how.strategy == "rand/1/bin":
            return r1, r1 + F * (r2 - r3)
        if how.strategy == "best/1/bin":
            return best, best + F * (r2 - r3)
        return x, x + F * (best - x) + F * (r2 - r3)  # rand-to-best, from the target as in Storn's code

    def _inside(self, donor: Tensor, base: Tensor, rng: torch.Generator) -> Tensor:
        """The donor with every gene within its bounds."""
        lower, upper = self.lower, self.upper
        if self.options.bounds == "reflect":
            donor = lower + (donor - lower).abs()
            donor = upper - (upper - donor).abs()
        elif self.options.bounds == "resample":
            bound = donor.clamp(lower, upper)
            u = uniform(*donor.shape, rng=rng, device=self.device)
            outside = (donor - bound).abs().sign()
            donor = torch.lerp(donor, torch.lerp(bound, base, u), outside)
        return donor.clamp(lower, upper)

    def _trial(self, target: Tensor, donor: Tensor, rng: torch.Generator) -> Tensor:
        """u_i `(N, D)`: the donor's gene with chance Cr, and one gene of the donor's in any case, Eq. (4)."""
        rows, dim = target.shape
        crosses = chance(self.options.Cr, uniform(rows, dim, rng=rng))
        crosses[torch.arange(rows), torch.randint(dim, (rows,), generator=rng)] = 1.0
        return torch.lerp(target, donor, sent(crosses, self.device))

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        """Selection, row by row; equals replace too, so that the population can cross a plateau."""
        if not len(self.population_x):
            return self._cut(x, score)
        wins = score >= self.population_score
        return torch.where(wins[:, None], x, self.population_x), torch.where(wins, score, self.population_score)


def others(population: int, count: int, rng: torch.Generator) -> Tensor:
    """Indices `(count, N)`: in column i, `count` different ones, none of them i, each choice equally likely."""
    taken = torch.arange(population)[None]  # (1, N)
    for k in range(1, count + 1):
        r = torch.randint(population - k, (population,), generator=rng)
        for used in taken.sort(dim=0).values:  # the r-th index that is still free
            r += r >= used
        taken = torch.cat([taken, r[None]])
    return taken[1:]


de = Member(DifferentialSearch, DifferentialOptions, "de")  # F from 0.2 to 0.8 for every donor
de_rand = Member(  # the textbook
    DifferentialSearch, DifferentialOptions, "de-rand", strategy="rand/1/bin", F=0.8, Cr=0.9, dither=0.0
)
de_best = Member(  # greedier
    DifferentialSearch, DifferentialOptions, "de-best", strategy="best/1/bin", F=0.8, Cr=0.9, dither=0.0
)
