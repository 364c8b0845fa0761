"""Weights over fixed draws of the prior as a space to search in."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import Mixture, Normal, Product, SparseMix, gaussian
from zeuxis.types import Evaluation


def test_over_many_sets_of_draws_a_mixture_is_standard_normal_whatever_the_weights():
    weights = torch.tensor([[3.0, -0.1, 0.0, 1.0]])
    z = torch.cat([Mixture(Normal(50, bound=9.0), 4, seed).expand(weights).flatten() for seed in range(60)])
    assert kstest(z.double().numpy(), "norm").pvalue > 0.01


def test_the_length_of_the_weights_does_not_matter():
    space = Mixture(Normal(30), 5)
    x = space.sample(4, stream(1))
    torch.testing.assert_close(space.expand(x), space.expand(2 * x))


def test_other_parts_of_a_product_stay_in_their_places():
    whole = Product(SparseMix(("a", "b")), Normal(40), SparseMix(("c", "d", "e")))
    space = Mixture(whole, 3)
    x = space.sample(6, stream(2))
    expanded = space.expand(x)
    assert space.dim == 3 + 2 + 3 and expanded.shape == (6, 45)
    assert torch.equal(expanded[:, :2], x[:, 3:5]) and torch.equal(expanded[:, 42:], x[:, 5:])
    assert gaussian(space).tolist() == [1] * 3 + [0] * 5
    assert torch.equal(space.clip(10 * x)[:, 3:], whole.clip(10 * expanded)[:, [0, 1, 42, 43, 44]])
    decoded = space.decode(x)
    assert len(decoded) == 3 and decoded[1].shape == (6, 40)


def test_full_cma_es_climbs_in_a_space_of_twenty_thousand_genes():
    whole = Normal(20_000)
    goal = torch.nn.functional.normalize(whole.sample(32, stream(0, "mixture")).sum(0), dim=0)
    search = SEARCHES["cma-es"](space := Mixture(whole, 32), population=16)
    for generation in range(60):
        batch = search.ask(stream(1, generation, "ask"))
        z = space.expand(batch.x)
        search.tell(batch, Evaluation(torch.nn.functional.cosine_similarity(z, goal[None])))
    assert search.best[1] > 0.9  # a draw of the prior has 0.01
    assert abs(float(z.square().mean()) - 1) < 0.1


@pytest.mark.parametrize("count", [1, 0, -3, 5000, 2.5, True])
def test_a_bad_number_of_draws_is_one_sentence(count):
    with pytest.raises(BadInput, match="mixture of 2 to 4096"):
        Mixture(Normal(4), count)


def test_a_space_without_normal_genes_has_no_mixtures():
    with pytest.raises(BadInput, match="normal genes"):
        Mixture(SparseMix(("a", "b")), 4)
