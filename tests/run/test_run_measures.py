"""Measures of pictures: by name and in words, with ranges, and the ranges that a run decides for good."""

import pytest
import torch
from run_helpers import toy_config, toy_problem

from zeuxis.errors import BadInput, RunDamaged, UnknownName
from zeuxis.generators.toy import ToyGenerator
from zeuxis.rng import stream
from zeuxis.run import check_config
from zeuxis.run.problem import RANGE_IMAGES
from zeuxis.run.record import Decisions
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.measures import Measure, Measures, brightness, hue, parse_measure, saturation
from zeuxis.scorers.toy import ToyScorer
from zeuxis.types import Batch


def flat(*colour):
    return torch.tensor(colour)[None, :, None, None].expand(1, 3, 4, 4)


def measures(*texts, generator=None, scorer=None):
    parsed = [parse_measure(text) for text in texts]
    return Measures(parsed, generator or ToyGenerator(), scorer or ToyScorer(), templates=True, strict=False)


def test_brightness_is_mean_luma():
    assert float(brightness(flat(1.0, 1.0, 1.0))) == pytest.approx(1) and float(brightness(flat(0.0, 0.0, 0.0))) == 0
    assert float(brightness(flat(0.0, 1.0, 0.0))) == pytest.approx(0.7152)


def test_saturation_is_that_of_hsv_weighted_by_value():
    assert float(saturation(flat(0.5, 0.5, 0.5))) == 0 and float(saturation(flat(0.0, 0.0, 0.0))) == 0
    assert float(saturation(flat(0.8, 0.4, 0.6))) == pytest.approx(0.5)
    dark_noise = torch.cat([flat(0.01, 0.0, 0.0), flat(1.0, 1.0, 1.0)], dim=3)
    assert float(saturation(dark_noise)) < 0.02  # a mean of HSV saturations would be a half


def test_hue_goes_from_cool_to_warm_and_has_no_seam_at_red():
    orange, azure, grey = flat(1.0, 0.5, 0.0), flat(0.0, 0.5, 1.0), flat(0.3, 0.3, 0.3)
    assert float(hue(orange)) == 1 and float(hue(azure)) == -1 and float(hue(grey)) == 0
    crimson, vermilion = flat(0.9, 0.1, 0.14), flat(0.9, 0.14, 0.1)  # hues of 357 and 3 degrees
    assert abs(float(hue(crimson)) - float(hue(vermilion))) < 0.05


def test_words_are_the_difference_of_two_similarities():
    scorer, images = ToyScorer(), ToyGenerator().render(ToyGenerator().space.sample(5, stream(1)))
    apart = [scorer.score(images, scorer.prepare(Prompt((Phrase(word),)))) for word in ("red", "blue")]
    column = measures("blue|red")
    column.prepare()
    torch.testing.assert_close(column(images)[:, 0], apart[0] - apart[1])


def test_realism_is_the_discriminators_output():
    generator = ToyGenerator()
    images = generator.render(generator.space.sample(5, stream(1)))
    both = measures("realism", "brightness")
    both.prepare()
    assert torch.equal(both(images), torch.stack([generator.realism(images), brightness(images)], dim=1))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("brightness", Measure("brightness")),
        ("hue:-0.5..0.5", Measure("hue", range=(-0.5, 0.5))),
        (" young | old ", Measure("", "young", "old")),
        ("young|old:-0.1..1e-1", Measure("", "young", "old", (-0.1, 0.1))),
        ("at 5:30|at night", Measure("", "at 5:30", "at night")),
    ],
)
def test_measures_are_read(text, parsed):
    assert parse_measure(text) == parsed


@pytest.mark.parametrize("text", ["young|", "|", "a|b|c", "old|old", "brightness:1..0", "a|b:2..1"])
def test_measures_that_cannot_be_are_refused(text):
    with pytest.raises(BadInput, match="Expected"):
        parse_measure(text)


def test_an_unknown_measure_is_refused_with_near_names():
    with pytest.raises(UnknownName, match="brightness"):
        parse_measure("brigthness")


def test_axes_carry_the_users_words():
    assert [parse_measure(text).axis for text in ("brightness", "hue", "young|old")] == [
        *("brightness", "hue (cool to warm)", "young → old")
    ]


def test_realism_needs_a_discriminator():
    class Bare:
        name = "bare"

    with pytest.raises(BadInput, match="discriminator"):
        measures("realism", generator=Bare())


@pytest.mark.parametrize("given", [(), ("brightness",), ("brightness", "hue", "realism")])
def test_a_search_with_an_archive_wants_two_measures(given):
    with pytest.raises(BadInput, match="Expected two measures"):
        check_config(toy_config(search="map-elites", measures=given))
    check_config(toy_config(search="ga", measures=given))  # any other search records whatever is measured


@pytest.mark.parametrize("help_it", [{"unique": True}, {"on_collapse": "perturb"}])
def test_an_archive_needs_no_help_to_stay_diverse(help_it):
    with pytest.raises(BadInput, match="leave --unique and --on-collapse out"):
        check_config(toy_config(search="cma-me", measures=("brightness", "hue"), **help_it))


def test_words_that_the_scorer_cannot_read_are_refused_before_the_run():
    problem = toy_problem(measures=measures("brightness", "young|old"))
    with pytest.raises(BadInput, match="colours only"):
        problem.prepare()


def test_measures_come_with_the_scores_and_do_not_depend_on_the_batch():
    problem = toy_problem(measures=measures("brightness", "blue|red"), micro_batch=4)
    x = problem.generator.space.sample(9, stream(2))
    whole = problem.evaluate(Batch(x), 0).evaluation.measures
    assert whole.shape == (9, 2) and torch.equal(problem.evaluate(Batch(x[3:5]), 0).evaluation.measures, whole[3:5])
    assert toy_problem().evaluate(Batch(x), 0).evaluation.measures is None


def test_ranges_are_chosen_once_from_the_prior_and_noted():
    problem = toy_problem(measures=measures("brightness:0.1..0.9", "blue|red"))
    problem.choose_ranges()
    first = problem.decisions.ranges
    assert first[0] == (0.1, 0.9) and any(str(RANGE_IMAGES) in note for note in problem.decisions.notes)
    other_seed = toy_problem(measures=measures("brightness:0.1..0.9", "blue|red"), seed=99)
    other_seed.choose_ranges()
    assert other_seed.decisions.ranges == first
    again = Decisions.from_json(problem.decisions.to_json(), [])
    assert again.ranges == first


def test_ranges_that_are_all_given_cost_no_image():
    problem = toy_problem(measures=measures("brightness:0..1", "hue:-1..1"))
    problem.choose_ranges()
    assert problem.decisions.ranges == ((0.0, 1.0), (-1.0, 1.0)) and not problem.decisions.notes


def test_decisions_of_a_run_without_an_archive_have_no_ranges():
    plain = Decisions([(0, 4)])
    assert "ranges" not in plain.to_json() and Decisions.from_json(plain.to_json(), []).ranges is None
    with pytest.raises(RunDamaged):
        Decisions.from_json(plain.to_json() | {"ranges": [[1, 2, 3]]}, [])
