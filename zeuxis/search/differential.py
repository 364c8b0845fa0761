"""Differential evolution: Storn and Price, "Differential evolution - a simple and efficient heuristic for global
optimization over continuous spaces", Journal of Global Optimization 11, 1997, https://doi.org/10.1023/A:1008202821328
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent
from zeuxis.search.base import CPU, Option, PopulationSearch, build, choice, number
from zeuxis.search.operators import chance, uniform
from zeuxis.spaces import Space

STRATEGIES = ("rand/1/bin", "best/1/bin", "rand-to-best/1/bin")
BOUNDS = ("reflect", "clip", "resample")


class DifferentialSearch(PopulationSearch):
    """Each latent of the population is a target; its trial replaces it if it is at least as good. Needs 4 or more.

    strategy   "rand/1/bin", "best/1/bin" or "rand-to-best/1/bin"
    F          scale of the difference of two latents
    Cr         chance per gene that the trial takes the donor's
    dither     F is drawn anew for every donor, uniformly within F +- dither
    bounds     what becomes of a donor's gene outside: "reflect" at the bound, "clip" to it, or "resample" uniformly
               between the bound and the base vector's gene
    """

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        *,
        name: str = "de",
        strategy: str = "best/1/bin",
        F: float = 0.5,
        Cr: float = 0.7,
        dither: float = 0.3,
        bounds: str = "reflect",
    ) -> None:
        super().__init__(space, population, device, name)
        if self.population < 4:
            raise BadInput(
                f"Differential evolution needs a population of 4 or more (a target and 3 others), got {population}. "
                "Raise the population, or use ga or random, which work from 1."
            )
        self.strategy = choice("strategy", strategy, STRATEGIES)
        self.F = number("F", F, 0, 2)
        self.Cr = number("Cr", Cr, 0, 1)
        self.dither = number("dither", dither, 0, 2)
        self.bounds = choice("bounds", bounds, BOUNDS)

    def _children(self, rng: torch.Generator) -> Tensor:
        target = self.population_x  # x_i (N, D)
        base, donor = self._donor(rng)
        donor = self._inside(donor, base, rng)
        return self._trial(target, donor, rng)

    def _donor(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The base vectors and the donors v_i `(N, D)`, Eq. (2)."""
        x = self.population_x
        r1, r2, r3 = (x[r] for r in sent(others(len(x), 3, rng), self.device))
        F = sent(self.F + self.dither * (2.0 * uniform(len(x), 1, rng=rng) - 1.0), self.device)  # (N, 1)
        best = x[self.population_score.argmax()[None]].expand_as(x)
        if self.strategy == "rand/1/bin":
            return r1, r1 + F * (r2 - r3)
        if self.strategy == "best/1/bin":
            return best, best + F * (r2 - r3)
        return x, x + F * (best - x) + F * (r2 - r3)  # rand-to-best, from the target as in Storn's code

    def _inside(self, donor: Tensor, base: Tensor, rng: torch.Generator) -> Tensor:
        """The donor with every gene within its bounds."""
        lower, upper = self.lower, self.upper
        if self.bounds == "reflect":
            donor = lower + (donor - lower).abs()
            donor = upper - (upper - donor).abs()
        elif self.bounds == "resample":
            bound = donor.clamp(lower, upper)
            u = uniform(*donor.shape, rng=rng, device=self.device)
            outside = (donor - bound).abs().sign()
            donor = torch.lerp(donor, torch.lerp(bound, base, u), outside)
        return donor.clamp(lower, upper)

    def _trial(self, target: Tensor, donor: Tensor, rng: torch.Generator) -> Tensor:
        """u_i `(N, D)`: the donor's gene with chance Cr, and one gene of the donor's in any case, Eq. (4)."""
        rows, dim = target.shape
        crosses = chance(self.Cr, uniform(rows, dim, rng=rng))
        crosses[torch.arange(rows), torch.randint(dim, (rows,), generator=rng)] = 1.0
        return torch.lerp(target, donor, sent(crosses, self.device))

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """Selection, row by row; equals replace too, so that the population can cross a plateau."""
        if not len(self.population_x):
            return x, score
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


def de(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> DifferentialSearch:
    """DE/best/1/bin with F drawn from 0.2 to 0.8 for every donor, Cr 0.7."""
    return build(DifferentialSearch, "de", space, population, device, options)


def de_rand(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> DifferentialSearch:
    """DE/rand/1/bin with F 0.8, Cr 0.9: the textbook."""
    preset: dict[str, Option] = {"strategy": "rand/1/bin", "F": 0.8, "Cr": 0.9, "dither": 0.0}
    return build(DifferentialSearch, "de-rand", space, population, device, preset | options)


def de_best(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> DifferentialSearch:
    """DE/best/1/bin with F 0.8, Cr 0.9: greedier."""
    preset: dict[str, Option] = {"strategy": "best/1/bin", "F": 0.8, "Cr": 0.9, "dither": 0.0}
    return build(DifferentialSearch, "de-best", space, population, device, preset | options)
