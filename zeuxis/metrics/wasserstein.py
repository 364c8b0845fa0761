"""Wasserstein distances of samples: exact on a line, sliced in any dimension, exact for small sets through a library.

Sliced: Bonneel et al. 2015 (Journal of Mathematical Imaging and Vision 51, p. 22). `mind` is its form for features:
Monge Inception Distance (Berthet et al. 2026, arXiv 2605.06797), 3 D times the mean squared distance over directions.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput, MissingExtra
from zeuxis.metrics.rows import check_rows
from zeuxis.metrics.squares import Part, distance
from zeuxis.rng import stream

DIRECTIONS = 1000  # of the published form
AT_ONCE = 50  # directions sorted together
MOST = 2000  # rows a set for the exact distance: its cost grows with the third power


def wasserstein_1d(x: Tensor, y: Tensor, p: float = 1.0) -> float:
    """W_p of values `(N,)` and `(M,)`, exact for any N and M: (integral of |F^-1 - G^-1|^p)^(1/p)."""
    check_rows({"first": x[:, None] if x.ndim == 1 else x, "second": y[:, None] if y.ndim == 1 else y})
    if x.ndim != 1 or y.ndim != 1 or p < 1:
        raise BadInput(f"Expected values (N,) and (M,) and p >= 1, got {tuple(x.shape)}, {tuple(y.shape)} and {p}.")
    cost: Tensor = _sorted_cost(x.double()[:, None], y.double()[:, None], p)
    return math.pow(float(cost[0]), 1 / p)


def sliced_wasserstein(x: Tensor, y: Tensor, *, p: float = 2.0, directions: int = DIRECTIONS, seed: int = 0) -> float:
    """(mean of W_p^p over random unit directions)^(1/p) of rows `(N, D)` and `(M, D)`, in float64."""
    return math.pow(_sliced(x, y, p, directions, seed)[0], 1 / p)


def mind(generated: Tensor, real: Tensor, *, directions: int = DIRECTIONS, seed: int = 0) -> float:
    """3 D times the mean of W_2^2 over random unit directions, of features `(N, D)` and `(M, D)`.

    The factor makes it of the size of a Frechet distance: a shift by s alone gives 3 |s|^2. The directions are drawn
    from this package's own stream, so values agree with other programs only up to the noise of the directions.
    """
    return 3 * generated.shape[1] * _sliced(generated, real, 2.0, directions, seed)[0]


def mind_of_parts(
    generated: Tensor, real: Tensor, parts: Sequence[Part], *, directions: int = DIRECTIONS, seed: int = 0
) -> list[float]:
    """The same of each part, along directions that all rows are laid on once."""
    return [3 * generated.shape[1] * x for x in _sliced(generated, real, 2.0, directions, seed, parts)]


def wasserstein_exact(x: Tensor, y: Tensor, p: float = 1.0) -> float:
    """W_p of rows `(N, D)` and `(M, D)` with Euclidean ground distance, by optimal transport; N, M <= 2000.

    An assignment where N = M, else a linear program. MissingExtra without SciPy.
    """
    check_rows({"first": x, "second": y})
    if max(len(x), len(y)) > MOST or (len(x) != len(y) and len(x) * len(y) > 40_000) or p < 1:
        raise BadInput(f"Expected at most {MOST} rows a set (40,000 pairs where N and M differ) and p >= 1, got "
                       f"{len(x)}, {len(y)} and p = {p}. Take the sliced distance.")  # fmt: skip
    cost = distance(x[:, None], y[None]).pow(p)
    optimize = _scipy()
    if len(x) == len(y):
        rows, columns = optimize.linear_sum_assignment(cost.numpy())
        return math.pow(float(cost[rows, columns].mean()), 1 / p)
    n, m = cost.shape
    per_row = torch.eye(n).repeat_interleave(m, 1)
    per_column = torch.eye(m).repeat(1, n)
    mass = torch.cat([torch.full((n,), 1 / n), torch.full((m,), 1 / m)]).double()
    done = optimize.linprog(cost.flatten().numpy(), A_eq=torch.cat([per_row, per_column]).numpy(), b_eq=mass.numpy())
    return math.pow(max(float(done.fun), 0.0), 1 / p)


def _scipy() -> Any:
    try:
        return importlib.import_module("scipy.optimize")
    except ImportError as error:
        raise MissingExtra("scipy", "metrics", "The exact Wasserstein distance in several dimensions") from error


def _sliced(
    x: Tensor, y: Tensor, p: float, directions: int, seed: int, parts: Sequence[Part] | None = None
) -> list[float]:
    """Mean of W_p^p over directions, of each part; of all rows without any."""
    check_rows({"first": x, "second": y})
    if directions < 1 or p < 1:
        raise BadInput(f"Expected at least 1 direction and p >= 1, got {directions} and {p}.")
    drawn = torch.randn(x.shape[1], directions, generator=stream(seed, "directions"), dtype=torch.float64)
    costs: list[list[Tensor]] = []
    for u in (drawn / drawn.norm(dim=0)).split(AT_ONCE, 1):
        lines = _along(x, u), _along(y, u)
        if parts is None:
            costs.append([_sorted_cost(*lines, p)])
        else:
            costs.append([_sorted_cost(lines[0][a], lines[1][b], p) for a, b in parts])
    return [float(torch.cat(part).mean()) for part in zip(*costs, strict=True)]


def _along(x: Tensor, unit: Tensor) -> Tensor:
    """(N, D) on directions (D, L) -> (N, L), in float64 piece by piece."""
    return torch.cat([piece.double() @ unit for piece in torch.split(x, 4096)])


def _sorted_cost(x: Tensor, y: Tensor, p: float) -> Tensor:
    """Columns (N, L) and (M, L) -> W_p^p of each pair of columns (L,), exact: quantiles are steps."""
    # NumPy sorts without the order, several times as fast as torch
    x, y = (torch.from_numpy(np.sort(np.ascontiguousarray(side.numpy().T), axis=1)) for side in (x, y))
    n, m = x.shape[1], y.shape[1]
    if n == m:
        gap = x.sub_(y)
        return (gap.square_() if p == 2 else gap.abs_().pow_(p)).mean(1)
    steps = torch.unique(torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]))  # in units of 1 / (n m)
    width = torch.diff(steps, prepend=torch.zeros(1, dtype=steps.dtype)).double() / (n * m)
    gap = x[:, (steps - 1) // m] - y[:, (steps - 1) // n]
    return gap.abs_().pow_(p) @ width
