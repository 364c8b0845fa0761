"""Shares by nearest neighbours: exact against brute force, linear in bad rows, blind to outliers, loyal to classes."""

import pytest
import torch
from metric_samples import drawn, mixture

from zeuxis.errors import BadInput
from zeuxis.metrics import neighbours
from zeuxis.metrics.clipped import clipped_density_coverage, expected_coverage, share_of_good
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.metrics.precision_recall import precision_recall
from zeuxis.rng import stream


@pytest.mark.parametrize("tile", [(1024, 4096), (7, 11)])
def test_balls_are_those_of_brute_force_ties_and_copies_included(tile, monkeypatch):
    monkeypatch.setattr(neighbours, "TILE", tile)
    grid = torch.cartesian_prod(*[torch.arange(4.0)] * 3) + 1e3  # every distance occurs many times
    rows = torch.cat([grid, grid[:9], grid[:9]])
    apart = (rows[:, None] - rows[None]).double().square().sum(2).sqrt()
    for k in (1, 3, 5):
        reach = radii(rows, k)
        assert torch.equal(reach, apart.sort(1).values[:, k])
        of_rows, of_centres = inside(grid, rows, reach)
        within = apart[: len(grid)] <= reach
        assert torch.equal(of_rows, within.sum(1)) and torch.equal(of_centres, within.sum(0))


def test_neither_order_nor_number_type_matters():
    real, fake = mixture(300)[0].half(), mixture(250, 1)[0].half()
    order = torch.randperm(300, generator=stream(9))
    for of in (precision_recall, density_coverage, clipped_density_coverage):
        found = of(fake, real)
        for dtype in (torch.float32, torch.float64):
            again = of(fake.to(dtype).flip(0), real.to(dtype)[order])
            assert again[:2] == pytest.approx(found[:2], rel=1e-12)


def test_one_distribution_is_good_and_covered():
    found = clipped_density_coverage(drawn(1000, 1), drawn(1000, 2))
    assert found.density > 0.95 and found.coverage > 0.93
    assert 0.9 < found.coverage_interval[0] < found.coverage <= found.coverage_interval[1] <= 1
    far = clipped_density_coverage(drawn(1000, 1, shift=50), drawn(1000, 2))
    assert far.density == far.coverage == 0


@pytest.mark.parametrize("bad", [0.2, 0.4, 0.6, 0.8])
def test_both_clipped_forms_fall_linearly_with_the_share_of_bad_rows(bad):
    fake, count = drawn(1000, 1), int(1000 * bad)
    fake[:count] += 100
    found = clipped_density_coverage(fake, drawn(1000, 2))
    assert found.density == pytest.approx(1 - bad, abs=0.05) and found.coverage == pytest.approx(1 - bad, abs=0.08)


def test_what_is_expected_of_m_good_rows():
    table = expected_coverage(400, 200, 5)
    assert table[0] == 0 and bool((table.diff() > 0).all()) and table[-1] < 1
    mass = torch.distributions.Beta(5.0, 195.0).sample((200_000,))
    hits = torch.binomial(torch.full_like(mass, 100), mass).clamp(max=5).mean() / 5
    assert float(table[100]) == pytest.approx(float(hits), abs=0.005)
    assert share_of_good(float(table[137]), table) == pytest.approx(137 / 400)
    assert share_of_good(2.0, table) == 1 and share_of_good(0.0, table) == 0


def test_unclipped_density_is_not_linear():
    real = torch.cat([drawn(500, 1) * 0.05, drawn(500, 2) + 20])
    tight = torch.zeros(1000, 8).double()  # one point in the dense half: in hundreds of balls
    assert density_coverage(tight, real).density > 2.5
    assert clipped_density_coverage(tight, real).density == 1
    assert clipped_density_coverage(tight, real).coverage < 0.6


def test_one_outlier_does_not_move_the_clipped_forms_and_moves_precision():
    real, fake = drawn(500, 1), drawn(500, 2) + 30
    odd = torch.cat([real, torch.full((1, 8), 500.0).double()])
    assert precision_recall(fake, real).precision == 0 and precision_recall(fake, odd).precision == 1
    assert clipped_density_coverage(fake, odd).density < 0.01
    good = drawn(500, 3)
    one = torch.cat([good, torch.full((1, 8), -500.0).double()])
    assert abs(clipped_density_coverage(one, real).coverage - clipped_density_coverage(good, real).coverage) < 0.01


def test_one_outlier_moves_recall_the_other_way_and_clipped_coverage_not():
    real, fake = drawn(500, 1) + 30, drawn(500, 2)
    odd = torch.cat([fake, torch.full((1, 8), 500.0).double()])
    assert precision_recall(odd, real).recall == 1 > precision_recall(fake, real).recall
    assert clipped_density_coverage(odd, real).coverage < 0.01


def test_dropped_classes_lower_recall_and_coverage_only():
    (real, _), (fake, labels) = mixture(800, 1), mixture(4000, 2)
    found, fidelity = [], []
    for kept in (5, 4, 3, 2, 1):
        some = fake[labels < kept][:800]  # the same number each time
        shares, balls, clipped = (f(some, real) for f in (precision_recall, density_coverage, clipped_density_coverage))
        found.append((shares.recall, balls.coverage, clipped.coverage))
        fidelity.append((shares.precision, balls.density, clipped.density))
    for column in zip(*found, strict=True):
        assert list(column) == sorted(column, reverse=True) and column[-1] < 0.35 * column[0]
    for column in zip(*fidelity, strict=True):
        assert min(column) > 0.85 * column[0]


@pytest.mark.parametrize("of", [precision_recall, density_coverage, clipped_density_coverage])
def test_too_few_rows_and_no_neighbours_are_refused(of):
    with pytest.raises(BadInput, match="at least"):
        of(drawn(9), drawn(3))
    with pytest.raises(BadInput, match="neighbour"):
        of(drawn(9), drawn(9), k=0)
