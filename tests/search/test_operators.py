"""Selection and variation: the distributions that the papers promise, and pymoo's numbers for the same draws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeuxis.rng import stream
from zeuxis.search import operators
from zeuxis.search.differential import others
from zeuxis.search.operators import (
    chance,
    fittest,
    gaussian_mutation,
    polynomial_mutation,
    sbx,
    tournament,
    uniform,
    uniform_crossover,
    uniform_mutation,
)

LOWER, UPPER = torch.full((40,), -1.0), torch.full((40,), 2.0)
ROWS = 2500
KS = 1.95 / (ROWS * 40) ** 0.5  # Kolmogorov's bound at 0.1 % for 100 000 numbers


def rng(*where):
    return stream(3, *where)


def genes(value):
    return torch.full((ROWS, 40), float(value))


def distance(sample, cdf):
    """Greatest distance between the sample's distribution function and the one it should have."""
    sample = sample.flatten().double().sort().values
    steps = torch.arange(len(sample) + 1) / len(sample)
    return max(float((cdf(sample) - steps[:-1]).abs().max()), float((cdf(sample) - steps[1:]).abs().max()))


def test_uniform_numbers_are_uniform_and_below_one():
    u = uniform(ROWS, 40, rng=rng())
    assert u.dtype == torch.float32 and u.min() >= 0 and u.max() < 1
    assert distance(u, lambda x: x) < KS


def test_uniform_numbers_do_not_follow_one_another():
    u = uniform(ROWS * 40, rng=rng())
    for lag in (1, 2, 40):
        assert abs(float(torch.corrcoef(torch.stack([u[:-lag], u[lag:]]))[0, 1])) < 0.015


@pytest.mark.parametrize("prob", [0.0, 0.25, 1.0])
def test_chance_is_one_below_prob_and_zero_from_it_on(prob):
    u = torch.tensor([0.0, 0.2, 0.25, 0.9, 1 - 2**-24])
    assert chance(prob, u).tolist() == (u < prob).float().tolist()


def test_a_tournament_of_all_is_won_by_the_best():
    score = torch.tensor([0.0, 3.0, 1.0, 2.0])
    assert tournament(score, 10, 4, rng()).tolist() == [1] * 10


def test_a_tournament_of_two_prefers_by_rank():
    # of N ranks the one with k below it wins k of its N - 1 pairings, and each enters twice per N winners
    score = torch.arange(6.0)
    wins = torch.bincount(tournament(score, 12_000, 2, rng()), minlength=6) / 12_000
    torch.testing.assert_close(wins, 2 * torch.arange(6) / 30, atol=0.01, rtol=0)


def test_in_a_tournament_a_lost_score_beats_no_other():
    score = torch.tensor([-torch.inf, -torch.inf, -5.0])
    assert tournament(score, 10, 3, rng()).tolist() == [2] * 10


def test_the_fittest_come_best_first_and_of_equals_the_earlier():
    x, score = fittest(torch.arange(5.0)[:, None], torch.tensor([1.0, 4.0, 1.0, 4.0, 0.0]), 3)
    assert x.flatten().tolist() == [1, 3, 0] and score.tolist() == [4, 4, 1]


@pytest.mark.parametrize("eta", [3.0, 15.0])
def test_sbx_keeps_the_parents_mean_far_from_bounds(eta):
    a, b = torch.rand(200, 40, generator=rng("a")), torch.rand(200, 40, generator=rng("b"))
    c, d = sbx(a, b, LOWER - 1e4, UPPER + 1e4, rng(), gene_prob=1.0, eta=eta)
    torch.testing.assert_close(c + d, a + b, atol=1e-5, rtol=1e-5)
    assert not torch.equal(c, a)


@pytest.mark.parametrize("eta", [3.0, 15.0])
def test_sbx_spreads_children_as_its_formula_says(eta):
    c, d = sbx(genes(0.2), genes(0.8), LOWER - 1e4, UPPER + 1e4, rng(), gene_prob=1.0, eta=eta)
    beta = (c - d).abs() / 0.6
    assert distance(beta, lambda x: torch.where(x <= 1, 0.5 * x ** (eta + 1), 1 - 0.5 * x ** -(eta + 1))) < KS


def test_sbx_near_a_bound_cuts_the_spread_there():
    c, d = sbx(genes(-0.9), genes(0.0), LOWER, UPPER, rng(), gene_prob=1.0, eta=3.0)
    low = torch.minimum(c, d)
    assert low.min() >= -1.0 and torch.maximum(c, d).max() > 0.5
    at_most = 1 + 2 * 0.1 / 0.9  # beta at which the lower child reaches the bound
    alpha = 2 - at_most**-4
    beta = (-0.45 - low) / 0.45
    assert distance(beta, lambda x: torch.where(x <= 1, x**4, 2 - x.clamp_min(1) ** -4) / alpha) < KS + 1e-4


@pytest.mark.parametrize(("prob", "gene_prob"), [(1.0, 0.5), (0.3, 1.0), (0.4, 0.2)])
def test_sbx_crosses_the_asked_share_of_genes(prob, gene_prob):
    c, _ = sbx(genes(0.2), genes(0.8), LOWER, UPPER, rng(), prob=prob, gene_prob=gene_prob)
    share = (c != 0.2).float().mean()
    assert float(share) == pytest.approx(prob * gene_prob, abs=0.03)


def test_sbx_gives_either_child_either_side():
    c, d = sbx(genes(0.2), genes(0.8), LOWER, UPPER, rng(), gene_prob=1.0, eta=30.0)
    assert float((c > d).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_equal_parents_have_equal_children():
    a = torch.rand(20, 40, generator=rng("a"))
    c, d = sbx(a, a.clone(), LOWER, UPPER, rng(), gene_prob=1.0)
    assert torch.equal(c, a) and torch.equal(d, a)


def test_uniform_crossover_swaps_genes_and_loses_none():
    c, d = uniform_crossover(genes(0.0), genes(1.0), rng(), gene_prob=0.3)
    assert torch.equal(c + d, genes(1.0)) and set(c.flatten().tolist()) == {0.0, 1.0}
    assert float(c.mean()) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("at", [0.5, -0.7, 1.9])
@pytest.mark.parametrize("eta", [3.0, 20.0])
def test_polynomial_steps_follow_their_formula(at, eta):
    step = (polynomial_mutation(genes(at), LOWER, UPPER, rng(), prob=1.0, eta=eta) - at) / 3.0

    def cdf(room):  # of the length of a step towards a bound that is `room` away
        beyond = (1 - room) ** (eta + 1)
        return lambda x: 1 - ((1 - x) ** (eta + 1) - beyond) / (1 - beyond)

    assert float((step < 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert distance(-step[step < 0], cdf((at + 1) / 3)) < 2 * KS + 1e-3
    assert distance(step[step > 0], cdf((2 - at) / 3)) < 2 * KS + 1e-3


def test_gaussian_steps_have_the_asked_deviation_per_gene():
    sigma = torch.linspace(0.01, 0.1, 40)
    step = gaussian_mutation(genes(0.5), LOWER, UPPER, rng(), prob=1.0, sigma=sigma) - 0.5
    torch.testing.assert_close(step.std(dim=0), sigma, rtol=0.06, atol=0)


def test_uniform_mutation_redraws_between_the_bounds():
    fresh = uniform_mutation(genes(0.5), LOWER, UPPER, rng(), prob=1.0)
    assert distance((fresh + 1) / 3, lambda x: x) < KS


MUTATIONS = {
    "polynomial": lambda x, prob: polynomial_mutation(x, LOWER, UPPER, rng(), prob=prob, eta=3.0),
    "gaussian": lambda x, prob: gaussian_mutation(x, LOWER, UPPER, rng(), prob=prob, sigma=torch.ones(40)),
    "uniform": lambda x, prob: uniform_mutation(x, LOWER, UPPER, rng(), prob=prob),
}


@pytest.mark.parametrize("mutate", MUTATIONS.values(), ids=MUTATIONS)
@pytest.mark.parametrize("prob", [0.0, 0.02, 0.5, 1.0])
def test_the_rate_is_per_gene_and_the_rest_stays_as_it_was(mutate, prob):
    x = torch.rand(ROWS, 40, generator=rng("x"))
    changed = mutate(x, prob) != x
    assert float(changed.float().mean()) == pytest.approx(prob, abs=0.006)
    assert changed.float().mean(dim=0).std() < 0.02  # no gene is favoured


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 100), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_children_stay_within_bounds_and_are_numbers(seed, eta, width, low):
    lower, upper = torch.full((7,), low), torch.full((7,), low + width)
    lower[0] = upper[0]  # a gene with no room
    pick = stream(seed)
    a, b = (lower + (upper - lower) * torch.rand(6, 7, generator=pick) for _ in range(2))
    a[0], b[1], b[2] = lower, upper, a[2]
    for x in (*sbx(a, b, lower, upper, pick, eta=eta), polynomial_mutation(a, lower, upper, pick, prob=1.0, eta=eta)):
        assert bool(x.isfinite().all() and (x >= lower).all() and (x <= upper).all())


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 40), st.integers(0, 10**6))
def test_the_others_differ_from_one_another_and_from_oneself(population, seed):
    picked = torch.cat([torch.arange(population)[None], others(population, 3, stream(seed))])
    assert all(len(set(column.tolist())) == 4 for column in picked.T)
    assert picked.min() >= 0 and picked.max() < population


def test_each_choice_of_others_is_equally_likely():
    away = torch.cat([(others(5, 3, rng(draw)) - torch.arange(5)) % 5 for draw in range(1000)], dim=1)  # 1 to 4
    triples, counts = away.unique(dim=1, return_counts=True)
    assert triples.shape == (3, 4 * 3 * 2)
    torch.testing.assert_close(counts / 5000, torch.full((24,), 1 / 24), atol=0.01, rtol=0)


class Replayed:
    """Stands in for numpy's generator: gives the same numbers to pymoo that our operator had."""

    def __init__(self, *numbers):
        self.numbers = [number.double().numpy() for number in numbers]

    def random(self, size):
        return self.numbers.pop(0).reshape(size)


def parents():
    a, b = (-1 + 3 * torch.rand(50, 40, generator=rng(where)) for where in "ab")
    b[:5] = a[:5] + 1e-3
    return a, b


@pytest.mark.parametrize("eta", [3.0, 20.0])
def test_polynomial_mutation_is_pymoos_for_the_same_draws(monkeypatch, eta):
    pm = pytest.importorskip("pymoo.operators.mutation.pm")
    (x, _), draws = parents(), uniform(2, 50, 40, rng=rng())
    monkeypatch.setattr(operators, "uniform", lambda *shape, rng, device: draws)
    ours = polynomial_mutation(x, LOWER, UPPER, rng(), prob=1.0, eta=eta)
    theirs = pm.mut_pm(
        *(x.double().numpy(), LOWER.double().numpy(), UPPER.double().numpy()),
        *(np.full(50, eta), np.ones(50), False),
        random_state=Replayed(draws[1], draws[0]),
    )
    torch.testing.assert_close(ours, torch.tensor(theirs).float(), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("eta", [3.0, 15.0])
def test_sbx_is_pymoos_for_the_same_draws(monkeypatch, eta):
    crossover = pytest.importorskip("pymoo.operators.crossover.sbx")
    (a, b), draws, mates = parents(), uniform(2, 50, 40, rng=rng()), torch.zeros(50, 1)
    queue = [draws, mates]
    monkeypatch.setattr(operators, "uniform", lambda *shape, rng, device: queue.pop(0))
    ours = torch.stack(sbx(a, b, LOWER, UPPER, rng(), gene_prob=1.0, eta=eta))
    theirs = crossover.cross_sbx(
        *(torch.stack([a, b]).double().numpy(), LOWER.double().numpy(), UPPER.double().numpy()),
        *(np.full((50, 1), eta), np.ones((50, 1)), np.full((50, 1), 0.5)),
        random_state=Replayed(draws[1], draws[0], draws[1]),
    )
    torch.testing.assert_close(ours, torch.tensor(theirs).float(), atol=2e-5, rtol=1e-4)
