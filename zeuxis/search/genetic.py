"""Genetic algorithm with real genes: Holland, "Adaptation in natural and artificial systems", 1975.

Operators of Deb and Agrawal, "Simulated binary crossover for continuous search space", 1995,
https://www.complex-systems.com/abstracts/v09_i02_a02/ and Deb and Goyal, "A combined genetic adaptive search (GeneAS)
for engineering design", 1996. docs/search.md maps each formula to its function.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.rng import sent
from zeuxis.search.base import CPU, Option, PopulationSearch, State, build, choice, integer, number, tensor
from zeuxis.search.operators import (
    fittest,
    gaussian_mutation,
    polynomial_mutation,
    sbx,
    tournament,
    uniform_crossover,
    uniform_mutation,
)
from zeuxis.spaces import Space

SPREAD_SAMPLE = 256  # prior draws that the spread per gene is taken from: its error is 1 / sqrt(2 * 256) = 4 %


class GeneticSearch(PopulationSearch):
    """Tournament, crossover, mutation, survival of the fittest. With a population of 1, a (1+1) hill climber.

    tournament            entrants per tournament; 1 picks parents blindly, more is greedier
    crossover             "sbx" or "uniform"
    crossover_prob        chance that a pair mates at all
    crossover_gene_prob   chance per gene of a mating pair
    crossover_eta         sbx only: larger keeps children nearer to their parents
    mutation              "polynomial", "gaussian" or "uniform"
    mutation_prob         chance per gene; 0 leaves it to `mutation_genes`
    mutation_genes        used when `mutation_prob` is 0: genes per latent on average, at most half of them
    mutation_eta          polynomial only: a step is about 1 / (eta + 2) of the range between the bounds
    mutation_sigma        gaussian only: deviation of a step, in deviations of the prior per gene
    replacement           "plus": the best of parents and children; "generational": children and `elite` parents
    elite                 generational only: the best so many parents survive
    """

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        *,
        name: str = "ga",
        tournament: int = 2,
        crossover: str = "uniform",
        crossover_prob: float = 1.0,
        crossover_gene_prob: float = 0.5,
        crossover_eta: float = 15.0,
        mutation: str = "gaussian",
        mutation_prob: float = 0.4,
        mutation_genes: float = 8.0,
        mutation_eta: float = 20.0,
        mutation_sigma: float = 0.85,
        replacement: str = "plus",
        elite: int = 1,
    ) -> None:
        super().__init__(space, population, device, name)
        self.tournament = integer("tournament", tournament, 1)
        self.crossover = choice("crossover", crossover, ("sbx", "uniform"))
        self.crossover_prob = number("crossover_prob", crossover_prob, 0, 1)
        self.crossover_gene_prob = number("crossover_gene_prob", crossover_gene_prob, 0, 1)
        self.crossover_eta = number("crossover_eta", crossover_eta, 0)
        self.mutation = choice("mutation", mutation, ("polynomial", "gaussian", "uniform"))
        genes = number("mutation_genes", mutation_genes, 0)
        self.mutation_prob = number("mutation_prob", mutation_prob, 0, 1) or min(0.5, genes / space.dim)
        self.mutation_eta = number("mutation_eta", mutation_eta, 0)
        self.mutation_sigma = number("mutation_sigma", mutation_sigma, 0)
        self.replacement = choice("replacement", replacement, ("plus", "generational"))
        self.elite = min(integer("elite", elite, 0), self.population)
        self.spread = torch.ones(space.dim, device=self.device)  # (D,) deviation of the prior, measured in _first

    def _first(self, rng: torch.Generator) -> Tensor:
        x = super()._first(rng)
        self.spread = sent(self.space.sample(SPREAD_SAMPLE, rng).std(dim=0), self.device)
        return x

    def _children(self, rng: torch.Generator) -> Tensor:
        pairs = (self.population + 1) // 2
        parents = self.population_x[tournament(self._fitness(), 2 * pairs, self.tournament, rng)]
        children = torch.cat(self._cross(parents[:pairs], parents[pairs:], rng))[: self.population]
        return self._mutate(children, rng)

    def _fitness(self) -> Tensor:
        """What tournaments among the survivors are decided by `(M,)`."""
        return self.population_score

    def _cross(self, a: Tensor, b: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        prob, gene_prob = self.crossover_prob, self.crossover_gene_prob
        if self.crossover == "uniform":
            return uniform_crossover(a, b, rng, prob=prob, gene_prob=gene_prob)
        return sbx(a, b, self.lower, self.upper, rng, prob=prob, gene_prob=gene_prob, eta=self.crossover_eta)

    def _mutate(self, x: Tensor, rng: torch.Generator) -> Tensor:
        prob, lower, upper = self.mutation_prob, self.lower, self.upper
        if self.mutation == "uniform":
            return uniform_mutation(x, lower, upper, rng, prob=prob)
        if self.mutation == "polynomial":
            return polynomial_mutation(x, lower, upper, rng, prob=prob, eta=self.mutation_eta)
        return gaussian_mutation(x, lower, upper, rng, prob=prob, sigma=self.mutation_sigma * self.spread)

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        if self.replacement == "plus":  # (mu + lambda)
            everyone = torch.cat([self.population_x, x])
            return fittest(everyone, torch.cat([self.population_score, score]), self.population)
        elite = min(self.elite, len(self.population_x))  # survivors are kept best first
        x, score = fittest(x, score, self.population - elite)
        x, score = torch.cat([self.population_x[:elite], x]), torch.cat([self.population_score[:elite], score])
        return fittest(x, score, self.population)

    def state_dict(self) -> State:
        """The state as of the last `tell`, and the spread that mutation is scaled by."""
        return super().state_dict() | {"spread": self.spread}

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        self.spread = tensor(state, "spread", self.device)


# The setting of clip-GLaSS (Galatolo, Cimino and Vaglini 2021): SBX and polynomial mutation of half the genes, both
# with eta 3, as pymoo 0.4 understood `prob`. Kept for comparison: a child shares little with its parents.
THESIS: dict[str, Option] = {
    "tournament": 2,
    "crossover": "sbx",
    "crossover_prob": 1.0,
    "crossover_eta": 3.0,
    "mutation": "polynomial",
    "mutation_prob": 0.5,
    "mutation_eta": 3.0,
    "replacement": "plus",
}


def ga(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> GeneticSearch:
    """Uniform crossover, then a third of a child's genes moved by half the prior's deviation.

    Milder mutation climbs faster and ends with copies of one picture; docs/search.md has the figures.
    """
    return build(GeneticSearch, "ga", space, population, device, options)


def ga_thesis(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> GeneticSearch:
    """The preset `THESIS`; options given replace its own."""
    return build(GeneticSearch, "ga-thesis", space, population, device, THESIS | options)
