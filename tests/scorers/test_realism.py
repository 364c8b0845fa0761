"""The discriminator's opinion as a scorer."""

import math

import pytest
import torch
from scorer_stand_ins import noise

from zeuxis.errors import BadInput
from zeuxis.scorers.base import Phrase, Prompt, Scorer
from zeuxis.scorers.realism import Realism

PROMPT = Prompt((Phrase("a cat"),))


class Discriminating:
    name, sha256, device = "painter", "abc", torch.device("cpu")

    def __init__(self, output):
        self.output = torch.tensor(output)

    def realism(self, images):
        return self.output[: len(images)] + 0 * images.mean(dim=(1, 2, 3))


def opinion(*output):
    realism = Realism(Discriminating(output))
    return realism.score(noise(len(output)), realism.prepare(PROMPT))


def test_it_is_a_scorer_with_the_hash_of_the_generator():
    realism = Realism(Discriminating([0.0]))
    assert isinstance(realism, Scorer) and (realism.name, realism.sha256) == ("realism", "abc")


def test_the_score_is_the_squashed_output():
    assert opinion(0.0, 1.0, -1.0).tolist() == pytest.approx([0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.e)])


def test_more_real_is_higher_and_nothing_leaves_0_1():
    score = opinion(-1e30, -3.0, 0.0, 3.0, 1e30)
    assert score.tolist() == sorted(score.tolist())
    assert (score[0], score[-1]) == (0, 1)


def test_nan_stays_nan():
    assert opinion(float("nan"), 0.0).isnan().tolist() == [True, False]


def test_the_score_is_float32_and_carries_the_gradient():
    images = noise(1).requires_grad_()
    generator = Discriminating([0.0])
    generator.realism = lambda x: x.mean(dim=(1, 2, 3)).bfloat16()
    score = Realism(generator).score(images, None)
    score.sum().backward()
    assert score.dtype == torch.float32 and images.grad.min() > 0


def test_a_generator_without_a_discriminator_is_refused_by_name():
    class Plain:
        name = "plain"

    with pytest.raises(BadInput, match="'plain', which has none"):
        Realism(Plain())
