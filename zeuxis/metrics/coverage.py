"""Density and coverage (Naeem et al. 2020, arXiv 2002.09797): fidelity and variety that one outlier cannot move.

Around each real row lies the ball that reaches to its k-th nearest real neighbour.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.metrics.rows import check_rows


class DensityCoverage(NamedTuple):
    """`density` >= 0, about 1 for real pictures; `coverage` in [0, 1]."""

    density: float
    coverage: float


def density_coverage(generated: Tensor, real: Tensor, *, k: int = 5) -> DensityCoverage:
    """Of features `(N, D)` and `(M, D)`, in float64; `k` neighbours, the row itself not counted.

    Density (Eq. 5): the mean number of real balls that a generated row lies in, over k. Coverage (Eq. 6): the share of
    real balls with a generated row in them.
    """
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"generated": generated, "real": real})
    check_rows({"real": real}, k + 1, f"for the distance to neighbour {k}")
    balls, held = inside(generated, real, radii(real, k))
    return DensityCoverage(float(balls.double().mean() / k), float((held > 0).double().mean()))
