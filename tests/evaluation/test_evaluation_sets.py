"""Figures of sets of images: Frechet distance, effective number, neighbours, recognition and its interval."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from zeuxis.evaluation.recognition import predict, recognised
from zeuxis.metrics.diversity import SIGMA, effective_number
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.intervals import wilson
from zeuxis.metrics.neighbours import nearest
from zeuxis.rng import stream

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "metrics"


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=stream(seed, "noise"), dtype=torch.float64)


def pictures(count, seed=0):
    return torch.rand(count, 3, 8, 8, generator=stream(seed, "pictures"))


def gaussian(mean, covariance, count=400):
    """Points whose mean and covariance are exactly these."""
    x = noise(count, len(mean))
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(torch.cov(x.T)), x.T, upper=False).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def denman_beavers(a, turns=40):
    """Matrix square root by an iteration that knows no eigenvalues (Denman and Beavers 1976)."""
    y, z = a, torch.eye(len(a), dtype=a.dtype)
    for _ in range(turns):
        y, z = (y + torch.linalg.inv(z)) / 2, (z + torch.linalg.inv(y)) / 2
    return y


def test_frechet_distance_of_diagonal_gaussians_by_hand():
    m1, m2 = torch.tensor([0.0, 1.0, -2.0]).double(), torch.tensor([1.0, 1.0, 0.0]).double()
    s1, s2 = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 2.0, 1.0]).double()
    real, fake = gaussian(m1, torch.diag(s1**2)), gaussian(m2, torch.diag(s2**2))
    expected = (m1 - m2).square().sum() + (s1 - s2).square().sum()  # 5 + 4.25
    assert frechet_distance(real, fake) == pytest.approx(float(expected), rel=1e-9)


def test_frechet_distance_of_any_covariances_by_brute_force():
    real, fake = noise(300, 6) @ noise(6, 6, seed=1), noise(200, 6, seed=2) @ noise(6, 6, seed=3) + 0.5
    c1, c2 = torch.cov(real.T), torch.cov(fake.T)
    gap = (real.mean(0) - fake.mean(0)).square().sum()
    expected = gap + (c1 + c2 - 2 * denman_beavers(c1 @ c2)).trace()
    assert frechet_distance(real, fake) == pytest.approx(float(expected), rel=1e-6)


def test_frechet_distance_of_equal_sets_is_zero_and_it_is_symmetric():
    one, two = noise(100, 5), noise(80, 5, seed=1) + 1
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, two) == pytest.approx(frechet_distance(two, one), rel=1e-9)


def test_fewer_rows_than_features_are_no_problem():
    assert math.isfinite(frechet_distance(noise(10, 30), noise(12, 30, seed=1)))


@pytest.mark.skipif(not FIXTURE.exists(), reason="needs shared/fixtures/metrics beside the repository")
@pytest.mark.parametrize(("name", "rows"), [("fid", 256), ("fid_small", 48)])
def test_frechet_distance_agrees_with_torch_fidelity(name, rows):
    given, expected = (load_file(FIXTURE / f"{kind}.safetensors") for kind in ("inputs", "outputs"))
    found = frechet_distance(given["real"], given["generated"][:rows])
    assert found == pytest.approx(expected[name].item(), rel=1e-6)


def test_copies_count_once():
    assert effective_number(pictures(1).expand(20, 3, 8, 8)) == pytest.approx(1)


def test_unlike_images_count_one_each():
    corners = torch.zeros(8, 3, 8, 8)
    for k in range(8):
        corners[k, :, k] = 30.0  # far apart: the kernel between any two is 0
    assert effective_number(corners) == pytest.approx(8, rel=1e-6)


def test_pairs_of_copies_count_half():
    assert effective_number(pictures(10).repeat_interleave(2, 0)) == pytest.approx(10, rel=0.01)


def test_two_images_by_hand():
    one = torch.zeros(1, 3, 4, 4)
    k = math.exp(-(0.2**2) / (2 * SIGMA**2))
    p = torch.tensor([(1 + k) / 2, (1 - k) / 2])
    expected = torch.exp(-(p * p.log()).sum())
    assert effective_number(torch.cat([one, one + 0.2])) == pytest.approx(float(expected), rel=1e-5)


def test_more_spread_counts_more():
    base = pictures(1).expand(12, 3, 8, 8)
    found = [effective_number(base + spread * pictures(12, seed=1)) for spread in (0.0, 0.02, 0.1, 0.3, 1.0)]
    assert found == sorted(found) and found[0] < 1.01 and found[-1] > 11


def test_no_image_counts_nothing():
    assert effective_number(torch.empty(0, 3, 8, 8)) == 0


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 12), seed=st.integers(0, 999))
def test_the_effective_number_lies_between_one_and_all(count, seed):
    shown = pictures(count, seed)
    order = torch.randperm(count, generator=stream(seed, "order"))
    found = effective_number(shown)
    assert 1 - 1e-6 <= found <= count + 1e-6
    assert effective_number(shown[order]) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_the_nearest_row_is_found_whatever_the_block(block):
    training, queries = noise(20, 5).float(), noise(6, 5, seed=1).float()
    distance, where = nearest(queries, training, block)
    brute = (queries[:, None] - training[None]).square().mean(2).sqrt()
    assert torch.equal(where, brute.argmin(1))
    assert torch.allclose(distance, brute.amin(1), atol=1e-5)


def test_a_copy_is_found_at_distance_zero():
    training = pictures(60).flatten(1)
    distance, where = nearest(training[[41, 7]] + 0, training)
    assert where.tolist() == [41, 7] and distance.max() < 1e-3


class Reddest(torch.nn.Module):
    """Logits are the mean red, green and blue."""

    def forward(self, x):
        return x.mean((2, 3))


def test_recognised_is_the_share_taken_for_their_labels():
    images = torch.eye(3)[[0, 1, 2, 2, 0]][:, :, None, None].expand(5, 3, 8, 8)
    assert predict(Reddest(), images, batch=2).tolist() == [0, 1, 2, 2, 0]
    assert recognised(Reddest(), images, torch.tensor([0, 1, 2, 0, 1])) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (0.9, 100, 0.8256, 0.9448), (0.0, 20, 0.0, 0.1611), (1.0, 20, 0.8389, 1.0)],
)
def test_the_wilson_interval_has_its_published_values(share, count, low, high):
    assert wilson(share, count) == pytest.approx((low, high), abs=1e-4)


def test_more_trials_narrow_the_interval():
    widths = [high - low for low, high in (wilson(0.7, count) for count in (10, 100, 1000, 10_000))]
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.02
