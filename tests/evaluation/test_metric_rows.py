"""Rows that no metric can use are refused in one sentence that names them and the reason."""

import math

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.evaluation import recognition, retrieval, zero_shot
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.diversity import effective_number, vendi_score
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.inception_score import inception_score
from zeuxis.metrics.kernel import kernel_distance, squared_mmd
from zeuxis.metrics.neighbours import nearest
from zeuxis.metrics.precision_recall import precision_recall
from zeuxis.rng import stream

CLASSES = ("cat", "dog", "truck")


def embed(texts):
    rows = [[float(name in text) + 0.1 for name in CLASSES] for text in texts]
    return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


def labels(rows):
    return torch.arange(len(rows)) % 3


PAIRS = {  # metrics of two sets, as a function of the first; `least` rows of it
    "frechet": (lambda x: frechet_distance(x, good()), 2),
    "frechet, second": (lambda x: frechet_distance(good(), x), 2),
    "kernel": (lambda x: kernel_distance(x, good(), size=2, subsets=2), 2),
    "squared mmd": (lambda x: squared_mmd(x, good()), 2),
    "precision": (lambda x: precision_recall(x, good()), 4),
    "recall": (lambda x: precision_recall(good(), x), 4),
    "coverage": (lambda x: density_coverage(good(), x), 6),
    "density": (lambda x: density_coverage(x, good()), 1),
    "nearest": (lambda x: nearest(x, good()), 1),
    "vote": (lambda x: retrieval.vote(good(), labels(good()), x, 3), 1),
}
SINGLE = {
    "inception score": (lambda x: inception_score(x, splits=3), 3),
    "hits": (lambda x: retrieval.hits(x, labels(x), 1), 1),
    "against": (lambda x: retrieval.against(torch.zeros(len(x)), x), 1),
    "classes": (lambda x: zero_shot.class_accuracy(x, labels(x), CLASSES, embed), 1),
    "terms": (lambda x: zero_shot.term_retrieval(x, labels(x), CLASSES, embed), 1),
    "synonyms": (lambda x: zero_shot.synonym_accuracy(x, labels(x), CLASSES, embed), 1),
    "colours": (lambda x: zero_shot.colour_accuracy(x, ["cat"] * len(x), labels(x), CLASSES, embed), 1),
}
ALL = PAIRS | SINGLE


def good(count=12):
    return torch.randn(count, 3, generator=stream(0, "rows", count))


def refusal(ask, rows):
    with pytest.raises(BadInput) as refused:
        ask(rows)
    text = str(refused.value)
    assert len(text) < 250 and "\n" not in text
    return text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ALL)
def test_a_row_without_numbers_is_named(name, value):
    rows = good()
    rows[7, 1] = value
    text = refusal(ALL[name][0], rows)
    assert "NaN or infinity in 1 of 12" in text and "row 7 " in text


@pytest.mark.parametrize("name", ALL)
def test_too_few_rows_are_counted(name):
    ask, least = ALL[name]
    assert f"at least {least}" in (text := refusal(ask, good()[: least - 1])) and f"got {least - 1}" in text
    ask(good(least))


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("inception score", "hits", "against", "colours")])
def test_rows_of_another_width_are_refused(name):
    text = refusal(ALL[name][0], torch.randn(12, 5, generator=stream(1)))
    assert "one width" in text and "(12, 5)" in text and "3)" in text


@pytest.mark.parametrize("name", ALL)
def test_rows_that_are_no_table_are_refused(name):
    assert "(N, D)" in refusal(ALL[name][0], torch.zeros(12)) or name in ("against", "hits")


def test_vendi_scores_of_pictures_and_distances():
    pictures = torch.rand(4, 3, 8, 8, generator=stream(2))
    assert effective_number(pictures[:1]) == pytest.approx(1)
    assert vendi_score(torch.tensor([[0.0, math.inf], [math.inf, 0.0]])) == pytest.approx(2)
    pictures[2, 0, 0, 0] = math.nan
    assert "row 2 " in refusal(effective_number, pictures)
    assert "row 0 " in refusal(vendi_score, torch.tensor([[0.0, math.nan], [math.nan, 0.0]]))
    assert "(N, N)" in refusal(vendi_score, torch.zeros(2, 3))


def test_labels_that_do_not_fit_are_refused():
    for wrong in (torch.tensor([0, 1]), torch.full((12,), 3), torch.full((12,), -1)):
        with pytest.raises(BadInput, match="label"):
            zero_shot.class_accuracy(good(), wrong, CLASSES, embed)
    with pytest.raises(BadInput, match="label"):
        recognition.recognised(torch.nn.Flatten(), torch.zeros(2, 3, 2, 2), torch.zeros(3))
    with pytest.raises(BadInput, match="at least one trial"):
        recognition.wilson(0.5, 0)


def test_words_and_foils_that_do_not_fit_are_refused():
    with pytest.raises(BadInput, match="12 scores"):
        retrieval.word_hits({"cat": torch.zeros(3)}, torch.zeros(12), {"cat": {0}})
    with pytest.raises(BadInput, match="'cat'"):
        retrieval.word_hits({"cat": torch.full((2,), math.nan)}, torch.zeros(2), {"cat": {0}})
    with pytest.raises(BadInput, match="two kinds"):
        retrieval.random_foils([(1,), (1,)], 1, stream(0))
    with pytest.raises(BadInput, match="sentence"):
        retrieval.ensemble(embed, [])


def test_the_smallest_sets_have_their_value():
    one, two = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]])
    # means 1 and 3, variances 2 and 8: 4 + 2 + 8 - 2 sqrt(16)
    assert frechet_distance(one, two) == pytest.approx(6)
