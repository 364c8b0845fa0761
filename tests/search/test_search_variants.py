"""Genetic algorithm and differential evolution in all their makes, and what L-SHADE learns."""

import pytest
import torch
from search_helpers import build, history, sphere, step

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.spaces import ClassMix, Normal


@pytest.mark.parametrize("crossover", ["sbx", "uniform"])
@pytest.mark.parametrize("mutation", ["polynomial", "gaussian", "uniform"])
@pytest.mark.parametrize("replacement", ["plus", "generational"])
def test_every_make_of_ga_climbs_and_keeps_its_best(crossover, mutation, replacement):
    search = build(
        "ga", population=16, mutation_prob=0.1, crossover=crossover, mutation=mutation, replacement=replacement
    )
    bests = [(step(search, g), search.best[1], float(search.population_score.max())) for g in range(30)]
    assert bests[-1][1] > bests[0][1]
    assert all(best == kept for _, best, kept in bests)  # elite 1 or plus: the best is never lost


@pytest.mark.parametrize("strategy", ["rand/1/bin", "best/1/bin", "rand-to-best/1/bin"])
@pytest.mark.parametrize("bounds", ["reflect", "clip", "resample"])
def test_every_make_of_de_climbs_within_its_bounds(strategy, bounds):
    search = build("de", Normal(4, bound=1.0), population=12, strategy=strategy, bounds=bounds)
    latents = history(search, 0, 30)
    assert bool((torch.cat(latents).abs() <= 1.0).all())
    assert search.best[1] > float(sphere(latents[0]).max())


def test_l_shade_learns_from_what_succeeded_although_a_trial_has_no_score():
    search = build("l-shade")
    step(search, 0)
    before = search.memory_F

    def better_but_for_one(x):
        return torch.cat([torch.tensor([torch.nan]), torch.full((len(x) - 1,), 1.0)])

    step(search, 1, score=better_but_for_one)
    assert int(search.slot) == 1 and not torch.equal(search.memory_F, before) and bool(search.memory_F.isfinite().all())


def test_generational_replacement_forgets_all_but_the_elite():
    search = build("ga", population=6, replacement="generational", elite=2)
    parents = step(search, 0)
    children = step(search, 1, score=lambda x: -100 + sphere(x))
    elite = parents[sphere(parents).argsort(descending=True)[:2]]
    assert torch.equal(search.population_x[:2], elite)
    assert all(any(torch.equal(row, child) for child in children) for row in search.population_x[2:])


def test_gaussian_steps_are_measured_by_the_spread_of_the_prior():
    wide = ClassMix(torch.tensor([[-5.0, 0.0], [5.0, 0.0], [0.0, -0.01], [0.0, 0.01]]), tuple("abcd"))
    search = build("ga", wide, population=512, mutation_prob=1.0, mutation_sigma=0.1, crossover_prob=0.0)
    parents = step(search, 0)
    moves = torch.cdist(search.ask(stream(1)).x / search.spread, parents / search.spread).min(dim=1).values
    torch.testing.assert_close(search.spread, torch.tensor([5.0, 0.01]) / 2**0.5, rtol=0.1, atol=0)
    assert moves.max() < 1.0 and moves.median() > 0.02


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("ga", {option: -1}) for option in ("tournament", "mutation_prob", "mutation_sigma", "elite")),
        *(("ga", {option: "magic"}) for option in ("crossover", "mutation", "replacement", "crossover_prob")),
        *(("de", {option: value}) for option, value in (("F", 3), ("Cr", 1.5), ("strategy", "x"), ("bounds", "x"))),
        *(("pymoo:DE", {"F": "import os"}), ("pymoo:CMAES", {"restart_from_best": "1"}), ("ga", {"tournament": 1.5})),
        *(("random", {"population": 0}), ("ga", {"crossover_prob": float("nan")}), ("ga", {"elite": True})),
    ],
)
def test_an_option_that_cannot_work_is_refused(name, options):
    with pytest.raises(BadInput):
        build(name, **options)
