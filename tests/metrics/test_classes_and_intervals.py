"""Class agreement, accuracy of a head trained on samples, CLIP score, and the intervals of all."""

import math

import pytest
import torch
from metric_samples import drawn, mixture

from zeuxis.errors import BadInput
from zeuxis.metrics.agreement import class_agreement, confusion
from zeuxis.metrics.clip_score import clip_scores
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.intervals import around, bootstrap, of_runs, parts, ratio_of_runs, wilson
from zeuxis.metrics.linear_head import LinearHead, accuracy_score
from zeuxis.rng import stream


def test_agreement_counts_classes_and_the_first_few():
    scores = torch.tensor([[3.0, 2, 1], [1, 3, 2], [3, 1, 2], [1, 2, 3]])
    labels = torch.tensor([0, 1, 2, 0])
    found = class_agreement(scores, labels)
    assert found.share == 0.5 and found.interval[0] < 0.5 < found.interval[1]
    assert found.by_class.tolist() == [0.5, 1, 0]
    assert class_agreement(scores, labels, top=2).share == 0.75 and class_agreement(scores, labels, top=3).share == 1
    assert math.isnan(class_agreement(scores[:1], labels[:1]).by_class[2])
    assert confusion(scores.argmax(1), labels, 3).tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]
    with pytest.raises(BadInput, match="1 to 3"):
        class_agreement(scores, labels, top=4)


def test_a_head_trained_on_good_samples_knows_real_rows():
    (fake, labels), (real, truth) = mixture(200, 1), mixture(200, 2)
    assert accuracy_score(fake, labels, real, truth, 5).share > 0.95
    shuffled = labels[torch.randperm(200, generator=stream(3))]
    assert accuracy_score(fake, shuffled, real, truth, 5).share < 0.5


def test_a_lost_class_has_a_low_share_of_its_own_while_the_total_hides_it():
    (fake, labels), (real, truth) = mixture(500, 1), mixture(500, 2)
    fake = fake.clone()
    fake[labels == 3] = fake[labels == 0]  # the generator draws class 0 in place of 3
    found = accuracy_score(fake, labels, real, truth, 5)
    assert found.by_class[3] < 0.5 and found.by_class[[1, 2, 4]].min() > 0.9 and found.share > 0.6


def test_a_head_needs_two_classes_and_one_width():
    with pytest.raises(BadInput, match="two classes"):
        LinearHead(drawn(9), torch.zeros(9, dtype=torch.int64), 3)
    with pytest.raises(BadInput, match="one width"):
        LinearHead(*mixture(20), 5)(drawn(3, width=2))


def test_the_clip_score_is_the_cosine_of_each_pair():
    images, texts = torch.tensor([[1.0, 0], [3, 4], [0, 2]]), torch.tensor([[2.0, 0], [4, 3], [0, -1]])
    assert clip_scores(images, texts).tolist() == pytest.approx([100, 96, 0])
    for wrong in (texts[:2], torch.zeros(3, 2)):
        with pytest.raises(BadInput, match="Expected"):
            clip_scores(images, wrong)


def test_the_bootstrap_holds_the_true_mean_about_as_often_as_it_says():
    held = sum(low < 0 < high for low, high in (bootstrap(drawn(60, k, 1)[:, 0], draws=200) for k in range(60)))
    assert 50 <= held <= 60
    with pytest.raises(BadInput, match="20 draws"):
        bootstrap(drawn(9)[:, 0], draws=3)


def test_of_few_runs_the_interval_is_students():
    """Ten sets of three runs about 0: Student's holds the truth about as often as it says, a bootstrap does not."""
    held = sum(low < 0 < high for low, high in (of_runs(drawn(3, k, 1)[:, 0].tolist()) for k in range(100)))
    narrow = sum(low < 0 < high for low, high in (bootstrap(drawn(3, k, 1)[:, 0], draws=200) for k in range(100)))
    assert held >= 90 > narrow
    low, high = of_runs([0.9, 1.0, 0.8])
    assert low < 0.9 < 1 < high and of_runs([0.9, 1.0, 0.8], within=(0, 1)) == (low, 1.0)
    assert of_runs([0.1, 1.0], within=(-1, 1)) == (-1, 1)
    assert of_runs([1.0]) is None and of_runs([1.0, 1.0]) == (1.0, 1.0)
    many = drawn(11, 1, 1)[:, 0]
    assert of_runs(many.tolist()) == pytest.approx(bootstrap(many))


def test_a_ratio_of_runs_has_its_interval():
    held = 0
    for k in range(100):
        pairs = drawn(8, k, 2) * 0.2 + torch.tensor([1.0, 2.0])
        low, high = ratio_of_runs(pairs[:, 0].tolist(), pairs[:, 1].tolist())
        held += low < 0.5 < high
    assert held >= 90
    assert ratio_of_runs([1.0, 1.0], [2.0, 2.0]) is None and ratio_of_runs([1.0] * 3, [0.0, 0.0, 1.0]) is None


def test_an_interval_of_a_share_lies_between_0_and_1():
    assert wilson(0.0, 40)[0] == 0 and wilson(1.0, 40)[1] == 1


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_parts_have_the_spread_of_fresh_sets(share):
    """The deviation over parts of one pair of sets against that over 40 fresh pairs."""
    fresh = torch.tensor([frechet_distance(drawn(200, 2 * k), drawn(200, 2 * k + 1, shift=0.5)) for k in range(40)])
    one, two = drawn(200, 1000), drawn(200, 1001, shift=0.5)
    pairs = zip(parts(200, 40, 1, share), parts(200, 40, 2, share), strict=True)
    found = [frechet_distance(one[a], two[b]) for a, b in pairs]
    low, high = around(2.0, found, share)
    assert 0.5 < (high - low) / (2 * 1.96 * float(fresh.std())) < 2
    assert low < 2 < high and around(2.0, [1.0]) is None and around(math.nan, [1.0, 2.0]) is None
    assert all(len(set(rows.tolist())) == 100 for rows in parts(200, 3))
