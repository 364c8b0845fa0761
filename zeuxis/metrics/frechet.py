"""Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, arXiv 1706.08500, Eq. 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.metrics.rows import check_rows


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features (N, D) and (M, D), in float64.

    tr (C1 C2)^(1/2) is the sum of the square roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric.
    BadInput for fewer than two rows, rows of two widths, NaN or infinity.
    """
    check_rows({"real": real, "generated": fake}, 2, "for a covariance")
    (m1, c1), (m2, c2) = _moments(real), _moments(fake)
    values, vectors = torch.linalg.eigh(c1)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ c2 @ root).clamp(min=0).sqrt().sum()
    return float((m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * cross)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.double()
    return x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])  # of one column cov gives a number
