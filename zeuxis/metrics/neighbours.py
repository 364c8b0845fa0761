"""Nearest neighbours: the nearest training image, k-th neighbour distances, and who lies in whose ball.

All but `nearest` are exact in float64 and work in tiles, so that 50,000 rows against 50,000 need 100 MB beside them:
distances come from a matrix product, and wherever its rounding could decide, they are computed again from the
differences.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows

TILE = 1024, 4096  # rows and centres looked at together
ENTRIES = 2**21  # of the centres: fewer of them where they are wide, 16 MB in float64
SPARE = 6  # candidates beyond the k-th neighbour, of which the exact distance decides
ROUNDING = 1e-11  # of the squared lengths: more than a product in float64 can be wrong by


def nearest(queries: Tensor, training: Tensor, block: int = 5000) -> tuple[Tensor, Tensor]:
    """For rows (N, F) the nearest of (M, F): distance per entry (root mean square) and row number, each (N,)."""
    check_rows({"query": queries, "training": training})
    best = torch.full((len(queries),), torch.inf)
    where = torch.zeros(len(queries), dtype=torch.int64)
    for start in range(0, len(training), block):
        distance = torch.cdist(queries, training[start : start + block])
        value, index = distance.min(1)
        closer = value < best
        best = torch.where(closer, value, best)
        where = torch.where(closer, index + start, where)
    return best / queries.shape[1] ** 0.5, where


def neighbours(rows: Tensor, others: Tensor, k: int, block: int = TILE[0]) -> tuple[Tensor, Tensor]:
    """The `k` nearest of `others` `(M, F)` to each of `rows` `(N, F)`: distances `(N, k)` float64, numbers `(N, k)`.

    `block` rows are looked at together, here and below; the result does not depend on it.
    """
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"query": rows, "neighbour": others})
    check_rows({"neighbour": others}, k, f"for {k} neighbours")
    middle = _middle(others)
    found = [_of_block(part, others, k, middle) for part in torch.split(rows, block)]
    return torch.cat([d for d, _ in found]), torch.cat([i for _, i in found])


def radii(rows: Tensor, k: int, block: int = TILE[0]) -> Tensor:
    """Distance of each row `(N, F)` to its k-th nearest other row: `(N,)` float64."""
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"row": rows}, k + 1, f"for the distance to neighbour {k}")
    return neighbours(rows, rows, k + 1, block)[0][:, -1]  # its own 0 is among the k + 1


def inside(rows: Tensor, centres: Tensor, radius: Tensor, block: int = TILE[0]) -> tuple[Tensor, Tensor]:
    """In how many balls each row `(N, F)` lies, and how many rows each ball holds: int64 `(N,)`, `(M,)`.

    Ball j is about centre j of `(M, F)` with `radius` `(M,)`, its edge included.
    """
    check_rows({"row": rows, "centre": centres})
    of_rows, of_centres = torch.zeros(len(rows), dtype=torch.int64), torch.zeros(len(centres), dtype=torch.int64)
    for i, j, within in _tiles(rows, centres, radius.double(), block):
        of_rows[i : i + len(within)] += within.sum(1)
        of_centres[j : j + within.shape[1]] += within.sum(0)
    return of_rows, of_centres


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Of rows that stand side by side, `(..., F)` and `(..., F)`, in float64: `(...)`; 0 between equal rows."""
    return (a.double() - b.double()).square().sum(-1).sqrt()


def _of_block(rows: Tensor, others: Tensor, k: int, middle: Tensor) -> tuple[Tensor, Tensor]:
    x = rows.double() - middle
    best, where = torch.empty(len(rows), 0, dtype=torch.float64), torch.empty(len(rows), 0, dtype=torch.int64)
    keep = min(k + SPARE, len(others))
    for start in range(0, len(others), step := _step(others)):
        part = others[start : start + step].double() - middle
        best = torch.cat([best, _squared(x, part)], 1)
        where = torch.cat([where, torch.arange(start, start + len(part)).expand(len(rows), -1)], 1)
        order = best.topk(min(keep, best.shape[1]), dim=1, largest=False).indices
        best, where = best.gather(1, order), where.gather(1, order)
    exact = torch.stack([distance(rows, others[column]) for column in where.T], 1)
    nearest_first = exact.argsort(dim=1, stable=True)[:, :k]
    return exact.gather(1, nearest_first), where.gather(1, nearest_first)


def _tiles(rows: Tensor, centres: Tensor, radius: Tensor, block: int) -> Iterator[tuple[int, int, Tensor]]:
    """First row, first centre, and which of the tile's rows lie in which balls."""
    middle = _middle(centres)
    for i in range(0, len(rows), block):
        a = rows[i : i + block].double() - middle
        for j in range(0, len(centres), step := _step(centres)):
            b, r = centres[j : j + step].double() - middle, radius[j : j + step]
            gap = _squared(a, b).sub_(r.square())
            within = gap <= 0
            doubtful = gap.abs_() <= ROUNDING * (a.square().sum(1)[:, None] + b.square().sum(1))
            for some in torch.split(doubtful.nonzero(), step):
                far = distance(rows[i + some[:, 0]], centres[j + some[:, 1]])
                within[some[:, 0], some[:, 1]] = far <= r[some[:, 1]]
            yield i, j, within


def _middle(rows: Tensor) -> Tensor:
    """Mean in float64, without a copy of all rows in it."""
    return torch.stack([piece.double().sum(0) for piece in torch.split(rows, _step(rows))]).sum(0) / len(rows)


def _step(rows: Tensor) -> int:
    """How many of these are looked at together."""
    return max(1, min(TILE[1], ENTRIES // rows.shape[1]))


def _squared(a: Tensor, b: Tensor) -> Tensor:
    return (a.square().sum(1)[:, None] + b.square().sum(1)).addmm_(a, b.T, alpha=-2)
