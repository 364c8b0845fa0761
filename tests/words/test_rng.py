"""Randomness is a function of (seed, where we are)."""

import random

import numpy as np
import pytest
import torch

from zeuxis.rng import derive, stream


def numbers(*where):
    return torch.rand(4, generator=stream(*where)).tolist()


def test_the_same_place_gives_the_same_numbers():
    assert numbers(7, 3, "ask") == numbers(7, 3, "ask")


def test_every_place_has_numbers_of_its_own():
    places = [
        (seed, generation, purpose) for seed in range(5) for generation in range(20) for purpose in ("ask", "augment")
    ]
    assert len({derive(*place) for place in places}) == len(places)


@pytest.mark.parametrize(
    ("a", "b"), [((1, 23), (12, 3)), ((1, "2"), (1, 2)), ((0,), (0, 0)), ((1, "a/b"), (1, "a", "b"))]
)
def test_places_that_read_alike_are_not_the_same(a, b):
    assert derive(*a) != derive(*b)


def test_a_seed_is_fixed_for_all_time():
    assert derive(0) == 8482559467159178675  # a changed value would break every old run
    assert derive(7, 3, "ask") == 8105152835245954783


@pytest.mark.parametrize("seed", [0, 2**31, 2**63 - 1])
def test_any_seed_of_the_configuration_is_taken(seed):
    assert 0 <= derive(seed, "ask") < 2**63
    assert all(0 <= u < 1 for u in numbers(seed, "ask"))


def test_no_global_randomness_is_used_or_disturbed():
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    numbers(7, "ask")
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002


def test_numbers_are_uniform():
    u = torch.rand(20_000, generator=stream(7, 0, "ask"))
    assert u.mean().item() == pytest.approx(0.5, abs=0.01) and u.var().item() == pytest.approx(1 / 12, abs=0.003)
