"""Our ga and de against pymoo's with the same operators: the same costs after the same generations, within noise."""

import math
import statistics

import numpy as np
import pytest
import torch

from zeuxis.rng import derive, stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation

pytest.importorskip("pymoo")
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.config import Config
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM

Config.warnings["not_compiled"] = False
SPACE = Normal(10, bound=4.0)
SEEDS, POPULATION = 20, 20
T = 3.883  # two-sided 0.1 % point of Student's t with 19 degrees of freedom


def sphere(x):
    return ((x - 0.7) ** 2).sum(axis=1)


def rastrigin(x):
    y = x - 0.7
    return (y**2 + 10 * (1 - np.cos(2 * math.pi * y))).sum(axis=1)


class Costs(Problem):
    def __init__(self, cost):
        super().__init__(n_var=SPACE.dim, n_obj=1, xl=SPACE.lower.double().numpy(), xu=SPACE.upper.double().numpy())
        self.cost = cost

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = self.cost(x)


def ours(name, cost, generations, seed, **options):
    search = SEARCHES[name](SPACE, population=POPULATION, **options)
    for generation in range(generations):
        batch = search.ask(stream(seed, generation, "ask"))
        search.tell(batch, Evaluation(-torch.tensor(cost(batch.x.double().numpy()))))
    return math.log10(-search.best[1])


def theirs(make, cost, generations, seed):
    algorithm = make(pop_size=POPULATION, sampling=SPACE.sample(POPULATION, stream(seed, 0, "ask")).double().numpy())
    algorithm.setup(Costs(cost), seed=derive(seed, "pymoo") % 2**32, termination=NoTermination())
    for _ in range(generations):
        algorithm.next()
    return math.log10(algorithm.opt.get("F").item())


def pymoo_ga(**settings):
    crossover = SBX(prob=1.0, eta=15, prob_var=0.5)
    mutation = PM(prob=1.0, prob_var=0.2, eta=20)  # `prob` is per latent here, `prob_var` per gene
    return GA(crossover=crossover, mutation=mutation, eliminate_duplicates=False, **settings)


def pymoo_de(**settings):
    return DE(variant="DE/rand/1/bin", F=0.5, CR=0.9, prob_mut=0.0, **settings)  # by default it mutates too


GA_OPTIONS = {"tournament": 2, "crossover": "sbx", "crossover_eta": 15, "mutation": "polynomial", "mutation_eta": 20}
PAIRS = {
    "ga": ({**GA_OPTIONS, "mutation_prob": 0.2}, pymoo_ga, 50),
    "de": ({"strategy": "rand/1/bin", "F": 0.5, "Cr": 0.9, "dither": 0.0, "bounds": "resample"}, pymoo_de, 40),
}


@pytest.fixture(scope="module")
def results():
    """log10 of the best cost of pymoo, per search and cost, one per seed. Run once for the whole file."""
    found = {}

    def of(name, cost):
        _, make, generations = PAIRS[name]
        if (name, cost) not in found:
            found[name, cost] = [theirs(make, cost, generations, seed) for seed in range(SEEDS)]
        return found[name, cost]

    return of


def difference(name, cost, results, **changed):
    """Mean of ours minus theirs over the seeds (both start from the same latents), and its 99.9 % half width."""
    options, _, generations = PAIRS[name]
    own = [ours(name, cost, generations, seed, **{**options, **changed}) for seed in range(SEEDS)]
    pairs = [a - b for a, b in zip(own, results(name, cost), strict=True)]
    return statistics.mean(pairs), T * statistics.stdev(pairs) / math.sqrt(SEEDS)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("cost", [sphere, pytest.param(rastrigin, marks=pytest.mark.long)])
def test_the_costs_are_pymoos_within_noise(name, cost, results):
    mean, noise = difference(name, cost, results)
    assert abs(mean) <= noise


@pytest.mark.parametrize(("name", "changed"), [("ga", {"mutation_eta": 3}), ("de", {"strategy": "best/1/bin"})])
def test_another_setting_is_told_apart(name, changed, results):
    mean, noise = difference(name, sphere, results, **changed)
    assert abs(mean) > noise
