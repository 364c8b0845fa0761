"""Kernel Inception Distance: squared maximum mean discrepancy of features (Binkowski et al. 2018, arXiv 1801.01401).

Kernel k(x, y) = (x.y / D + 1)^3. The estimate is unbiased (Gretton et al. 2012, Eq. 3), so it may be negative, and does
not depend on the number of pictures as the Frechet distance does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows

SEED = 2020  # torch-fidelity's, so that the same features give the same number


def kernel_distance(
    generated: Tensor, real: Tensor, *, subsets: int = 100, size: int = 1000, seed: int = SEED
) -> tuple[float, float]:
    """Mean and standard deviation over random subsets of rows `(N, D)` and `(M, D)`, in float64."""
    check_rows({"generated": generated, "real": real}, 2, "for pairs within one set")
    if not 2 <= size <= min(len(generated), len(real)) or subsets < 1:
        raise BadInput(
            f"Expected subsets of 2 to {min(len(generated), len(real))} rows, at least one of them, "
            f"got {subsets} of {size}. Give more pictures, or a smaller size."
        )
    draw = np.random.RandomState(seed)  # frozen stream: published numbers rest on it
    x, y = generated.double(), real.double()
    found = []
    for _ in range(subsets):
        first = torch.from_numpy(draw.choice(len(x), size, replace=False))
        second = torch.from_numpy(draw.choice(len(y), size, replace=False))
        found.append(squared_mmd(x[first], y[second]))
    return float(np.mean(found)), float(np.std(found))


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """Unbiased estimate for rows `(N, D)` and `(M, D)`: equal rows within one set are not compared with themselves."""
    check_rows({"first": x, "second": y}, 2, "for pairs within one set")
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    n, m = len(x), len(y)
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
