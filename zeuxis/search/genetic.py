"""Genetic algorithm with real genes: Holland, "Adaptation in natural and artificial systems", 1975.

Operators of Deb and Agrawal, "Simulated binary crossover for continuous search space", 1995,
https://www.complex-systems.com/abstracts/v09_i02_a02/ and Deb and Goyal, "A combined genetic adaptive search (GeneAS)
for engineering design", 1996. docs/search.md maps each formula to its function.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import (
    fittest,
    gaussian_mutation,
    polynomial_mutation,
    prior_mutation,
    released,
    sbx,
    slerp_crossover,
    tournament,
    uniform_crossover,
    uniform_mutation,
)
from zeuxis.search.options import Member, Options, option
from zeuxis.spaces import Space, balls, blocks, gaussian
from zeuxis.types import Evaluation

CROSSOVERS = ("sbx", "uniform", "slerp")
MUTATIONS = ("polynomial", "gaussian", "uniform", "prior")


@dataclass(frozen=True)
class VariationOptions(Options):
    """How a genetic algorithm picks parents and makes children of them."""

    tournament: int = option(2, "entrants per tournament; 1 picks parents blindly, more is greedier", low=1)
    crossover: str = option("uniform", "how two parents mix", choices=CROSSOVERS)
    crossover_prob: float = option(1.0, "chance that a pair mates at all", low=0, high=1)
    crossover_gene_prob: float = option(0.5, "chance per gene of a mating pair", low=0, high=1)
    crossover_eta: float = option(
        15.0, "sbx only: larger keeps children nearer to their parents", low=0, only=("crossover", "sbx")
    )
    mutation: str = option(
        "gaussian",
        "how a gene changes; prior: normal genes so that they stay normal, all others like gaussian",
        choices=MUTATIONS,
    )
    mutation_prob: float = option(0.4, "chance per gene; 0 leaves it to mutation_genes", low=0, high=1)
    mutation_genes: float = option(
        8.0,
        "used when mutation_prob is 0: genes per latent on average, at most half of them",
        low=0,
        only=("mutation_prob", 0),
    )
    mutation_eta: float = option(
        20.0,
        "polynomial only: a step is about 1 / (eta + 2) of the range between the bounds",
        low=0,
        only=("mutation", "polynomial"),
    )
    mutation_sigma: float = option(
        0.85, "gaussian only: deviation of a step, in deviations of the prior per gene", low=0
    )
    mutation_strength: float = option(
        0.5,
        "prior only: b of sqrt(1 - b^2) x + b N(0, 1), from 0 (nothing changes) to 1 (drawn anew)",
        low=0,
        high=1,
        only=("mutation", "prior"),
    )


@dataclass(frozen=True)
class GeneticOptions(VariationOptions):
    """Those of a genetic algorithm with one objective."""

    replacement: str = option(
        "plus",
        "plus: the best of parents and children survive; generational: the children and `elite` parents",
        choices=("plus", "generational"),
    )
    elite: int = option(
        1, "generational only: the best so many parents survive", low=0, only=("replacement", "generational")
    )


class GeneticSearch(PopulationSearch):
    """Tournament, crossover, mutation, survival of the fittest. With a population of 1, a (1+1) hill climber."""

    _state = ("spread",)

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: VariationOptions = GeneticOptions(),
        name: str = "ga",
    ) -> None:
        super().__init__(space, population, device, name)
        self.variation = options
        self.mutation_prob = options.mutation_prob or min(0.5, options.mutation_genes / space.dim)
        survival = options if isinstance(options, GeneticOptions) else GeneticOptions()
        self.generational = survival.replacement == "generational"
        self.elite = min(survival.elite, self.population)
        self.spread = self._deviation()  # (D,), the unit of gaussian mutation
        self.mean = sent(space.prior_mean, self.device)
        normal = gaussian(space)  # (D,), 1.0 for genes with a normal prior
        self.all_normal, self.normal = bool(normal.all()), sent(normal, self.device)
        self.parts, self.balls = blocks(space), balls(space)

    def _ask(self, rng: torch.Generator) -> Tensor:
        pairs = (self.population + 1) // 2
        parents = self.population_x[tournament(self._fitness(), 2 * pairs, self.variation.tournament, rng)]
        if self.variation.mutation == "prior":
            parents = released(parents, self.balls, rng)
        children = torch.cat(self._cross(parents[:pairs], parents[pairs:], rng))[: self.population]
        return self._mutate(children, rng)

    def _fitness(self) -> Tensor:
        """What tournaments among the survivors are decided by `(M,)`."""
        return self.population_score

    def _cross(self, a: Tensor, b: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        how = self.variation
        prob, gene_prob = how.crossover_prob, how.crossover_gene_prob
        if how.crossover == "uniform":
            return uniform_crossover(a, b, rng, prob=prob, gene_prob=gene_prob)
        if how.crossover == "slerp":
            return slerp_crossover(a, b, rng, prob=prob, mean=self.mean, deviation=self.spread, parts=self.parts)
        return sbx(a, b, self.lower, self.upper, rng, prob=prob, gene_prob=gene_prob, eta=how.crossover_eta)

    def _mutate(self, x: Tensor, rng: torch.Generator) -> Tensor:
        how, prob, lower, upper = self.variation, self.mutation_prob, self.lower, self.upper
        if how.mutation == "uniform":
            return uniform_mutation(x, lower, upper, rng, prob=prob)
        if how.mutation == "polynomial":
            return polynomial_mutation(x, lower, upper, rng, prob=prob, eta=how.mutation_eta)
        sigma = how.mutation_sigma * self.spread
        if how.mutation == "gaussian":
            return gaussian_mutation(x, lower, upper, rng, prob=prob, sigma=sigma)
        kept = prior_mutation(x, lower, upper, rng, prob=prob, strength=how.mutation_strength)
        if self.all_normal:
            return kept
        return torch.lerp(gaussian_mutation(x, lower, upper, rng, prob=prob, sigma=sigma), kept, self.normal)

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        if not self.generational:  # (mu + lambda)
            everyone = torch.cat([self.population_x, x])
            return fittest(everyone, torch.cat([self.population_score, score]), self.population)
        elite = min(self.elite, len(self.population_x))  # survivors are kept best first
        x, score = fittest(x, score, self.population - elite)
        x, score = torch.cat([self.population_x[:elite], x]), torch.cat([self.population_score[:elite], score])
        return fittest(x, score, self.population)


# Uniform crossover, then a third of a child's genes moved by half the prior's deviation. Milder mutation climbs faster
# and ends with copies of one picture; docs/search.md has the figures.
ga = Member(GeneticSearch, GeneticOptions, "ga")

# The setting of clip-GLaSS (Galatolo, Cimino and Vaglini 2021): SBX and polynomial mutation of half the genes, both
# with eta 3, as pymoo 0.4 understood `prob`. Kept for comparison: a child shares little with its parents.
ga_thesis = Member(
    GeneticSearch,
    GeneticOptions,
    "ga-thesis",
    crossover="sbx",
    crossover_eta=3.0,
    mutation="polynomial",
    mutation_prob=0.5,
    mutation_eta=3.0,
)
