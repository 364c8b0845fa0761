"""Searches that breed a distribution: where they start, and mirrored pairs."""

import math

import pytest
import torch

from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.search.sep_cma_es import best_of_pairs
from zeuxis.spaces import ClassMix, TruncatedNormal
from zeuxis.types import Evaluation

SPACE = TruncatedNormal(20)
FAMILY = ["sep-cma-es", "cma-es", "lm-ma-es", "open-es", "cma-ga"]


def score(x):
    return -(x - 0.5).square().sum(dim=1)


def search_for(name, generations, seed=0, **options):
    search = SEARCHES[name](SPACE, population=8, **options)
    for generation in range(generations):
        batch = search.ask(stream(seed, generation, "ask"))
        search.tell(batch, Evaluation(score(batch.x)))
    return search


@pytest.mark.parametrize("name", FAMILY)
def test_a_start_is_not_diluted_with_draws_of_the_prior(name):
    search = SEARCHES[name](SPACE, population=8)
    search.start = SPACE.sample(8, stream(1, "start"))
    assert torch.equal(search.ask(stream(0, 0, "ask")).x, search.start)


@pytest.mark.parametrize("offspring", [1, 2, 5, 8])
def test_mirrored_steps_come_in_pairs_about_the_mean(offspring):
    search = search_for("sep-cma-es", 3, mirrored=1, offspring=offspring, sigma=0.05)
    steps = (search.ask(stream(0, 3, "ask")).x - search.centre) / search.spread - search.mean
    pairs, fresh = offspring // 2, (offspring + 1) // 2
    assert len(steps) == offspring and steps.norm(dim=1).min() > 0
    torch.testing.assert_close(steps[:pairs], -steps[fresh:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([3, 1, 2, 4], [3, -math.inf, -math.inf, 4]),
        ([1, 5, 0, 2, 3], [-math.inf, 5, 0, 2, -math.inf]),  # the third is the odd one
        ([1, 1], [1, -math.inf]),
        ([-math.inf, -math.inf], [-math.inf, -math.inf]),
        ([7], [7]),
    ],
)
def test_of_a_pair_only_the_better_is_learnt_from(scores, kept):
    assert best_of_pairs(torch.tensor(scores, dtype=torch.float32)).tolist() == kept


def test_mirrored_pairs_find_the_same_in_fewer_images():
    """Twenty seeds of the sphere: the better in most, and by a clear factor at the median."""
    ends = [
        [-search_for("sep-cma-es", 60, seed, mirrored=mirrored).best[1] for mirrored in (0, 1)] for seed in range(20)
    ]
    ratios = sorted(paired / plain for plain, paired in ends)
    assert sum(ratio < 1 for ratio in ratios) >= 14 and ratios[10] < 0.7


@pytest.mark.parametrize("name", ["sep-cma-es", "cma-es", "lm-ma-es"])
def test_steps_become_short_where_the_space_cuts_them_short(name):
    """The best is at the border: a step outwards, cut to the border, must not count as one that was too short."""
    space = ClassMix(5 * torch.randn(90, 40, generator=stream(2)), tuple(map(str, range(90))), reach=0.3, margin=2.0)
    slope = torch.nn.functional.normalize(torch.randn(40, generator=stream(3)), dim=0)
    search = SEARCHES[name](space, population=12)
    for generation in range(200):
        batch = search.ask(stream(0, generation, "ask"))
        search.tell(batch, Evaluation(batch.x @ slope))
    label = space.places[torch.cdist(search.best[0][None], space.places).argmin()]  # the one it has climbed from
    best = label @ slope + space.furthest
    missing = (best - search.population_score.mean()) / space.furthest
    assert missing < 0.2, f"the last generation misses the best by {missing:.2f} of the way to the border"
