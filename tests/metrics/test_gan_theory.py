"""Proposition 1 and Theorem 1 of Goodfellow et al. 2014, in numbers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeuxis.errors import BadInput
from zeuxis.metrics import gan_theory as game
from zeuxis.metrics.divergences import jensen_shannon

P = torch.tensor([0.1, 0.2, 0.3, 0.4]).double()
Q = torch.tensor([0.4, 0.4, 0.1, 0.1]).double()


def probabilities():
    return st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(
        lambda x: torch.tensor(x, dtype=torch.float64) / sum(x)
    )


@settings(max_examples=30, deadline=None)
@given(p=probabilities(), q=probabilities())
def test_with_the_best_discriminator_the_value_is_twice_the_jensen_shannon_divergence_less_log_4(p, q):
    best = game.optimal_discriminator(p, q)
    assert game.game_value(p, q, best) == pytest.approx(2 * jensen_shannon(p, q) - math.log(4), abs=1e-12)
    assert game.best_value(p, q) == pytest.approx(game.game_value(p, q, best), abs=1e-12)
    other = (best + 0.1 * torch.tensor([1, -1, 1, -1])).clamp(0.001, 0.999)
    assert game.game_value(p, q, other) < game.game_value(p, q, best)


def test_training_finds_p_over_p_plus_q():
    found = game.trained_discriminator(P, Q)
    assert torch.allclose(found, P / (P + Q), atol=1e-5)
    assert torch.allclose(game.trained_discriminator(P, P), torch.full((4,), 0.5).double(), atol=1e-6)


def test_the_game_ends_at_the_data_with_a_discriminator_that_cannot_tell():
    found = game.play(P)
    assert torch.allclose(found.q, P, atol=0.01) and torch.allclose(
        found.discriminator, torch.tensor(0.5).double(), atol=0.02
    )
    assert found.value == pytest.approx(-math.log(4), abs=1e-3)
    assert game.play(P).q.equal(found.q)  # the same seed, the same game


def test_where_nothing_is_the_discriminator_does_not_matter():
    p, q = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    assert game.optimal_discriminator(p, q).tolist() == [1, 0, 0.5]
    assert game.game_value(p, q, game.optimal_discriminator(p, q)) == 0 == pytest.approx(game.best_value(p, q))


def test_what_is_no_discriminator_is_refused():
    with pytest.raises(BadInput, match="from 0 to 1"):
        game.game_value(P, Q, torch.tensor([0.5, 0.5, 0.5, 1.5]))
    with pytest.raises(BadInput, match="probabilities"):
        game.play(torch.tensor([1.0, 1.0]))
