"""Every metric against its formula in NumPy and SciPy: sizes, seeds, copies, constant columns, half precision."""

import numpy as np
import plain_metrics as plain
import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.metrics.clipped import clipped_density_coverage, expected_coverage
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.frechet import frechet_distance, frechet_of, frechet_to_infinity
from zeuxis.metrics.inception_score import inception_score
from zeuxis.metrics.kernel import block_mmd, kernel_distance, squared_mmd
from zeuxis.metrics.memorisation import authentic_share, distance_ratio
from zeuxis.metrics.moments import Moments
from zeuxis.metrics.precision_recall import precision_recall
from zeuxis.metrics.vendi import bandwidth, rke, vendi
from zeuxis.metrics.wasserstein import mind, sliced_wasserstein
from zeuxis.rng import stream

SIZES = [(40, 36, 128), (64, 48, 96), (253, 311, 64), (500, 400, 16)]  # generated, real, width: few rows first
KINDS = ["plain", "copies", "constant", "half", "shifted"]


def features(size, seed, kind="plain"):
    """Non-negative and sparse as pooled features are."""
    n, m, width = size
    rng = np.random.default_rng([seed, n])
    mixing = rng.normal(size=(width, width)) / width**0.5
    fake, real = (np.maximum(rng.normal(shift, 1, (count, width)) @ mixing + 0.2, 0)
                  for count, shift in ((n, 0.1), (m, 0.0)))  # fmt: skip
    fake, real = (torch.from_numpy(x).float() for x in (fake, real))
    if kind == "copies":
        fake[:7], real[3:9], fake[10] = fake[0], real[3], real[0]
    elif kind == "constant":
        fake[:, :3], real[:, :3] = 0.25, 0.25
    elif kind == "half":
        fake, real = fake.half(), real.half()
    elif kind == "shifted":
        fake, real = fake + 1000, real + 1000
    return fake, real


CASES = [(size, seed, kind) for size in SIZES for seed in (0, 1) for kind in (KINDS if not seed else KINDS[:2])]


@pytest.mark.parametrize(("size", "seed", "kind"), CASES)
def test_distances(size, seed, kind):
    fake, real = features(size, seed, kind)
    scale = 1 if kind != "shifted" else 1e4  # the covariances lose 6 digits to the shift in any program
    assert frechet_distance(fake, real) == pytest.approx(plain.frechet(fake, real), rel=1e-6 * scale, abs=1e-6)
    assert frechet_distance(real, fake) == pytest.approx(plain.frechet(real, fake), rel=1e-6 * scale, abs=1e-6)
    streamed = frechet_of(Moments().add(fake[:20]).add(fake[20:]), Moments().add(real))
    assert streamed == pytest.approx(plain.frechet(fake, real), rel=1e-6 * scale, abs=1e-6)
    assert squared_mmd(fake, real) == pytest.approx(plain.mmd(fake, real), rel=1e-6 * scale)
    size = min(len(fake), len(real)) // 2
    found, expected = kernel_distance(fake, real, subsets=20, size=size), plain.kid(fake, real, 20, size)
    assert found == pytest.approx(expected, rel=1e-6 * scale)
    assert block_mmd(fake, real) == squared_mmd(fake, real)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("size", "seed", "kind"), CASES)
def test_shares_by_neighbours_are_exact(size, seed, kind, k):
    fake, real = features(size, seed, kind)
    assert tuple(precision_recall(fake, real, k=k)) == pytest.approx(plain.precision_recall(fake, real, k), rel=1e-14)
    assert tuple(density_coverage(fake, real, k=k)) == pytest.approx(plain.density_coverage(fake, real, k), rel=1e-14)
    clipped = clipped_density_coverage(fake, real, k=k)
    assert clipped.density == pytest.approx(plain.clipped_density(fake, real, k), rel=1e-12)
    coverage, expected = plain.clipped_coverage(fake, real, k)
    assert clipped.coverage == pytest.approx(coverage, rel=1e-9)
    assert expected_coverage(len(fake), len(real), k).tolist() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("size", "seed", "kind"), CASES)
def test_variety_and_copying(size, seed, kind):
    fake, real = features(size, seed, kind)
    sigma = bandwidth(real)
    whole = plain.apart(real, real)[np.triu_indices(len(real), 1)]
    assert sigma == pytest.approx(np.sort(whole)[(len(whole) - 1) // 2] / 2, rel=1e-6)  # all pairs, the lower median
    for order in (1.0, 0.5, 2.0, 3.0):
        assert vendi(fake, sigma, order) == pytest.approx(plain.vendi(fake, sigma, order), rel=1e-6)
    assert rke(fake, sigma) == pytest.approx(plain.vendi(fake, sigma, 2.0), rel=1e-6)
    assert authentic_share(fake, real) == pytest.approx(plain.authentic(fake, real), abs=1e-14)
    half = len(real) // 2
    found = distance_ratio(fake, real[:half], real[half : 2 * half])
    near, far = (plain.apart(fake, x).min(1) for x in (real[:half], real[half : 2 * half]))
    assert found.nearer == pytest.approx((near < far).mean() + 0.5 * (near == far).mean(), abs=1e-14)
    assert found.copies == pytest.approx((near == 0).mean(), abs=1e-14)


@pytest.mark.parametrize(("size", "seed", "kind"), CASES)
def test_sliced_distances(size, seed, kind):
    fake, real = features(size, seed, kind)
    count = min(len(fake), len(real))
    drawn = torch.randn(fake.shape[1], 200, generator=stream(seed, "directions"), dtype=torch.float64)
    expected = plain.sliced(fake[:count], real[:count], (drawn / drawn.norm(dim=0)).numpy())
    found = sliced_wasserstein(fake[:count], real[:count], directions=200, seed=seed)
    assert found == pytest.approx(expected, rel=1e-9)
    squared = mind(fake[:count], real[:count], directions=200, seed=seed)
    assert squared == pytest.approx(3 * fake.shape[1] * expected**2, rel=1e-9)
    line = frechet_to_infinity(fake, real)
    assert line.value == pytest.approx(plain.line_to_infinity(line.points), rel=1e-6, abs=1e-6)
    assert line.points[-1][0] == count


@pytest.mark.parametrize("count", [10, 253, 1000])
@pytest.mark.parametrize("classes", [2, 60])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_inception_score(count, classes, dtype):
    for seed in range(3):
        logits = torch.randn(count, classes, generator=stream(seed, "logits")).mul(4).to(dtype)
        for splits, shuffle in ((10, True), (10, False), (1, True)):
            found = inception_score(logits, splits=splits, shuffle=shuffle)
            assert found == pytest.approx(plain.inception_score(logits, splits, shuffle), rel=1e-9, abs=1e-12)


def test_rows_that_are_all_one_row_have_values_not_nan():
    same = torch.full((40, 6), 0.5)
    other = features((40, 40, 6), 3)[1]
    assert frechet_distance(same, same) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(same, other) == pytest.approx(plain.frechet(same, other), rel=1e-9)
    assert kernel_distance(same, same, subsets=3, size=20) == pytest.approx((0, 0), abs=1e-12)
    assert precision_recall(same, same) == (1, 1, 1) and density_coverage(same, same).coverage == 1
    assert precision_recall(same, other)[:2] == plain.precision_recall(same, other, 3)[:2]
    assert vendi(same, 1.0) == pytest.approx(1) and rke(same, 1.0) == pytest.approx(1)
    with pytest.raises(BadInput, match="differ"):
        bandwidth(same)


WRONG = {"nan": float("nan"), "infinity": float("inf")}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "of",
    [
        *(frechet_distance, squared_mmd, block_mmd, precision_recall, density_coverage, clipped_density_coverage, mind),
        *(sliced_wasserstein, authentic_share, frechet_to_infinity, lambda a, b: kernel_distance(a, b, size=5)),
        *(lambda a, b: rke(b, 1.0), lambda a, b: vendi(b, 1.0), lambda a, b: inception_score(b)),
        *(lambda a, b: bandwidth(b), lambda a, b: Moments().add(b)),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_no_metric_takes_a_row_that_is_no_number(of, wrong, dtype):
    fake, real = (x.to(dtype) for x in features((30, 30, 5), 0))
    real[17, 2] = WRONG[wrong]
    with pytest.raises(BadInput, match="row 17"):
        of(fake, real)
