"""Several scorers as one."""

import pytest
import torch
from scorer_stand_ins import Brightness, Broken, Redness, noise

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.scorers.augment import Augmented
from zeuxis.scorers.base import Phrase, Prompt, Scorer
from zeuxis.scorers.combine import Combined, parse_weighted

PROMPT = Prompt((Phrase("a cat"),))


def scored(combined, images):
    prepared = combined.prepare(PROMPT)
    return combined.score(images, prepared), combined.parts(images, prepared)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("pocket", ("pocket", 1.0)),
        ("pocket:0.5", ("pocket", 0.5)),
        ("clip:openai/clip-vit-base-patch32", ("clip:openai/clip-vit-base-patch32", 1.0)),
        ("clip:openai/clip-vit-base-patch32:-2", ("clip:openai/clip-vit-base-patch32", -2.0)),
    ],
)
def test_a_scorer_name_may_carry_a_weight(typed, meant):
    assert parse_weighted(typed) == meant


@pytest.mark.parametrize("typed", ["", " ", ":0.5", "pocket:nan", "pocket:1e9"])
def test_a_name_that_says_nothing_is_refused(typed):
    with pytest.raises(BadInput, match="Expected"):
        parse_weighted(typed)


def test_the_score_is_the_weighted_sum():
    score, _ = scored(Combined([Brightness(), Redness()], [0.5, -2]), noise(4))
    expected = 0.5 * Brightness().score(noise(4), "prepared") - 2 * Redness().score(noise(4), "prepared")
    torch.testing.assert_close(score, expected)


def test_parts_are_contributions_that_sum_to_the_score():
    score, parts = scored(Combined([Brightness(), Redness()], [0.5, -2]), noise(4))
    assert list(parts) == ["brightness", "redness"]
    torch.testing.assert_close(sum(parts.values()), score)


def test_one_scorer_of_weight_one_is_itself():
    score, _ = scored(Combined([Redness()], [1.0]), noise(4))
    assert torch.equal(score, Redness().score(noise(4), "prepared"))


def test_scorers_of_one_name_stay_apart():
    _, parts = scored(Combined([Brightness(), Brightness(), Redness()], [1, 2, 1]), noise(2))
    assert list(parts) == ["brightness", "brightness#2", "redness"]
    torch.testing.assert_close(parts["brightness#2"], 2 * parts["brightness"])


def test_nan_of_a_scorer_is_nan_of_the_sum_unless_its_weight_is_zero():
    assert scored(Combined([Brightness(), Broken("x")], [1, 0.1]), noise(2))[0].isnan().all()
    score, parts = scored(Combined([Brightness(), Broken("x")], [1, 0]), noise(2))
    assert torch.equal(score, parts["brightness"]) and parts["x"].tolist() == [0, 0]


def test_it_is_a_scorer_whose_hash_names_members_and_weights():
    combined = Combined([Brightness(), Redness()], [1, 0.5])
    assert isinstance(combined, Scorer) and combined.name == "1 brightness + 0.5 redness"
    others = [Combined([Brightness(), Redness()], [1, 0.6]), Combined([Redness(), Brightness()], [0.5, 1])]
    assert len({combined.sha256, *(other.sha256 for other in others)}) == 3
    assert combined.sha256 == Combined([Brightness(), Redness()], [1, 0.5]).sha256


def test_notes_of_all_scorers_are_kept_once():
    class Noted(Brightness):
        def prepare(self, prompt):
            return type("Prepared", (), {"notes": ("cut after 77 tokens",)})()

    assert Combined([Noted(), Brightness(), Noted()], [1, 1, 1]).prepare(PROMPT).notes == ("cut after 77 tokens",)


def test_a_generation_reaches_augmented_members():
    member = Augmented(Redness(), 2)
    combined = Combined([Brightness(), member], [1, 1])
    combined.generation(stream(0, 3, "augment"))
    assert member.drawn is not None and len(member.drawn) == 2


def test_precision_reaches_every_member():
    members = [Brightness(), Redness()]
    Combined(members, [1, 1]).set_precision(torch.bfloat16)
    assert [member.dtype for member in members] == [torch.bfloat16] * 2


def test_the_gradient_flows():
    images = noise(2).requires_grad_()
    scored(Combined([Brightness(), Redness()], [1, 1]), images)[0].sum().backward()
    assert images.grad[:, 0].min() > 0


@pytest.mark.parametrize(
    ("count", "weights", "says"),
    [
        (0, [], "1 or more"),
        (2, [1], "2 scorers and 1 weights"),
        (1, [float("nan")], "finite"),
        (1, [101], "at most 100"),
        (2, [0, 0], "not 0"),
    ],
)
def test_weights_that_cannot_work_are_refused(count, weights, says):
    with pytest.raises(BadInput, match=says):
        Combined([Brightness()] * count, weights)


def test_scorers_on_different_devices_are_refused():
    with pytest.raises(BadInput, match="one device"):
        Combined([Brightness(), Brightness(device="meta")], [1, 1])
