"""Distances against closed forms: Frechet, its line to infinitely many, kernel, Wasserstein; and streaming moments."""

import math

import pytest
import torch
from metric_samples import drawn
from scipy import stats

from zeuxis.errors import BadInput
from zeuxis.metrics import kernel
from zeuxis.metrics.frechet import frechet_distance, frechet_of, frechet_to_infinity, gaussian_distance
from zeuxis.metrics.kernel import block_mmd, squared_mmd
from zeuxis.metrics.moments import Moments
from zeuxis.metrics.wasserstein import mind, sliced_wasserstein, wasserstein_1d, wasserstein_exact


@pytest.mark.parametrize("sizes", [(500,), (1, 499), (100, 200, 200)])
def test_moments_do_not_depend_on_the_pieces(sizes):
    rows = (drawn(500) * torch.arange(1, 9) + 1e4).float()
    found = Moments()
    for piece in torch.split(rows, sizes):
        found.add(piece)
    assert torch.allclose(found.mean, rows.double().mean(0), rtol=1e-12)
    assert torch.allclose(found.covariance, torch.cov(rows.double().T), rtol=1e-8, atol=1e-8)
    halves = Moments().add(rows[:123]).merge(Moments().add(rows[123:]))
    assert torch.allclose(halves.covariance, found.covariance, rtol=1e-9, atol=1e-9)


def test_moments_refuse_what_has_none():
    with pytest.raises(BadInput, match="at least 2"):
        _ = Moments().add(drawn(1)).covariance
    with pytest.raises(BadInput, match="one width"):
        Moments().add(drawn(5)).add(drawn(5, width=3))


def test_a_streamed_frechet_distance_is_the_same():
    one, two = drawn(700).float(), drawn(600, 1, shift=0.3).float()
    streamed = frechet_of(Moments().add(one), Moments().add(two))
    assert streamed == pytest.approx(frechet_distance(one, two), rel=1e-9)


def test_the_distance_of_two_gaussians_has_a_closed_form():
    zero, one = torch.zeros(3).double(), torch.tensor([1.0, 2, 3]).double()
    a, b = torch.diag(torch.tensor([1.0, 4, 9]).double()), torch.diag(torch.tensor([4.0, 4, 1]).double())
    assert gaussian_distance(zero, a, one, b) == pytest.approx(14 + 1 + 0 + 4)  # |m|^2 + sum (s1 - s2)^2


def test_the_frechet_distance_is_too_high_by_a_constant_over_n_and_the_line_removes_it():
    real, fake = drawn(3000, 1, 16), drawn(3000, 2, 16)
    few, many = frechet_distance(real[:500], fake[:500]), frechet_distance(real, fake)
    assert few / many == pytest.approx(6, rel=0.35)  # 3000 / 500
    line = frechet_to_infinity(real, fake)
    assert abs(line.value) < 3 * line.error + 0.3 * many < many and len(line.points) == 15


def test_the_line_ends_at_the_true_distance():
    line = frechet_to_infinity(drawn(3000, 3), drawn(3000, 4, shift=0.5))
    assert line.value == pytest.approx(8 * 0.25, rel=0.1) and line.slope > 0
    with pytest.raises(BadInput, match="at least 10"):
        frechet_to_infinity(drawn(9), drawn(30))


def test_the_line_begins_where_there_are_as_many_rows_as_columns():
    """Of fewer the distance is no line in 1 / n: begun at a tenth of 4 D rows it ended a quarter too high."""
    spread = 10 * torch.arange(1, 65).double().rsqrt()
    for seed in range(3):
        real, fake = (drawn(256, 2 * seed + k, 64) * spread for k in (0, 1))
        line, plain = frechet_to_infinity(real, fake), frechet_distance(real, fake)
        assert line.points[0][0] == 64 and line.points[-1][0] == 256
        assert abs(line.value) < 0.15 * plain


def test_the_kernel_distance_of_one_distribution_straddles_zero():
    found = [squared_mmd(drawn(150, 2 * k), drawn(150, 2 * k + 1)) for k in range(20)]
    mean, spread = sum(found) / 20, torch.tensor(found).std()
    assert min(found) < 0 < max(found) and abs(mean) < 3 * spread / math.sqrt(20)


def test_the_kernel_distance_of_shifted_constants_by_hand():
    x, y = torch.full((50, 1), 1.0), torch.full((40, 1), 3.0)  # k(1, 1) = 8, k(3, 3) = 1000, k(1, 3) = 64
    assert squared_mmd(x, y) == pytest.approx(8 + 1000 - 128)


def test_blocks_are_unbiased_though_the_rows_are_sorted(monkeypatch):
    x = drawn(600, 5).sort(0).values
    exact = squared_mmd(x, drawn(500, 6, shift=0.4))
    assert block_mmd(x, drawn(500, 6, shift=0.4), block=100) == pytest.approx(exact, rel=0.25)
    assert block_mmd(x, drawn(500, 6, shift=0.4)) == exact
    monkeypatch.setattr(kernel, "BLOCK", 64)
    assert squared_mmd(x, drawn(500, 6, shift=0.4)) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (40, 70), (7, 3), (1, 5)])
def test_the_distance_on_a_line_is_scipys(n, m):
    x, y = drawn(n, 1, 1)[:, 0], 2 * drawn(m, 2, 1)[:, 0] + 1
    assert wasserstein_1d(x, y) == pytest.approx(stats.wasserstein_distance(x.numpy(), y.numpy()), rel=1e-9)
    assert wasserstein_1d(x, y, p=2) >= wasserstein_1d(x, y)
    assert wasserstein_1d(x, x + 3, p=2) == pytest.approx(3)


def test_a_shift_gives_three_times_its_square():
    x = drawn(300, 1, 12)
    assert mind(x + 0.5, x, directions=4000) == pytest.approx(3 * 12 * 0.25, rel=0.05)
    assert sliced_wasserstein(x + 0.5, x, directions=4000) == pytest.approx(0.5, rel=0.03)  # |s| / sqrt(D)
    assert mind(x, x.flip(0)) == pytest.approx(0, abs=1e-12)


def test_the_exact_distance_agrees_with_the_line_and_bounds_the_sliced_one():
    x, y = drawn(40, 1, 1), drawn(40, 2, 1) * 2
    assert wasserstein_exact(x, y, 2) == pytest.approx(wasserstein_1d(x[:, 0], y[:, 0], 2), rel=1e-9)
    assert wasserstein_exact(x[:12], y[:20], 1) == pytest.approx(wasserstein_1d(x[:12, 0], y[:20, 0]), rel=1e-6)
    a, b = drawn(60, 3), drawn(60, 4, shift=1.0)
    assert sliced_wasserstein(a, b) < wasserstein_exact(a, b, 2)
    assert wasserstein_exact(a, a + 2, 1) == pytest.approx(2 * math.sqrt(8))
    with pytest.raises(BadInput, match="sliced"):
        wasserstein_exact(drawn(2001), drawn(2001))
