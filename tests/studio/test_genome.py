"""Variation by hand: what operators change, what locks keep, and that the prior stays as it is."""

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.generators.pocket import Pocket, PocketProducts
from zeuxis.generators.toy import ToyGenerator
from zeuxis.rng import stream
from zeuxis.spaces import ClassMix, Normal, Product, parts
from zeuxis.studio.genome import Variation, group_of_layers, is_latent

LAYERED = ("coarse", "middle", "fine")


@pytest.fixture(scope="module")
def space():
    labels = torch.randn(6, 5, generator=stream(3, "labels"))
    return Product(Normal(400), ClassMix(labels, tuple("abcdef")))


@pytest.fixture
def both(space):
    x = Variation(space, LAYERED).draws(2, stream(1, "draws"))
    return x[0], x[1]


def test_strength_is_the_share_of_noise_and_the_prior_stays(space, both):
    variation = Variation(space, LAYERED)
    for strength in (0.1, 0.5, 1.0):
        child = variation.mutate(both[0], strength, stream(2, strength))
        noise, before = child[0, :400], both[0][0, :400]
        assert noise.std() == pytest.approx(1.0, abs=0.12)
        correlation = float((noise * before).mean() / (noise.std() * before.std()))
        assert correlation == pytest.approx((1 - strength**2) ** 0.5, abs=0.12)
    assert torch.equal(variation.mutate(both[0], 0.0, stream(2, 1)), both[0])


def test_the_same_random_numbers_give_the_same_child(space, both):
    variation = Variation(space)
    assert torch.equal(variation.mutate(both[0], 0.5, stream(9, 1)), variation.mutate(both[0], 0.5, stream(9, 1)))


def test_a_cross_takes_each_gene_from_a_parent(space, both):
    child = Variation(space, LAYERED).cross(*both, stream(4, 1))
    a, b = both[0][:, :400], both[1][:, :400]
    of_a, of_b = child[:, :400] == a, child[:, :400] == b
    assert bool((of_a | of_b).all()) and 0.1 < float(of_b.float().mean()) < 0.9


def test_locks_keep_their_part(space, both):
    variation = Variation(space, LAYERED)
    assert variation.locks == ("class", *LAYERED)
    for strength, seed in ((1.0, 1), (1.0, 2), (0.8, 3)):
        child = variation.mutate(both[0], strength, stream(5, seed), ("class",))
        assert torch.equal(child[:, 400:], both[0][:, 400:]) and not torch.equal(child[:, :400], both[0][:, :400])
        child = variation.mutate(both[0], strength, stream(5, seed), ("middle",))
        assert torch.equal(child[1], both[0][1]) and not torch.equal(child[0], both[0][0])
    assert torch.equal(variation.cross(*both, stream(6, 1), ("class",))[:, 400:], both[0][:, 400:])


def test_mixing_takes_one_group_of_layers(space, both):
    variation = Variation(space, LAYERED)
    child = variation.mix_styles(*both, stream(7, 1))
    from_b = [row for row in range(3) if torch.equal(child[row], both[1][row])]
    assert len(from_b) == 1 and not is_latent(child) and is_latent(both[0])
    child = variation.mix_styles(*both, stream(7, 1), ("coarse", "middle"))
    assert torch.equal(child[2], both[1][2]) and torch.equal(child[:2], both[0][:2])
    with pytest.raises(BadInput, match="layers"):
        variation.mix_styles(*both, stream(7, 1), LAYERED)
    with pytest.raises(BadInput, match="styles"):
        Variation(space).mix_styles(both[0][:1], both[1][:1], stream(7, 1))


def test_groups_come_from_the_generator():
    assert Variation.of(ToyGenerator()).groups == ("",)
    products = PocketProducts()
    variation = Variation.of(products)
    assert variation.groups == LAYERED
    assert group_of_layers(products, variation.groups) == [0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_kinds_of_labels_come_from_any_network_that_adds_them():
    assert Variation.of(Pocket()).locks[:2] == ("class", "term")


def test_a_colour_is_locked_while_the_type_changes():
    products = PocketProducts()
    variation = Variation.of(products)
    assert variation.locks == ("class", "type", "colour", *LAYERED)
    noise, mix = parts(products.space)
    at = slice(noise.dim, None)
    names, rows = list(products.words), products.rows

    def shares(genome, kind):
        labels, weights = rows[:, names.index(kind)], mix.weights(genome[0, at])
        return torch.zeros(len(products.words[kind]), dtype=torch.float64).index_add_(
            0, labels, weights / weights.sum()
        )

    moved = {"type": 0, "colour": 0}
    for seed in range(8):
        a, b = variation.draws(2, stream(seed, "parents"))
        for kind, other in (("colour", "type"), ("type", "colour")):
            free = variation.mutate(a, 1.0, stream(seed, "child"))
            kept = variation.mutate(a, 1.0, stream(seed, "child"), (kind,))
            assert shares(kept, kind).argmax() == shares(a, kind).argmax()
            assert torch.allclose(variation.space.clip(kept), kept, atol=1e-4)  # it lies where the space lets it
            assert torch.equal(kept[:, : at.start], free[:, : at.start])
            moved[other] += int(shares(kept, other).argmax() != shares(a, other).argmax())
            crossed = variation.cross(a, b, stream(seed, "cross"), (kind,))
            assert shares(crossed, kind).argmax() == shares(a, kind).argmax()
    assert min(moved.values()) >= 2  # what is not locked goes on changing
