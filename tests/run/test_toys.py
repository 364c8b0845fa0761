"""The toys draw, read and judge colours: what every other test and example stands on."""

import time

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.generators.toy import ToyGenerator
from zeuxis.rng import stream
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.toy import ToyJudge, ToyScorer


def drawing(shape="disc", colour=(9, -9, -9), ground=(9, 9, 9)):
    """A latent that draws this shape, colours as large or small genes (red on white by default)."""
    votes = [2.0 * (shape == name) for name in ("disc", "square", "triangle")]
    return torch.tensor([[*colour, *ground, 0, 0, 0, *votes]], dtype=torch.float32).clamp(-4, 4)


def says(phrase, images):
    scorer = ToyScorer()
    return scorer.score(images, scorer.prepare(Prompt((Phrase(phrase),))))


def test_the_three_shapes_differ_and_are_named():
    generator = ToyGenerator()
    disc, square, triangle = (generator.render(drawing(shape))[0] for shape in ("disc", "square", "triangle"))
    assert min((disc - square).abs().max(), (square - triangle).abs().max()) > 0.2
    assert generator.describe(drawing("triangle")[0]) == "a red triangle on a white ground"


def test_centre_and_size_move_the_shape():
    x = drawing()
    right, small = x.clone(), x.clone()
    right[0, 6], small[0, 8] = 3.0, -3.0
    redness = [1 - image[1] for image in ToyGenerator().render(torch.cat([x, right, small]))]  # ground is white
    across = [(r.sum(dim=0) * torch.arange(32)).sum() / r.sum() for r in redness]
    assert across[1] > across[0] + 4
    assert redness[2].sum() < 0.6 * redness[0].sum()


def test_images_have_a_gradient():
    x = ToyGenerator().space.sample(4, stream(1)).requires_grad_()
    ToyGenerator().render(x).sum().backward()
    assert (x.grad.abs().sum(dim=0) > 0).all()


def test_a_flat_picture_is_not_real():
    generator = ToyGenerator()
    flat = drawing(colour=(0, 0, 0), ground=(0, 0, 0))
    real, flat = generator.realism(generator.render(torch.cat([drawing(), flat])))
    assert flat < 0 < real


def test_the_scorer_prefers_what_was_asked_for():
    images = ToyGenerator().render(torch.cat([drawing(), drawing(colour=(-9, -9, 9))]))
    red, blue = says("a red disc on white", images), says("a blue disc on white", images)
    assert red[0] > red[1] and blue[1] > blue[0]
    assert red[0] > 0.9


def test_the_second_colour_is_the_ground():
    on_white, on_black = ToyGenerator().render(torch.cat([drawing(), drawing(ground=(-9, -9, -9))])).split(1)
    assert says("red on white", on_white) > says("red on black", on_white)
    assert says("red on black", on_black) > says("red on white", on_black)


def test_an_image_can_be_the_prompt():
    image = ToyGenerator().render(drawing())
    scorer = ToyScorer()
    prepared = scorer.prepare(Prompt((Phrase(image=image[0]),)))
    assert scorer.score(image, prepared) == pytest.approx(1, abs=1e-5)


def test_the_judge_names_the_colour_it_sees():
    judge, images = ToyJudge(), ToyGenerator().render(torch.cat([drawing(), drawing(colour=(-9, -9, 9))]))
    verdict = judge.verdict(images, judge.prepare(Prompt((Phrase("a red disc"),))))
    assert verdict.label == ("red", "blue")
    assert verdict.score[0] == verdict.confidence[0] > 0.5 > verdict.score[1]


def test_the_judge_has_no_word_for_what_it_does_not_know():
    judge, images = ToyJudge(), ToyGenerator().render(drawing())
    verdict = judge.verdict(images, judge.prepare(Prompt((Phrase("a fire truck"),))))
    assert verdict.score.isnan().all() and verdict.label == ("red",)


def test_the_scorer_refuses_what_it_cannot_read():
    with pytest.raises(BadInput, match="Known: red, green"):
        says("a fire truck", torch.zeros(1, 3, 32, 32))


def test_sixteen_images_are_drawn_and_scored_in_milliseconds():
    generator, scorer = ToyGenerator(), ToyScorer()
    x, prepared = generator.space.sample(16, stream(1)), scorer.prepare(Prompt((Phrase("red"),)))
    times = []
    for _ in range(30):
        started = time.thread_time()
        scorer.score(generator.render(x), prepared)
        times.append(time.thread_time() - started)
    assert min(times) < 0.005
