"""What is learnt of picks: the right direction, little of wrong clicks, words only where something is clear."""

import pytest
import torch

from zeuxis.rng import stream
from zeuxis.studio.taste import in_words, learn, standard


def picks(count, target, wrong=0.0, seed=1):
    rng = stream(seed, "picks")
    features = torch.randn(count * 8, len(target), generator=rng)
    choices = []
    for k in range(count):
        rows = list(range(8 * k, 8 * k + 8))
        best = max(rows, key=lambda row: float(features[row] @ target))
        if float(torch.rand((), generator=rng)) < wrong:
            best = rows[int(torch.randint(8, (), generator=rng))]
        choices.append((best, tuple(row for row in rows if row != best)))
    return features, choices


@pytest.mark.parametrize(("wrong", "least"), [(0.0, 0.9), (0.15, 0.8), (0.3, 0.6)])
def test_the_direction_is_found_also_where_clicks_miss(wrong, least):
    target = torch.nn.functional.normalize(torch.randn(6, generator=stream(2, "target")), dim=0)
    taste = learn(*picks(60, target, wrong))
    found = torch.nn.functional.normalize(taste.weights.float(), dim=0)
    assert float(found @ target) > least and taste.picks == 60


def test_nothing_is_learnt_of_nothing():
    taste = learn(torch.randn(5, 3, generator=stream(1, "x")), [])
    assert torch.equal(taste(torch.ones(2, 3)), torch.zeros(2))
    assert in_words(taste, torch.eye(3), ("a", "b", "c")) == []


def test_what_the_score_explains_is_not_learnt_again():
    target = torch.tensor([1.0, 0, 0, 0])
    features, choices = picks(60, target)
    alone, beside = learn(features, choices), learn(features, choices, 5 * features @ target)
    assert 0 < float(beside.weights[0]) < float(alone.weights[0]) - 2


def test_words_say_what_is_clear_and_which_way():
    features, choices = picks(40, torch.tensor([0.0, -1.0, 0, 0]))
    assert in_words(learn(features, choices), torch.eye(4), ("light", "red", "c", "d"), 1) == ["less red"]


def test_draws_of_the_taste_narrow_with_the_picks():
    target = torch.tensor([1.0, 0, 0])
    probe = torch.eye(3)
    few, many = (learn(*picks(count, target)) for count in (2, 80))
    spread = [taste.drawn(probe, 400, stream(1, "d")).std(dim=0).mean() for taste in (few, many)]
    assert float(spread[1]) < 0.7 * float(spread[0])


def test_standard_leaves_equal_numbers_and_missing_ones():
    assert torch.equal(standard(torch.ones(4)), torch.zeros(4))
    z = standard(torch.tensor([1.0, 2.0, 3.0, float("nan")]))
    assert float(z[:3].mean()) == pytest.approx(0.0, abs=1e-6) and float(z[3]) == -4.0
