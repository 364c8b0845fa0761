"""Precision and recall of a set of pictures by nearest neighbours (Kynkaanniemi et al. 2019, arXiv 1904.06991).

Around each row lies the ball that reaches to its k-th nearest neighbour. Precision: the share of generated rows in some
real row's ball. Recall: the share of real rows in some generated row's ball.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.metrics.rows import check_rows


class PrecisionRecall(NamedTuple):
    """Each in [0, 1], higher is better; `f_score` is their harmonic mean."""

    precision: float
    recall: float
    f_score: float


def precision_recall(generated: Tensor, real: Tensor, *, k: int = 3, block: int = 1000) -> PrecisionRecall:
    """Of features `(N, D)` and `(M, D)`, in float64; `k` neighbours, itself not counted; `block` rows at once."""
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"generated": generated, "real": real}, k + 1, f"for the distance to neighbour {k}")
    precision = _covered(generated, real, k, block)
    recall = _covered(real, generated, k, block)
    return PrecisionRecall(precision, recall, harmonic(precision, recall))


def harmonic(precision: float, recall: float) -> float:
    """Their harmonic mean, 0 where both are."""
    both = precision + recall
    return 2 * precision * recall / both if both else 0.0


def _covered(rows: Tensor, centres: Tensor, k: int, block: int) -> float:
    """Share of rows within the ball of some centre."""
    return float((inside(rows, centres, radii(centres, k, block), block)[0] > 0).double().mean())
