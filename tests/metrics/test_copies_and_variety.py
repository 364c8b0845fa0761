"""Copies fire the detector, where a Frechet distance sees nothing; effective numbers count what differs."""

import pytest
import torch
from metric_samples import drawn, mixture

from zeuxis.errors import BadInput
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.memorisation import authentic_share, distance_ratio
from zeuxis.metrics.vendi import bandwidth, rke, vendi


def test_an_independent_draw_is_as_near_to_either_set():
    found = distance_ratio(drawn(500, 1), drawn(500, 2), drawn(500, 3))
    assert found.nearer_interval[0] < 0.5 < found.nearer_interval[1]
    assert found.ratio == pytest.approx(1, abs=0.05) and found.copies == 0


def test_copies_of_the_training_set_fire_and_the_frechet_distance_is_perfect():
    train, test = drawn(500, 1), drawn(500, 2)
    copies = train[torch.arange(400)]
    found = distance_ratio(copies, train, test)
    assert found.nearer == 1 and found.ratio == 0 and found.copies == 1
    assert authentic_share(copies, train) == 0 < authentic_share(test, train)
    assert frechet_distance(train, copies) < frechet_distance(train, test)


@pytest.mark.parametrize("blur", [0.05, 0.2])
def test_near_copies_fire_as_well(blur):
    train = drawn(500, 1)
    found = distance_ratio(train + blur * drawn(500, 9), train, drawn(500, 2))
    assert found.nearer > 0.95 and found.ratio < 0.5 and found.copies == 0


def test_a_larger_training_set_alone_looks_like_no_copying():
    found = distance_ratio(drawn(500, 1), drawn(3000, 2), drawn(500, 3))
    assert found.nearer == pytest.approx(0.5, abs=0.07)


def test_held_out_copies_are_refused():
    with pytest.raises(BadInput, match="held-out"):
        distance_ratio(drawn(50, 1), drawn(50, 2), drawn(50, 1))


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 2.0, float("inf")])
def test_copies_count_once_and_unlike_rows_one_each(order):
    apart = 1e3 * torch.eye(12).double()
    assert vendi(apart, 1.0, order) == pytest.approx(12)
    assert vendi(apart[:1].expand(50, -1), 1.0, order) == pytest.approx(1)
    assert vendi(apart.repeat(4, 1), 1.0, order) == pytest.approx(12)


def test_a_higher_order_counts_no_more():
    rows = mixture(300)[0]
    found = [vendi(rows, 2.0, order) for order in (0.5, 1.0, 2.0, 5.0)]
    assert found == sorted(found, reverse=True)


def test_rke_by_eigenvalues_and_in_blocks():
    rows = drawn(120, 4)
    kernel = torch.exp(-torch.cdist(rows, rows).square() / (2 * 1.5**2)) / 120
    by_hand = 1 / float(torch.linalg.eigvalsh(kernel).square().sum())
    assert rke(rows, 1.5) == vendi(rows, 1.5, 2) == pytest.approx(by_hand, rel=1e-9)


def test_rke_converges_where_the_shannon_form_goes_on_growing():
    rows = mixture(3000)[0]
    growth = [of(rows[:1200], 3.0) / of(rows[:300], 3.0) for of in (rke, vendi)]
    assert growth[0] < 1.1 < 1.2 < growth[1]


def test_rke_counts_classes():
    rows = mixture(400)[0]
    centres = 6 * torch.eye(5, 8, dtype=torch.float64)[torch.arange(400) % 5]
    assert rke(centres + 0.03 * (rows - centres), 1.0) == pytest.approx(5, rel=0.02)


def test_the_bandwidth_is_of_the_reference_and_must_be_one():
    rows = drawn(400, 1)
    assert bandwidth(3 * rows) == pytest.approx(3 * bandwidth(rows)) and 1.5 < bandwidth(rows) < 2.5
    with pytest.raises(BadInput, match="differ"):
        bandwidth(torch.zeros(9, 2))
    with pytest.raises(BadInput, match="bandwidth"):
        rke(rows, 0.0)
    with pytest.raises(BadInput, match="4000"):
        vendi(torch.zeros(4001, 1), 1.0)
