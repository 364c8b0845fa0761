"""The cosine formula that scorers share."""

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.scorers.phrases import cosines, normalised, similarity, unit

EAST, NORTH, ZERO = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2)


def rows(count, size=8, seed=0):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_one_phrase_scores_the_cosine_whatever_its_weight():
    images, phrase = rows(5), rows(1, seed=1)
    expected = torch.nn.functional.cosine_similarity(images, phrase)
    for weight in (0.1, 1.0, 7.0):
        torch.testing.assert_close(similarity(images, phrase, torch.tensor([weight])), expected)


def test_positive_weights_share_one_and_negative_ones_subtract():
    weights = torch.tensor([3.0, 1.0, -0.5])
    assert normalised(weights).tolist() == [0.75, 0.25, -0.5]
    score = similarity(EAST, torch.cat([EAST, NORTH, EAST]), weights)
    assert score.tolist() == pytest.approx([0.75 - 0.5])


def test_length_does_not_matter():
    images = rows(4)
    for scale in (1e-38, 1e-20, 1e20, 1e37):
        torch.testing.assert_close(unit(images * scale), unit(images))


def test_a_zero_embedding_scores_zero_and_has_a_finite_gradient():
    image = ZERO.clone().requires_grad_()
    score = similarity(image, EAST, torch.ones(1))
    score.sum().backward()
    assert score.item() == 0 and bool(torch.isfinite(image.grad).all())
    assert similarity(EAST, ZERO, torch.ones(1)).item() == 0


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_broken_embedding_spoils_only_its_own_image(broken):
    images = rows(3)
    images[1, 0] = broken
    assert similarity(images, rows(2, seed=1), torch.ones(2)).isnan().tolist() == [False, True, False]


def test_a_broken_phrase_spoils_every_image():
    assert similarity(rows(3), torch.full((1, 8), float("nan")), torch.ones(1)).isnan().all()


def test_the_gradient_is_that_of_the_formula():
    images, phrases = rows(3).double(), rows(2, seed=1)
    weights = torch.tensor([1.0, -0.3])
    found = images.float().requires_grad_()
    similarity(found, phrases, weights).sum().backward()
    x = images.requires_grad_()
    plain = torch.nn.functional.cosine_similarity(x[:, None], phrases.double()[None], dim=-1)
    (plain * weights).sum().backward()
    torch.testing.assert_close(found.grad, x.grad.float())


def test_half_precision_embeddings_are_compared_in_float32():
    images, phrases = rows(6).bfloat16(), rows(2, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        score = similarity(images, phrases, torch.ones(2))
    assert score.dtype == torch.float32
    assert torch.equal(score, similarity(images.float(), phrases.float(), torch.ones(2)))


def test_a_score_does_not_depend_on_the_other_images():
    images, phrases, weights = rows(33, 64), rows(3, 64, seed=1), torch.tensor([1.0, 2.0, -1.0])
    together = similarity(images, phrases, weights)
    assert torch.equal(together, torch.cat([similarity(images[i : i + 1], phrases, weights) for i in range(33)]))


def test_cosines_stay_within_one():
    same = rows(50, 512)
    assert cosines(same, same).abs().max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("images", "phrases", "weights"),
    [((3, 4), (2, 5), (2,)), ((3, 4), (2, 4), (3,)), ((4,), (2, 4), (2,)), ((3, 4), (0, 4), (0,))],
)
def test_shapes_that_do_not_fit_are_refused(images, phrases, weights):
    with pytest.raises(BadInput, match="Expected image embeddings"):
        similarity(torch.ones(images), torch.ones(phrases), torch.ones(weights))


def test_weights_must_be_finite():
    with pytest.raises(BadInput, match="finite"):
        similarity(EAST, EAST, torch.tensor([float("nan")]))
