"""Our CMA-ES and sep-CMA-ES against the package `cma`, NSGA-II against pymoo's: the same results, within noise.

Both sides begin with the same latents (the strategies: with the same mean and step size), spend the same evaluations
and use the same operators and rates; only the random numbers differ. Beside that, the whole CMA family is held to the
standard functions.
"""

import math
import statistics

import numpy as np
import pytest
import torch

from zeuxis.rng import derive, stream
from zeuxis.search import SEARCHES
from zeuxis.search.pareto import front_of
from zeuxis.spaces import Normal, TruncatedNormal
from zeuxis.types import Evaluation

SEEDS = 10
T = 4.781  # two-sided 0.1 % point of Student's t with 9 degrees of freedom
DIM, POPULATION = 10, 12
SPACE = Normal(DIM, bound=100.0)  # no bound is ever met
AWAY = 0.7  # of the optimum from the mean of the prior
TURN = np.linalg.qr(np.random.default_rng(5).standard_normal((DIM, DIM)))[0]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def sphere(x):
    return np.square(x - AWAY).sum(axis=1)


def ellipsoid(x):
    return (1e4 ** np.linspace(0, 1, DIM) * np.square(x - AWAY)).sum(axis=1)


def rotated(x):
    return ellipsoid((x - AWAY) @ TURN.T + AWAY)


def rastrigin(x):
    y = x - AWAY
    return (y**2 + 10 * (1 - np.cos(2 * math.pi * y))).sum(axis=1)


GENERATIONS = {sphere: 45, ellipsoid: 70, rotated: 70, rastrigin: 60}


def noise_of(pairs):
    """Mean of a list of differences, and its 99.9 % half width."""
    return statistics.mean(pairs), T * statistics.stdev(pairs) / math.sqrt(len(pairs))


# CMA-ES


def ours(name, cost, seed, population=POPULATION, generations=None, **options):
    """The search after its generations."""
    search = SEARCHES[name](SPACE, population=population, **options)
    for generation in range(1 + (generations or GENERATIONS[cost])):  # the first is the prior
        batch = search.ask(stream(seed, generation, "ask"))
        search.tell(batch, Evaluation(-torch.tensor(cost(batch.x.double().numpy()))))
    return search


def theirs(name, cost, seed):
    """log10 of the best cost that `cma` finds from where our own search stands after the prior."""
    cma = pytest.importorskip("cma", reason="the oracle of CMA-ES needs `pip install 'zeuxis[test]'`")
    start = SEARCHES[name](SPACE, population=POPULATION)
    batch = start.ask(stream(seed, 0, "ask"))
    start.tell(batch, Evaluation(-torch.tensor(cost(batch.x.double().numpy()))))
    centre, spread, mean = (t.double().numpy() for t in (start.centre, start.spread, start.mean))
    draws = np.random.default_rng(derive(seed, "cma"))
    options = {
        "popsize": POPULATION,
        "seed": math.nan,  # any other seeds numpy's global generator
        "randn": lambda *shape: draws.standard_normal(shape),
        "CMA_active": False,  # no negative weights, as in ours
        "verbose": -9,
    }
    if name == "sep-cma-es":
        options["CMA_sampler"] = separable(cma)(DIM, randn=options["randn"])
    strategy = cma.CMAEvolutionStrategy(mean, start.start_sigma, options)
    best = -start.best[1]
    for _ in range(GENERATIONS[cost]):
        u = strategy.ask()
        costs = cost(centre + spread * np.array(u))
        strategy.tell(u, costs.tolist())
        best = min(best, costs.min())
    return math.log10(best)


def separable(cma):
    """The diagonal sampler of `cma` at the rates of Ros and Hansen (2008). Its own option CMA_diagonal is another
    algorithm by now: it multiplies deviations by exponentials (diagonal decoding).
    """

    class Separable(cma.sampler.GaussDiagonalSampler):
        def parameters(self, mueff=None, lam=None):
            return {name: rate * (DIM + 2) / 3 for name, rate in super().parameters(mueff, lam).items()}

    return Separable


@pytest.fixture(scope="module")
def oracle():
    """What `cma` finds, one number per seed. Run once for the whole file."""
    found = {}

    def of(name, cost):
        if (name, cost) not in found:
            found[name, cost] = [theirs(name, cost, seed) for seed in range(SEEDS)]
        return found[name, cost]

    return of


def against_cma(name, cost, other, oracle, **options):
    own = [math.log10(-ours(name, cost, seed, **options).best[1]) for seed in range(SEEDS)]
    return noise_of([a - b for a, b in zip(own, oracle(other, cost), strict=True)])


@pytest.mark.parametrize("cost", GENERATIONS, ids=lambda cost: cost.__name__)
@pytest.mark.parametrize("name", ["cma-es", "sep-cma-es"])
def test_the_costs_are_those_of_cma_within_noise(name, cost, oracle):
    mean, noise = against_cma(name, cost, name, oracle)
    assert abs(mean) <= noise


@pytest.mark.parametrize(
    ("name", "other", "options"), [("sep-cma-es", "cma-es", {}), ("sep-cma-es", "sep-cma-es", {"rate": 0.25})]
)
def test_another_strategy_is_told_apart(name, other, options, oracle):
    mean, noise = against_cma(name, ellipsoid, other, oracle, **options)
    assert abs(mean) > noise


def test_the_global_random_state_of_numpy_is_left_alone(oracle):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    theirs("cma-es", sphere, 0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


# What each member of the family must reach: log10 of the cost, median of 5 seeds, population 16.
REACHED = {
    "sep-cma-es": {sphere: -6.0, ellipsoid: -3.0, rotated: 1.7, rastrigin: 1.3},
    "cma-es": {sphere: -5.0, ellipsoid: 0.9, rotated: 0.9, rastrigin: 1.3},
    "lm-ma-es": {sphere: -6.0, ellipsoid: 1.3, rotated: 1.2, rastrigin: 1.4},
    "open-es": {sphere: -0.4, ellipsoid: 2.3, rotated: 2.3, rastrigin: 1.8},
    "l-shade": {sphere: -3.0, ellipsoid: -0.5, rotated: 1.3, rastrigin: 1.2},
}


@pytest.mark.parametrize("cost", GENERATIONS, ids=lambda cost: cost.__name__)
@pytest.mark.parametrize("name", REACHED)
def test_the_family_solves_the_standard_functions(name, cost):
    reached = [math.log10(-ours(name, cost, seed, population=16, generations=100).best[1]) for seed in range(5)]
    assert statistics.median(reached) <= REACHED[name][cost]


# NSGA-II

BOX = TruncatedNormal(12, bound=1.0)  # nearly even draws; the problems want [0, 1]
REFERENCE = (1.1, 6.0)  # costs that count as worthless


def zdt(number):
    """Zitzler, Deb and Thiele 2000: costs `(N, 2)` of x in [0, 1]^D."""

    def costs(x):
        first, g = x[:, 0], 1 + 9 * x[:, 1:].mean(axis=1)
        share = first / g
        shape = {1: 1 - np.sqrt(share), 2: 1 - share**2, 3: 1 - np.sqrt(share) - share * np.sin(10 * np.pi * first)}
        return np.stack([first, g * shape[number]], axis=1)

    return costs


def hypervolume(costs):
    """The area between costs `(N, 2)` and the reference: what a front dominates."""
    area, level = 0.0, REFERENCE[1]
    for first, second in sorted(map(tuple, costs)):
        if first < REFERENCE[0] and second < level:
            area, level = area + (REFERENCE[0] - first) * (level - second), second
    return area


FRONT_POPULATION, FRONT_GENERATIONS = 40, 60
VARIATION = {"crossover": "sbx", "crossover_prob": 0.9, "crossover_eta": 15, "mutation": "polynomial"}
VARIATION |= {"mutation_prob": 1 / BOX.dim, "mutation_eta": 20}


def our_front(costs, seed, **options):
    search = SEARCHES["nsga2"](BOX, population=FRONT_POPULATION, **options)
    for generation in range(FRONT_GENERATIONS):
        batch = search.ask(stream(seed, generation, "ask"))
        first, second = torch.tensor(-costs((batch.x.double().numpy() + 1) / 2)).T
        search.tell(batch, Evaluation(first + second, {"first": first, "second": second}))
    assert torch.equal(search.front, front_of(search.population_objectives))
    return hypervolume(-search.population_objectives.double().numpy())


def their_front(costs, seed):
    reason = "the oracle of NSGA-II needs `pip install 'zeuxis[pymoo]'`"
    nsga2 = pytest.importorskip("pymoo.algorithms.moo.nsga2", reason=reason)
    from pymoo.config import Config
    from pymoo.core.problem import Problem
    from pymoo.core.termination import NoTermination
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM

    Config.warnings["not_compiled"] = False

    class Zdt(Problem):
        def _evaluate(self, x, out, *args, **keywords):
            out["F"] = costs((x + 1) / 2)

    algorithm = nsga2.NSGA2(
        pop_size=FRONT_POPULATION,
        sampling=BOX.sample(FRONT_POPULATION, stream(seed, 0, "ask")).double().numpy(),
        crossover=SBX(prob=0.9, eta=15, prob_var=0.5),
        mutation=PM(prob=1.0, prob_var=1 / BOX.dim, eta=20),
        eliminate_duplicates=False,
    )
    box = Zdt(n_var=BOX.dim, n_obj=2, xl=BOX.lower.double().numpy(), xu=BOX.upper.double().numpy())
    algorithm.setup(box, seed=derive(seed, "pymoo") % 2**32, termination=NoTermination())
    for _ in range(FRONT_GENERATIONS):
        algorithm.next()
    return hypervolume(algorithm.pop.get("F"))


@pytest.fixture(scope="module")
def their_fronts():
    """pymoo's hypervolumes per problem, one per seed. Run once for the whole file."""
    found = {}

    def of(number):
        if number not in found:
            found[number] = [their_front(zdt(number), seed) for seed in range(SEEDS)]
        return found[number]

    return of


@pytest.mark.parametrize("number", [1, *(pytest.param(number, marks=pytest.mark.long) for number in (2, 3))])
def test_the_hypervolume_is_pymoos_within_noise(number, their_fronts):
    own = [our_front(zdt(number), seed, **VARIATION) for seed in range(SEEDS)]
    mean, noise = noise_of([a - b for a, b in zip(own, their_fronts(number), strict=True)])
    assert abs(mean) <= noise


def test_another_mutation_is_told_apart(their_fronts):
    own = [our_front(zdt(1), seed, **VARIATION | {"mutation_prob": 1.0, "mutation_eta": 3}) for seed in range(SEEDS)]
    mean, noise = noise_of([a - b for a, b in zip(own, their_fronts(1), strict=True)])
    assert abs(mean) > noise
