"""Effective number of different rows: Vendi scores of any order, and RKE, the order 2.

Friedman and Dieng 2022 (arXiv 2210.02410): exp of the Shannon entropy of the eigenvalues of K / N. Pasarkar and Dieng
2023 (arXiv 2310.12952): Renyi entropy of order q in its place. Jalali, Li and Farnia 2023 (NeurIPS): order 2, the
Renyi kernel entropy RKE; it needs no eigenvalues, 1 / ||K / N||_F^2, and converges with few samples where order 1 needs
more than 20,000 (Ospanov and Farnia 2024, arXiv 2410.21719). N copies give 1, N unlike rows give N.

Kernel: exp(-d^2 / (2 sigma^2)). The number depends on sigma: `bandwidth` takes it from the reference, for both sets.
Of pixels, with a sigma of its own: `zeuxis.metrics.diversity`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows
from zeuxis.metrics.squares import ROUNDING, Squares
from zeuxis.rng import stream

MOST = 4000  # rows for orders that need eigenvalues: N^3 operations
BLOCK = 2048


def bandwidth(reference: Tensor, *, rows: int = 1000, seed: int = 0) -> float:
    """Half the median distance between rows `(N, D)`, of at most `rows` of them: a choice of this package."""
    check_rows({"reference": reference}, 2, "for a distance between two")
    some = reference[torch.randperm(len(reference), generator=stream(seed, "bandwidth"))[:rows]].double()
    found = float(_pairs(some).median()) / 2
    if found == 0:
        raise BadInput("Expected reference rows that differ, got copies: there is no distance to take as the scale.")
    return found


def vendi(rows: Tensor, sigma: float, order: float = 1.0) -> float:
    """Between 1 and N for rows `(N, D)`. `order` q >= 0 is the Renyi entropy's, 1 is Shannon's; N <= 4000 but for 2."""
    check_rows({"feature": rows})
    _check(sigma, order)
    if order == 2:
        return rke(rows, sigma)
    if len(rows) > MOST:
        raise BadInput(f"Expected at most {MOST} rows for a Vendi score of order {order:g}, got {len(rows)}. Take RKE.")
    squares = Squares(rows, rows)
    pairs, lengths = squares.whole(), squares.lengths
    for row, own in zip(pairs, lengths, strict=True):  # what may be rounding is none: orders below 1 would see it
        row[row <= ROUNDING * (own + lengths)] = 0
    return _of_kernel(pairs.mul_(-1 / (2 * sigma**2)).exp_(), order)


class RenyiSums:
    """Visits squared distances within a set: `of_parts` is `rke` of each; `rows` `(N, P)` is 1 where a row is in it."""

    def __init__(self, rows: Tensor, sigma: float) -> None:
        _check(sigma, 2)
        self.rows, self.sigma, self.total = rows, sigma, torch.zeros(rows.shape[1], dtype=torch.float64)

    def add(self, i: int, j: int, tile: Tensor) -> None:
        """A tile that begins at row i and at other j."""
        squared = tile.clamp(min=0).mul_(-1 / self.sigma**2).exp_()
        self.total += (self.rows[i : i + len(tile)] * (squared @ self.rows[j : j + tile.shape[1]])).sum(0)

    def of_parts(self) -> list[float]:
        """When all was visited."""
        return (self.rows.sum(0).square() / self.total).tolist()  # type: ignore[no-any-return]


def _of_kernel(kernel: Tensor, order: float) -> float:
    """Of K `(N, N)`, whose diagonal is 1."""
    kernel.fill_diagonal_(1.0)
    values = torch.linalg.eigvalsh(kernel / len(kernel)).clamp(min=0)
    values = values[values > 1e-12]
    if order == 1:
        return float(torch.exp(-(values * values.log()).sum()))
    if math.isinf(order):
        return float(1 / values.max())
    return float(values.pow(order).sum().pow(1 / (1 - order)))


def rke(rows: Tensor, sigma: float) -> float:
    """Order 2, in blocks: exp(RKE) = N^2 / sum of K_ij^2, between 1 and N for rows `(N, D)`."""
    check_rows({"feature": rows})
    _check(sigma, 2)
    total = 0.0
    for i, a in enumerate(torch.split(rows, BLOCK)):
        left = a.double()
        for j, b in enumerate(torch.split(rows, BLOCK)[: i + 1]):
            kernel = _kernel(left, b.double(), sigma)
            if i == j:
                kernel.fill_diagonal_(1.0)
            total += float(kernel.square().sum()) * (1 if i == j else 2)
    return len(rows) ** 2 / total


def _pairs(rows: Tensor) -> Tensor:
    """Distances of all pairs, each once: from a product, unless half of them could be its rounding."""
    squares = Squares(rows, rows)
    first, second = torch.triu_indices(len(rows), len(rows), 1)
    once = squares.whole()[first, second]
    if float(once.median()) > 1e4 * ROUNDING * float(squares.lengths.max()):
        return once.clamp(min=0).sqrt()
    return torch.pdist(rows)


def _check(sigma: float, order: float) -> None:
    if not (sigma > 0 and math.isfinite(sigma)) or not order >= 0:
        raise BadInput(f"Expected a bandwidth above 0 and an order from 0 on, got {sigma} and {order}.")


def _kernel(a: Tensor, b: Tensor, sigma: float) -> Tensor:
    return torch.exp(-torch.cdist(a, b).square() / (2 * sigma**2))
