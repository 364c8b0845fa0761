"""How far a latent may be from every label: the corners of the box are not what the network has learnt to draw."""

import pytest
import torch

from zeuxis.generators.pocket import Pocket
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import ClassMix, Normal, Product, room
from zeuxis.types import Evaluation

PLACES = torch.randn(20, 6, generator=stream(0, "places")) * torch.tensor([5.0, 3.0, 1.0, 1.0, 1.0, 1.0])
LABELS = tuple(f"label {k}" for k in range(20))


def test_a_label_and_the_way_to_its_neighbour_are_in_reach():
    mix = ClassMix(PLACES, LABELS, reach=1.0)
    assert torch.equal(mix.clip(mix.places), mix.places)
    between = torch.cdist(mix.places, mix.places).fill_diagonal_(torch.inf)
    assert mix.furthest == pytest.approx(float(between.amin(dim=1).median()))


def test_what_is_out_of_reach_is_brought_back_towards_the_nearest_label_and_stays_there():
    mix = ClassMix(PLACES, LABELS, reach=0.5, margin=2.0)
    far = mix.places + 10 * torch.randn(mix.places.shape, generator=stream(1))
    near = mix.clip(far)
    distance = torch.cdist(near, mix.places).amin(dim=1)
    assert bool((distance <= mix.furthest).all()) and torch.equal(mix.clip(near), near)


def test_without_a_reach_only_the_box_counts():
    mix = ClassMix(PLACES, LABELS)
    corner = mix.upper[None]
    assert torch.equal(mix.clip(corner), corner)


def test_the_gradient_flows_through_the_clip():
    mix = ClassMix(PLACES, LABELS, reach=1.0)
    x = (mix.places[:3] + 0.1).requires_grad_()
    mix.clip(x).sum().backward()
    assert bool((x.grad == 1).all())


def test_the_pocket_generator_never_leaves_its_terms():
    space = Pocket().space
    x = torch.lerp(space.lower, space.upper, torch.rand(64, space.dim, generator=stream(2)))
    mix = space.spaces[1]
    _, genes = space.split(space.clip(x))
    assert bool((torch.cdist(genes, mix.places).amin(dim=1) <= mix.furthest * (1 + 1e-5)).all())


def test_the_room_of_a_space_is_the_reach_in_deviations_of_the_labels():
    mix = ClassMix(PLACES, LABELS, reach=0.2)
    about = mix.places - mix.places.mean(dim=0)
    radius = float(about.square().sum(dim=1).mean().sqrt())
    expected = torch.tensor([1.0] * 3 + [mix.furthest / radius] * mix.dim)
    assert mix.furthest < radius
    torch.testing.assert_close(room(Product(Normal(3), mix)), expected)
    assert room(ClassMix(PLACES, LABELS)).tolist() == [1.0] * mix.dim
    assert ClassMix(PLACES, LABELS, reach=100.0).room == 1.0


@pytest.mark.parametrize("scale", ["prior", "room"])
def test_a_search_that_steps_within_the_room_is_clipped_less(scale):
    space = Product(Normal(3), ClassMix(PLACES, LABELS, reach=0.2))
    search = SEARCHES["sep-cma-es"](space, population=32, scale=scale, sigma=0.5)
    first = search.ask(stream(0, 0, "ask"))
    search.tell(first, Evaluation(-first.x.square().sum(dim=1)))
    steps = (search.mean + search.sigma * search._sample(stream(1))) * search.spread + search.centre
    clipped = (space.clip(steps) - steps).norm(dim=1) > 1e-3
    assert bool(clipped.float().mean() > 0.9) == (scale == "prior")
