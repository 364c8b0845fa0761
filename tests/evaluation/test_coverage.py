"""Density and coverage: a case small enough to count by hand, and what both mean at their ends."""

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.metrics.coverage import density_coverage
from zeuxis.rng import stream


def test_a_case_counted_by_hand():
    real = torch.tensor([[0.0], [1.0], [3.0], [10.0]])  # radii to the nearest other (k = 1): 1, 1, 2, 7
    found = density_coverage(torch.tensor([[0.5], [4.0]]), real, k=1)
    assert found.density == pytest.approx((2 + 2) / 2)  # 0.5 lies in the balls of 0 and 1; 4 in those of 3 and 10
    assert found.coverage == pytest.approx(4 / 4)
    assert density_coverage(torch.tensor([[0.5]]), real, k=1).coverage == pytest.approx(2 / 4)


def test_the_same_distribution_is_dense_and_covered_and_another_is_neither():
    real, same = (torch.randn(500, 8, generator=stream(0, k)) for k in range(2))
    near, far = density_coverage(same, real), density_coverage(same + 20, real)
    assert 0.85 < near.density < 1.15 and near.coverage > 0.9
    assert far == (0.0, 0.0)


def test_one_picture_over_and_over_covers_little():
    real = torch.randn(500, 8, generator=stream(0, 0))
    assert density_coverage(torch.zeros(500, 8), real).coverage < 0.5


@pytest.mark.parametrize(("fake", "real", "k"), [((3, 2), (9, 3), 5), ((3, 2), (5, 2), 5), ((0, 2), (9, 2), 5)])
def test_rows_that_cannot_be_compared_are_refused(fake, real, k):
    with pytest.raises(BadInput, match="Expected"):
        density_coverage(torch.zeros(fake), torch.zeros(real), k=k)
