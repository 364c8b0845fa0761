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
from zeuxis.metrics.squares import Squares, lengths_from_zero

SEED = 2020  # torch-fidelity's, so that the same features give the same number
BLOCK = 2048  # rows of the kernel matrix at once


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
    found = []
    for _ in range(subsets):
        first = torch.from_numpy(draw.choice(len(generated), size, replace=False))
        second = torch.from_numpy(draw.choice(len(real), size, replace=False))
        found.append(squared_mmd(generated[first], real[second]))
    return float(np.mean(found)), float(np.std(found))


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """Unbiased estimate for rows `(N, D)` and `(M, D)`: equal rows within one set are not compared with themselves.

    In float64 and block by block, so that all rows of a large set can be used.
    """
    check_rows({"first": x, "second": y}, 2, "for pairs within one set")
    return _within(x) + _within(y) - 2 * _sum(x, y) / (len(x) * len(y))


def block_mmd(x: Tensor, y: Tensor, *, block: int = 5000, seed: int = SEED) -> float:
    """The same from disjoint random blocks of `block` rows and more: unbiased, at a cost that grows with N, not N^2.

    Each of the three terms is a mean over blocks (Zaremba, Gretton and Blaschko 2013, arXiv 1307.1954, for one block
    size); with fewer than 2 `block` rows in both sets it is `squared_mmd`.
    """
    check_rows({"first": x, "second": y}, 2, "for pairs within one set")
    xs, ys = _blocks(len(x), block, seed), _blocks(len(y), block, seed + 1)
    pairs = [(xs[k % len(xs)], ys[k % len(ys)]) for k in range(max(len(xs), len(ys)))]
    across = float(np.mean([_sum(x[a], y[b]) / (len(x[a]) * len(y[b])) for a, b in pairs]))
    return float(np.mean([_within(x[a]) for a in xs])) + float(np.mean([_within(y[b]) for b in ys])) - 2 * across


class KernelSums:
    """Visits squared distances: the sum of the kernel over the pairs of each part, `total` `(P,)`.

    `rows` `(N, P)` and `others` `(M, P)` are 1 where a row is in a part. With `own` the pairs are those within one set,
    and no row is compared with itself.
    """

    def __init__(self, squares: Squares, rows: Tensor, others: Tensor, *, own: bool = False) -> None:
        self.rows, self.others, self.width, self.own = rows, others, squares.rows.shape[1], own
        self.row_lengths = lengths_from_zero(squares.rows)
        self.lengths = self.row_lengths if squares.rows is squares.others else lengths_from_zero(squares.others)
        self.total = torch.zeros(rows.shape[1], dtype=torch.float64)

    def add(self, i: int, j: int, tile: Tensor) -> None:
        """A tile that begins at row i and at other j: x.y is half of |x|^2 + |y|^2 - |x - y|^2."""
        a, b = slice(i, i + len(tile)), slice(j, j + tile.shape[1])
        products = (self.row_lengths[a, None] + self.lengths[b]).sub_(tile)
        kernel = products.mul_(0.5 / self.width).add_(1).pow_(3)
        first, last = max(i, j), min(i + len(tile), j + tile.shape[1])
        if self.own and first < last:
            row = torch.arange(first, last)
            kernel[row - i, row - j] = 0
        self.total += (self.rows[a] * (kernel @ self.others[b])).sum(0)

    def unlike(self) -> Tensor:
        """Within one set: the mean over pairs of two rows, `(P,)`."""
        count = self.rows.sum(0)
        return self.total / (count * (count - 1))

    def mean(self) -> Tensor:
        """Across two sets: over all pairs, `(P,)`."""
        return self.total / (self.rows.sum(0) * self.others.sum(0))


def _blocks(rows: int, block: int, seed: int) -> list[Tensor | slice]:
    """Which rows each block has; copies are made of one block at a time."""
    count = max(rows // max(block, 2), 1)
    if count == 1:
        return [slice(None)]
    return list(torch.from_numpy(np.random.RandomState(seed).permutation(rows)).tensor_split(count))


def _within(x: Tensor) -> float:
    return _sum(x, x, own=True) / (len(x) * (len(x) - 1))


def _sum(x: Tensor, y: Tensor, *, own: bool = False) -> float:
    """Of the whole kernel matrix; of a set's own without the diagonal, beside which the rest could be lost."""
    total = 0.0
    for i, a in enumerate(torch.split(x, BLOCK)):
        left = a.double()
        for j, b in enumerate(torch.split(y, BLOCK)):
            kernel = (left @ b.double().T / x.shape[1] + 1) ** 3
            if own and i == j:
                kernel.fill_diagonal_(0)
            total += float(kernel.sum())
    return total
