"""Variation that keeps to the prior: what it leaves as it is, and what the older operators make of it."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.search.operators import keep_length, prior_mutation, slerp_crossover
from zeuxis.spaces import Normal, Product, SparseMix, TruncatedNormal, blocks, gaussian
from zeuxis.types import Batch, Evaluation

DIM, ROWS = 16, 1500


def unselected(space, generations: int, **options) -> Tensor:
    """Latents after `generations` of variation in which whoever is born survives."""
    search = SEARCHES["ga"](space, population=ROWS, replacement="generational", elite=0, tournament=1, **options)
    for generation in range(generations):
        batch = search.ask(stream(7, generation, "ask"))
        search.tell(batch, Evaluation(torch.zeros(len(batch.x))))
    return search.population_x


def mean_square(x: Tensor) -> float:
    return float(x.square().mean())


@pytest.mark.parametrize("generations", [20, 1000])
def test_prior_mutation_and_uniform_crossover_leave_a_normal_prior_as_it_is(generations):
    x = unselected(Normal(DIM, bound=8.0), generations, mutation="prior", mutation_prob=0.5)
    deviation = math.sqrt(2 / (ROWS * DIM))  # of the mean square of as many independent normal numbers
    assert abs(mean_square(x) - 1) < 3 * deviation
    assert min(kstest(gene.double().numpy(), "norm").pvalue for gene in x.T) > 0.01 / DIM


@pytest.mark.parametrize("generations", [20, 300])
def test_so_does_it_in_the_space_of_the_pocket_generators(generations):
    """Normal genes cut to a ball: cut again and again they would draw in, to 0.74 from 0.80 after 60 generations."""
    space = Product(Normal(64, bound=3.0, radius=0.9), SparseMix(("a", "b", "c")))
    x, fresh = unselected(space, generations, mutation="prior", mutation_prob=0.5)[:, :64], Normal(64, 3.0, 0.9)
    assert abs(mean_square(x) - mean_square(fresh.sample(20_000, stream(3)))) < 0.01
    lengths = [rows.norm(dim=1).double().numpy() for rows in (x, fresh.sample(ROWS, stream(4)))]
    assert kstest(*lengths).pvalue > 0.001


def test_slerp_keeps_lengths_and_not_the_variety():
    x = unselected(Normal(DIM, bound=8.0), 20, mutation="prior", mutation_strength=0.2, crossover="slerp")
    assert 0.9 < mean_square(x) < 1.02 and float(x.var(0).mean()) < 0.75


def test_added_noise_does_not():
    assert mean_square(unselected(Normal(DIM, bound=50.0), 20, mutation="gaussian")) > 3


def test_prior_mutation_leaves_a_truncated_normal_as_it_is():
    space = TruncatedNormal(DIM, bound=1.5)
    x = unselected(space, 100, mutation="prior", mutation_prob=1.0, crossover_prob=0.0)
    fresh = space.sample(40_000, stream(3)).flatten().double()
    assert float(x.abs().max()) <= 1.5
    assert kstest(x.flatten().double().numpy(), fresh.numpy()).pvalue > 0.01


def test_slerp_keeps_the_length_of_parents_as_long_as_each_other():
    mean, deviation = torch.full((DIM,), 2.0), torch.full((DIM,), 3.0)
    a, b = (mean + deviation * torch.nn.functional.normalize(torch.randn(50, DIM, generator=stream(i))) for i in (1, 2))
    for child in slerp_crossover(a, b, stream(4), mean=mean, deviation=deviation, parts=[slice(0, DIM)]):
        torch.testing.assert_close(((child - mean) / deviation).norm(dim=1), torch.ones(50))


def test_slerp_of_parents_that_are_the_same_or_opposite_is_finite():
    a = torch.randn(5, DIM, generator=stream(1))
    told = {"mean": torch.zeros(DIM), "deviation": torch.ones(DIM), "parts": [slice(0, DIM)]}
    same, _ = slerp_crossover(a, a, stream(2), **told)
    torch.testing.assert_close(same, a)
    assert all(bool(child.isfinite().all()) for child in slerp_crossover(a, -a, stream(2), **told))


def test_each_part_of_a_product_has_a_way_of_its_own():
    told = {"mean": torch.zeros(4), "deviation": torch.ones(4), "parts": [slice(0, 2), slice(2, 4)]}
    a, b = torch.tensor([[1.0, 0.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    child, _ = slerp_crossover(a, b, stream(5), **told)
    angles = [float(torch.atan2(*child[0, part].flip(0))) for part in told["parts"]]
    assert abs(angles[0] - angles[1]) > 0.01 and all(0 <= angle <= math.pi / 2 for angle in angles)


def test_genes_without_a_normal_prior_are_mutated_like_those_of_gaussian_mutation():
    space = Product(Normal(3), SparseMix(("a", "b", "c")))
    assert gaussian(space).tolist() == [1, 1, 1, 0, 0, 0] and blocks(space) == [slice(0, 3), slice(3, 6)]
    x = unselected(space, 5, mutation="prior")
    assert bool((x == space.clip(x)).all())


def test_strength_one_draws_anew_and_zero_changes_nothing():
    x = torch.full((4000, 2), 3.0)
    told = {"lower": torch.full((2,), -9.0), "upper": torch.full((2,), 9.0), "rng": stream(1), "prob": 1.0}
    assert torch.equal(prior_mutation(x, **told, strength=0.0), x)
    assert abs(float(prior_mutation(x, **told, strength=1.0).mean())) < 0.05


def test_differential_evolution_can_keep_the_length_of_its_latents():
    found = {}
    for how in ("free", "keep"):
        space = Normal(64, bound=50.0)
        search = SEARCHES["de"](space, population=64, strategy="rand/1/bin", dither=0.0, F=0.8, length=how)
        for generation in range(30):  # every trial is at least as good as its target
            batch = search.ask(stream(3, generation, "ask"))
            search.tell(batch, Evaluation(torch.full((64,), float(generation))))
        found[how] = mean_square(search.population_x)
    assert 0.8 < found["keep"] < 1.25 < 2 < found["free"]


def test_keep_length_moves_along_the_ray():
    told = {"mean": torch.zeros(2), "deviation": torch.ones(2), "parts": [slice(0, 2)]}
    assert torch.equal(
        keep_length(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 1.0]]), **told), torch.tensor([[0.6, 0.8]])
    )


def test_zero_order_search_climbs_on_the_sphere():
    search = SEARCHES["zero-order"](Normal(32), population=16)
    goal = torch.nn.functional.normalize(torch.randn(32, generator=stream(9)), dim=0)
    scores = []
    for generation in range(60):
        batch: Batch = search.ask(stream(1, generation, "ask"))
        score = torch.nn.functional.cosine_similarity(batch.x, goal[None])
        search.tell(batch, Evaluation(score))
        scores.append(search.best[1])
    length = float(search.best[0].norm())
    assert scores == sorted(scores) and scores[0] < 0.6 < 0.8 < scores[-1]
    assert 4.0 < length < 7.5  # about sqrt(32), where draws of the prior lie


@pytest.mark.parametrize(("name", "turns"), [("adam", {}), ("hybrid", {"evolve": 1, "climb": 1000})])
def test_the_norm_term_brings_gradient_ascent_back_to_the_length_of_a_draw(name, turns):
    """The score is the length itself, so that only the norm term stands against it."""
    lengths = {}
    for norm in (0.0, 10.0):
        search = SEARCHES[name](Normal(64, bound=50.0), population=8, norm=norm, **turns)
        for generation in range(120):
            batch = search.ask(stream(2, generation, "ask"))
            length = batch.x.norm(dim=1)
            search.tell(batch, Evaluation(length, gradient=batch.x / length[:, None]))
        lengths[norm] = float(search.x.norm(dim=1).mean()) / 8  # a draw is sqrt(64) long
    assert abs(lengths[10.0] - 1) < 0.15 < 1.3 < lengths[0.0]
