"""Precision and recall of a set of pictures by nearest neighbours (Kynkaanniemi et al. 2019, arXiv 1904.06991).

Around each row lies the ball that reaches to its k-th nearest neighbour. Precision: the share of generated rows in some
real row's ball. Recall: the share of real rows in some generated row's ball.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows


class PrecisionRecall(NamedTuple):
    """Each in [0, 1], higher is better; `f_score` is their harmonic mean."""

    precision: float
    recall: float
    f_score: float


def precision_recall(generated: Tensor, real: Tensor, *, k: int = 3, block: int = 1000) -> PrecisionRecall:
    """Of features `(N, D)` and `(M, D)`, in float64; `k` neighbours, the row itself not counted."""
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"generated": generated, "real": real}, k + 1, f"for the distance to neighbour {k}")
    fake, true = generated.double(), real.double()
    precision = _covered(fake, true, _radii(true, k, block), block)
    recall = _covered(true, fake, _radii(fake, k, block), block)
    both = precision + recall
    return PrecisionRecall(precision, recall, 2 * precision * recall / both if both else 0.0)


def _radii(rows: Tensor, k: int, block: int) -> Tensor:
    """Distance of each row `(N, D)` to its k-th neighbour: the (k + 1)-th smallest, since its own 0 is among them."""
    return torch.cat([_distances(part, rows).kthvalue(k + 1, dim=1).values for part in torch.split(rows, block)])


def _covered(rows: Tensor, centres: Tensor, radii: Tensor, block: int) -> float:
    """Share of rows within the radius of some centre."""
    inside = [(_distances(part, centres) <= radii).any(1) for part in torch.split(rows, block)]
    return float(torch.cat(inside).double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")  # exact zeros between equal rows
