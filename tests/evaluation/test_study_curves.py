"""Curves with known answers: where a judge peaks, what lies between it and the score, where a plateau begins."""

import math

import numpy as np
import pytest

from zeuxis.errors import BadInput
from zeuxis.evaluation.curves import area_between, band, peak, places_of, plateau, read_at


def test_the_peak_of_a_judge_that_falls():
    images = [10, 100, 1000, 10_000]
    found = peak(images, [0.1, 0.5, 0.8, 0.6])
    assert (found.index, found.images, found.value) == (2, 1000, 0.8) and found.lost == pytest.approx(0.2)
    assert peak(images, [0.5, 0.8, 0.8, 0.1]).images == 100  # the first of equals
    assert peak(images, [math.nan, 0.2, 0.1, 0.1]).images == 100
    with pytest.raises(BadInput):
        peak(images, [math.nan] * 4)


def test_the_area_between_in_closed_form():
    images = np.array([1.0, 10.0, 100.0])
    assert area_between(images, [0, 1, 2], [0.0, 0.5, 1.0]) == pytest.approx(0)  # alike, in other units
    assert area_between(images, [0, 1, 2], [3, 3, 3]) == pytest.approx(0.5)  # a triangle of height 1
    assert area_between(images, [0, 1, 2], [0, 1, 0]) == pytest.approx(0.5 - 0.5)
    assert area_between(images, [0, 1, 2], [1, 0.5, 0]) == pytest.approx(1)  # the judge falls all the way
    assert area_between([1, 100], [0, 1], [1, 1]) == pytest.approx(0.5)  # places do not matter where it is straight
    for wrong in ([1.0], [0.0, 1.0], [5.0, 5.0]):
        with pytest.raises(BadInput):
            area_between(wrong, wrong, wrong)


def test_steps_and_bands():
    assert np.array_equal(read_at(([10, 20], [1.0, 2.0]), [5, 10, 19, 20, 99]), [math.nan, 1, 1, 2, 2], equal_nan=True)
    runs = [([10, 20], [0.0, 1.0]), ([12, 20], [2.0, 3.0])]
    found = band(runs, [10, 12, 20])
    assert found.images.tolist() == [12, 20] and found.mean.tolist() == [1, 2]
    assert (found.low < found.mean).all() and (found.high > found.mean).all()
    places = places_of(runs)
    assert places[0] == 12 and places[-1] == 20
    with pytest.raises(BadInput):
        read_at(([20, 10], [1.0, 2.0]), [1])


def test_the_plateau():
    assert plateau([1, 2, 3, 4], [0.0, 0.9, 0.995, 1.0]) == 3
    assert plateau([5, 6], [1.0, 1.0]) == 5
