"""Augmented scoring: the same views for everyone, and a gradient through them."""

import pytest
import torch
from scorer_stand_ins import Brightness, Redness, noise

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.scorers.augment import Augmented, HasGeneration, Views, apply, draw, view
from zeuxis.scorers.base import Phrase, Prompt, Scorer

PROMPT = Prompt((Phrase("a cat"),))


def one_view(**changes):
    """The view that changes nothing, but for `changes`."""
    same = {
        "size": torch.ones(1, 2),
        "start": torch.zeros(1, 2),
        "flip": torch.zeros(1),
        "gain": torch.ones(1, 3),
        "shift": torch.zeros(1),
    }
    return Views(**(same | {name: torch.tensor([value]) for name, value in changes.items()}))


def test_views_come_first():
    assert apply(noise(5), draw(4, stream(0, "augment"))).shape == (4, 5, 3, 12, 10)
    assert apply(noise(5), draw(0, stream(0, "augment"))).shape == (0, 5, 3, 12, 10)


def test_the_same_generation_has_the_same_views_and_the_next_has_others():
    first, again, following = (apply(noise(2), draw(3, stream(7, g, "augment"))) for g in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, following)


def test_every_image_is_looked_at_in_the_same_way():
    views = draw(3, stream(0, "augment"))
    images = noise(1).expand(4, 3, 12, 10)
    seen = apply(images, views)
    assert torch.equal(seen, seen[:, :1].expand_as(seen))


def test_a_view_does_not_depend_on_the_other_images():
    views = draw(4, stream(0, "augment"))
    torch.testing.assert_close(apply(noise(6), views)[:, 2:3], apply(noise(6)[2:3], views))


def test_views_stay_in_0_1():
    for images in (torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8), noise(1)):
        seen = apply(images, draw(32, stream(0, "augment")))
        assert seen.min() >= 0 and seen.max() <= 1 and seen.dtype == torch.float32


def test_the_view_that_changes_nothing_changes_nothing():
    torch.testing.assert_close(view(noise(2), one_view(), 0), noise(2))


def test_a_flip_mirrors_left_and_right():
    torch.testing.assert_close(view(noise(2), one_view(flip=1.0), 0), noise(2).flip(-1))


def test_a_window_is_cropped_as_interpolate_would():
    images = noise(2, 8, 8)
    seen = view(images, one_view(size=[0.5, 0.5], start=[0.25, 0.5]), 0)
    inner = torch.nn.functional.interpolate(images[:, :, 2:6, 4:], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(seen[:, :, 1:-1, 1:-1], inner[:, :, 1:-1, 1:-1])


def test_beyond_the_edge_the_edge_goes_on():
    images = noise(1, 8, 8)
    seen = view(images, one_view(start=[-0.25, 0.0]), 0)
    torch.testing.assert_close(seen[:, :, :3], images[:, :, :1].expand(1, 3, 3, 8))


def test_colours_move_around_mid_grey():
    seen = view(torch.full((1, 3, 2, 2), 0.75), one_view(gain=[1.2, 1.0, 0.8], shift=0.1), 0)
    assert seen[0, :, 0, 0].tolist() == pytest.approx([0.9, 0.85, 0.8])


def test_the_gradient_reaches_every_image_and_agrees_with_differences():
    views = draw(2, stream(3, "augment"))
    images = (0.4 + 0.2 * noise(2, 4, 4)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: apply(x, views), images)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (64, 33)])
def test_any_size_can_be_viewed(size):
    assert apply(noise(2, *size), draw(3, stream(0))).shape == (3, 2, 3, *size)


@pytest.mark.parametrize("count", [-1, 65])
def test_too_many_or_too_few_views_are_refused(count):
    with pytest.raises(BadInput, match="0 to 64"):
        Augmented(Brightness(), count)


# ---- the wrapper


def test_it_is_a_scorer_that_wants_to_know_the_generation():
    augmented = Augmented(Brightness(), 2)
    assert isinstance(augmented, Scorer) and isinstance(augmented, HasGeneration)
    assert (augmented.name, augmented.sha256, augmented.device) == ("brightness", "b", torch.device("cpu"))


def test_its_score_is_the_mean_over_the_plain_image_and_its_views():
    augmented = Augmented(Redness(), 3)
    prepared = augmented.prepare(PROMPT)
    augmented.generation(stream(5, 0, "augment"))
    images = noise(4)
    seen = torch.cat([images[None], apply(images, draw(3, stream(5, 0, "augment")))])
    expected = torch.stack([Redness().score(x, prepared) for x in seen]).mean(dim=0)
    torch.testing.assert_close(augmented.score(images, prepared), expected)


def test_no_views_is_the_plain_score():
    augmented = Augmented(Brightness(), 0)
    augmented.generation(stream(0))
    assert torch.equal(augmented.score(noise(4), "prepared"), Brightness().score(noise(4), "prepared"))


def test_equal_images_tie_within_a_generation():
    augmented = Augmented(Redness(), 4)
    augmented.generation(stream(0))
    first, second = augmented.score(noise(1).repeat(2, 1, 1, 1), "prepared")
    assert first == second == augmented.score(noise(1), "prepared").item()


def test_the_gradient_flows_through_the_score():
    augmented, images = Augmented(Redness(), 2), noise(2).requires_grad_()
    augmented.generation(stream(0))
    augmented.score(images, "prepared").sum().backward()
    assert (images.grad[:, 0].sum() > 0) and (images.grad[:, 1:].sum() < 0)


def test_a_score_before_the_first_generation_is_refused():
    with pytest.raises(BadInput, match="generation"):
        Augmented(Brightness(), 2).score(noise(1), "prepared")


def test_precision_is_handed_on():
    inner = Brightness()
    Augmented(inner, 2).set_precision(torch.bfloat16)
    assert inner.dtype == torch.bfloat16
