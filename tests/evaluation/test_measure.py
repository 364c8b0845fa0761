"""The table of metrics on features whose truth is known: names, floors, intervals, refusals, and two ways to cheat."""

import math

import pytest
import torch

from zeuxis.errors import UnknownName
from zeuxis.evaluation.arrange import arrange
from zeuxis.evaluation.embedding import Embedded
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.measure import measure
from zeuxis.evaluation.metrics import METRICS, USUAL
from zeuxis.rng import stream

SPACE = FeatureSpace("toy", "toy", "none", "0" * 64, lambda images: images.flatten(1), lambda x: x[:, :5])
CLASSES = tuple("abcde")


def embedded(count, seed, *, shift=0.0, split="", classes=CLASSES, keep=None):
    """Five classes 6 apart in 8 dimensions; `keep` how many of each of a larger draw."""
    labels = torch.arange(count) % 5
    rows = torch.randn(count, 8, generator=stream(seed, "rows")) + 6 * torch.eye(5, 8)[labels] + shift
    if keep is not None:
        chosen = torch.cat([(labels == k).nonzero()[:n, 0] for k, n in enumerate(keep)])
        rows, labels = rows[chosen], labels[chosen]
    return Embedded(f"set {seed}", split, rows, torch.arange(len(rows)), labels, classes)


def results(made, real, held=None, names=USUAL, draws=4, **more):
    found = measure(arrange(made, real, held, SPACE, **more), SPACE, names, draws=draws)
    return {r.metric: r for r in found}


def test_every_metric_has_its_row_and_a_good_generator_is_at_the_floor():
    real, held = embedded(1000, 1, split="train"), embedded(1000, 2, split="test")
    found = results(embedded(1000, 3), real, held, draws=2)
    assert set(found) == set(USUAL) and not any(r.refused for r in found.values())
    for name, r in found.items():
        assert r.floor is not None and r.settings["n"] == 1000 and r.seconds >= 0, name
        noise = 0.25 if name == "fd-infinity" else 0.03
        assert abs(r.value - r.floor) <= 0.4 * abs(r.floor) + noise, name
        assert r.interval is None or r.interval[0] <= r.value <= r.interval[1], name
    assert found["fd"].name == "fd1k-train-toy" and found["rke"].name == "rke1k-toy"
    assert found["linear-cas"].value > 0.95 and set(found["linear-cas"].more["by_class"]) == set(CLASSES)
    assert found["authentic"].floor_n == 500  # half of the test rows stand for generated ones


def test_the_order_of_the_pictures_does_not_matter():
    real, held, made = embedded(400, 1), embedded(400, 2), embedded(400, 3)
    order = torch.randperm(400, generator=stream(5))
    turned = Embedded("turned", "", made.features[order], made.rows, made.labels[order], CLASSES)
    names = [n for n in USUAL if n != "fd-infinity"]
    one, other = (results(x, real, held, names, draws=0) for x in (made, turned))
    for name in names:
        assert other[name].value == pytest.approx(one[name].value, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize(
    ("sizes", "held", "floor_n"), [((300, 1000), None, 300), ((300, 400), None, 200), ((300, 400), 350, 300)]
)
def test_the_floor_is_of_as_many_rows_as_there_are(sizes, held, floor_n):
    other = None if held is None else embedded(held, 9)
    found = results(embedded(sizes[0], 1), embedded(sizes[1], 2), other, ["fd", "recall"], draws=0)
    assert found["fd"].floor_n == floor_n and found["fd"].floor > 0
    assert found["fd"].settings["reference_n"] == (700 if sizes[1] == 1000 else 400)
    assert found["fd"].interval is None  # without half samples


def test_fewer_rows_can_be_asked_for():
    found = results(embedded(500, 1), embedded(1000, 2), names=["fd"], count=250)["fd"]
    assert found.name == "fd250-toy" and found.settings["n"] == 250 and found.interval[0] < found.value


def test_a_metric_with_too_few_pictures_or_without_what_it_needs_is_refused_in_one_sentence():
    few = Embedded("few", "", torch.randn(60, 8, generator=stream(1)), torch.arange(60))
    found = results(few, few, names=[*METRICS], draws=2)
    assert {name for name, r in found.items() if not r.refused} == {"vendi", "rke"}
    for r in found.values():
        assert r.refused.count(".") <= 1 + r.refused.count("100.") and (r.value is None) == bool(r.refused)
    assert "200 pictures a set and there are 60" in found["fd"].refused
    assert "same classes" in found["linear-cas"].refused and "--held-out" in found["nearer-train"].refused
    with pytest.raises(UnknownName, match="Did you mean"):
        results(few, few, names=["recal"])


def test_copies_of_one_picture_refuse_what_needs_a_scale_and_no_more():
    same = Embedded("same", "", torch.ones(200, 8), torch.arange(200))
    found = results(embedded(200, 1), same, names=["fd", "rke", "recall"])
    assert found["rke"].refused.startswith("rke: Expected reference rows that differ") and found["fd"].value > 0
    assert found["recall"].value in (0, 1)


def test_classes_of_other_names_give_no_agreement_and_spelling_does_not_matter():
    made = embedded(300, 1, classes=("A", "B_", "c", "d", "e"))
    assert not results(made, embedded(300, 2), names=["class-agreement"])["class-agreement"].refused
    strange = embedded(300, 1, classes=("f", "b", "c", "d", "e"))
    assert results(strange, embedded(300, 2), names=["class-agreement"])["class-agreement"].refused


def test_copies_of_the_training_set_fire_whichever_split_is_the_reference():
    train, test = embedded(500, 1, split="train"), embedded(500, 2, split="test")
    names = ["fd", "nearer-train", "distance-ratio", "authentic"]
    for real, held in ((train, test), (test, train)):
        copied, fresh = results(train, real, held, names), results(embedded(500, 3), real, held, names)
        assert copied["nearer-train"].value == 1 and copied["distance-ratio"].value == 0 == copied["authentic"].value
        assert copied["nearer-train"].more["copies"] == 1 and copied["fd"].value <= 1.3 * copied["fd"].floor
        for name in ("nearer-train", "distance-ratio"):
            assert fresh[name].value == pytest.approx(fresh[name].floor, abs=0.12)


def test_choosing_fakes_by_class_lowers_the_frechet_distance_and_betters_no_picture():
    """The resampling attack of Kynkaanniemi et al. 2022 (arXiv 2203.06026): the same blurred rows, other numbers."""
    real = embedded(1000, 1)
    skewed = embedded(5000, 2, shift=0.8, keep=(640, 160, 80, 80, 40))
    chosen = embedded(5000, 2, shift=0.8, keep=(200,) * 5)
    one, two = (results(x, real, names=["fd", "clipped-density", "density"], draws=0) for x in (skewed, chosen))
    assert two["fd"].value < 0.6 * one["fd"].value  # "better" by nothing but choosing
    gain = two["clipped-density"].value - one["clipped-density"].value
    assert abs(gain) < 0.1 and two["clipped-density"].value < 0.9  # and the pictures are as bad as they were


def test_fewer_rows_than_the_reference_has_do_not_make_a_narrow_generator_look_complete():
    narrow = embedded(2000, 3, keep=(400, 0, 0, 0, 0))
    found = results(narrow, embedded(2000, 1), embedded(2000, 2), ["clipped-coverage", "recall"], draws=2)
    assert found["clipped-coverage"].value < 0.35 < 0.8 < found["clipped-coverage"].floor
    assert 0 <= found["recall"].interval[0] < found["recall"].value < 0.4


@pytest.mark.parametrize("bad", [0.25, 0.5, 0.75])
def test_the_clipped_forms_fall_linearly_with_bad_pictures(bad):
    made = embedded(1000, 3)
    rows = made.features.clone()
    rows[: int(1000 * bad)] += 200
    spoiled = Embedded("spoiled", "", rows, made.rows, made.labels, CLASSES)
    found = results(spoiled, embedded(1000, 1), embedded(1000, 2), ["clipped-density", "clipped-coverage"])
    assert found["clipped-density"].value == pytest.approx(1 - bad, abs=0.06)
    assert found["clipped-coverage"].value == pytest.approx(1 - bad, abs=0.08)


def test_the_inception_score_of_a_space_that_classifies():
    found = results(embedded(1000, 1), embedded(1000, 2), names=["is"])["is"]
    assert found.name == "is1k-toy" and 3.5 < found.value < 5 and not math.isnan(found.interval[0])


def test_only_inception_makes_a_fid():
    space = FeatureSpace("inception", "inception", "299", "0" * 64, SPACE.embed)
    found = measure(arrange(embedded(300, 1), embedded(300, 2), None, space), space, ["fd", "kd", "recall"], draws=0)
    assert [r.name for r in found] == ["fid300-inception", "kid300-inception", "recall300-inception"]
