"""Any generator, searched through weights of a few of its draws."""

from __future__ import annotations

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.generators.base import HasRealism, layer_sizes
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.rng import stream


@pytest.mark.parametrize("name", ["toy", "pocket", "pocket-products"])
def test_it_draws_what_the_generator_draws_of_the_expanded_latents(name):
    plain, mixed = make_generator(name), make_generator(name, mixture=6)
    assert (mixed.name, mixed.sha256, mixed.resolution) == (plain.name, plain.sha256, plain.resolution)
    assert mixed.space.dim < plain.space.dim and isinstance(mixed, HasRealism) == isinstance(plain, HasRealism)
    x = mixed.space.sample(3, stream(1))
    latents = mixed.space.expand(x)
    assert torch.equal(mixed.render(x), plain.render(latents))
    assert mixed.describe(x[0]) == plain.describe(latents[0])


@pytest.mark.parametrize("name", ["toy", "fft", "pocket-products"])
def test_it_has_styles_only_where_the_generator_has(name):
    made = make_generator(name, mixture=4)
    assert bool(layer_sizes(made)) == bool(layer_sizes(make_generator(name)))


def test_a_wrong_width_is_one_sentence():
    with pytest.raises(BadInput, match="latents of shape"):
        make_generator("pocket", mixture=4).render(torch.zeros(2, 3))


@pytest.mark.parametrize("count", [0, 1, 1.5, "x", 10**9, True])
def test_a_bad_number_of_draws_is_said_before_anything_is_loaded(count):
    with pytest.raises(BadInput, match="mixture to be a whole number from 2 to 4096"):
        check_generator("pocket", {"mixture": count})
