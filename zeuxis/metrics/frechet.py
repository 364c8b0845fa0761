"""Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, arXiv 1706.08500, Eq. 6).

Its estimate from n rows is too high by about a constant over n: `frechet_to_infinity` (Chong and Forsyth 2020, arXiv
1911.07023) follows that line to 1 / n = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.moments import PIECE, Moments
from zeuxis.metrics.rows import check_rows
from zeuxis.metrics.squares import Part, Squares
from zeuxis.rng import stream

SIZES = 15  # points of the line


class Extrapolated(NamedTuple):
    """`value` at 1 / n = 0, its standard `error`, the `slope` of FD against 1 / n, and the points `(n, FD)`."""

    value: float
    error: float
    slope: float
    points: tuple[tuple[int, float], ...]


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features (N, D) and (M, D), in float64.

    BadInput for fewer than two rows, rows of two widths, NaN or infinity.
    """
    check_rows({"real": real, "generated": fake}, 2, "for a covariance")
    if len(real) * len(fake) < real.shape[1] ** 2 / 4:
        return _of_few(real.double(), fake.double())
    return gaussian_distance(*_moments(real), *_moments(fake))


def frechet_of(real: Moments, fake: Moments) -> float:
    """The same of means and covariances that were gathered in pieces, or saved."""
    check_rows({"real": real.mean[None], "generated": fake.mean[None]})
    return gaussian_distance(real.mean, real.covariance, fake.mean, fake.covariance)


def gaussian_distance(m1: Tensor, c1: Tensor, m2: Tensor, c2: Tensor) -> float:
    """Squared 2-Wasserstein distance of N(m1, C1) and N(m2, C2) (Dowson and Landau 1982): means (D,), C (D, D).

    tr (C1 C2)^(1/2) is the sum of the square roots of the eigenvalues of L' C2 L, which is symmetric, for any L with
    C1 = L L': Cholesky's, and the square root where C1 has no inverse.
    """
    root, without = torch.linalg.cholesky_ex(c1)
    if int(without):
        values, vectors = torch.linalg.eigh(c1)
        root = vectors * values.clamp(min=0).sqrt()
    cross = torch.linalg.eigvalsh(root.T @ c2 @ root).clamp(min=0).sqrt().sum()
    return float((m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * cross)


def frechet_of_pairs(squares: Squares, part: Part) -> float:
    """The same of a part of few rows `(N, D)` and others `(M, D)` whose squared distances are kept, without a product.

    With both sides centred they are -2 A B', whose singular values sum up to tr (C1 C2)^(1/2) over n - 1.
    """
    pairs = squares.whole()[part[0]][:, part[1]]
    pairs -= pairs.mean(0)
    pairs -= pairs.mean(1, keepdim=True)
    few = pairs @ pairs.T if len(pairs) <= pairs.shape[1] else pairs.T @ pairs
    n, m = map(len, part)
    cross = torch.linalg.eigvalsh(few).clamp(min=0).sqrt().sum() / 2 / ((n - 1) * (m - 1)) ** 0.5
    sides = ((squares.rows, squares.row_lengths), (squares.others, squares.lengths))
    shifts = [x[rows].double().mean(0) - squares.middle for (x, _), rows in zip(sides, part, strict=True)]
    spread = [(lengths[rows].sum() - len(rows) * shift.square().sum()) / (len(rows) - 1)
              for (_, lengths), rows, shift in zip(sides, part, shifts, strict=True)]  # fmt: skip
    return float((shifts[0] - shifts[1]).square().sum() + spread[0] + spread[1] - 2 * cross)


def _of_few(real: Tensor, fake: Tensor) -> float:
    """The same of fewer rows than columns, without matrices (D, D): with C1 = A'A and C2 = B'B the eigenvalues of C1 C2
    are the squared singular values of A B', (N, M).
    """
    a, b = ((x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (real, fake))
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return float((real.mean(0) - fake.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * cross)


def frechet_to_infinity(real: Tensor, fake: Tensor, *, sizes: int = SIZES, seed: int = 0) -> Extrapolated:
    """Least-squares line through FD at `sizes` numbers n of rows, up to all, against 1 / n.

    The paper draws from the generated rows only and keeps the real statistics; here n rows are drawn from both, so that
    the bias of the real side goes as well. It is a line only from as many rows as columns on, so n starts at the larger
    of a tenth and D (a quarter of the rows where there are fewer than 4 D, and the value is then too high): of 4 D rows
    about a twentieth of the bias remains. BadInput for fewer than 10 rows a set.
    """
    check_rows({"real": real, "generated": fake}, 10, "for sizes from a tenth on")
    if sizes < 3:
        raise BadInput(f"Expected at least 3 sizes for a line, got {sizes}.")
    most = min(len(real), len(fake))
    least = max(most // 10, min(real.shape[1], most // 4), 2)
    counts = torch.linspace(least, most, sizes).round().long().tolist()
    found = []
    for index, count in enumerate(counts):
        rows = [torch.randperm(len(x), generator=stream(seed, "frechet", index, s))[:count]
                for s, x in enumerate((real, fake))]  # fmt: skip
        found.append(gaussian_distance(*_moments(real, rows[0]), *_moments(fake, rows[1])))
    x, y = 1 / torch.tensor(counts).double(), torch.tensor(found).double()
    spread = (x - x.mean()).square().sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / spread
    value = y.mean() - slope * x.mean()
    noise = (y - value - slope * x).square().sum() / (sizes - 2)
    error = (noise * (1 / sizes + x.mean() ** 2 / spread)).sqrt()
    return Extrapolated(float(value), float(error), float(slope), tuple(zip(counts, found, strict=True)))


def _moments(x: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and covariance of all, or of the `rows` with these numbers."""
    if (len(x) if rows is None else len(rows)) > 2 * PIECE:  # a second copy would not be bounded
        found = Moments()
        for piece in (x,) if rows is None else torch.split(rows, PIECE):
            found.add(piece if rows is None else x[piece])
        return found.mean, found.covariance
    x = (x if rows is None else x[rows]).double()
    return x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])  # of one column cov gives a number
