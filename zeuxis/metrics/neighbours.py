"""Nearest neighbours: the nearest training image, k-th neighbour distances, and who lies in whose ball.

All but `nearest` are exact in float64: distances come from `Squares`, and wherever the rounding of a matrix product
could decide, they are computed again from the differences. `Nearby` and `Within` look at one tile after another, so
that one product serves all that is asked of a pair of sets, and of parts of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows
from zeuxis.metrics.squares import ROUNDING, TILE, Squares

SPARE = 6  # candidates beyond the k-th neighbour, of which the exact distance decides
AT_ONCE = 256  # rows whose near pairs are listed together: at worst all pairs are near


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
    squares = Squares(rows, others, block=block)
    found = Nearby(squares, k)
    squares.visit(found)
    return found.exact(range(k))


def radii(rows: Tensor, k: int, block: int = TILE[0]) -> Tensor:
    """Distance of each row `(N, F)` to its k-th nearest other row: `(N,)` float64."""
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"row": rows}, k + 1, f"for the distance to neighbour {k}")
    squares = Squares(rows, rows, block=block)
    found = Nearby(squares, k + 1)  # its own 0 is among them
    squares.visit(found)
    return found.exact([k])[0][:, 0]


def inside(rows: Tensor, centres: Tensor, radius: Tensor, block: int = TILE[0]) -> tuple[Tensor, Tensor]:
    """In how many balls each row `(N, F)` lies, and how many rows each ball holds: int64 `(N,)`, `(M,)`.

    Ball j is about centre j of `(M, F)` with `radius` `(M,)`, its edge included.
    """
    check_rows({"row": rows, "centre": centres})
    squares = Squares(rows, centres, block=block)
    found = Within(squares, [Balls(radius)])
    squares.visit(found)
    return found.counts[0].of_rows, found.counts[0].of_others


class Nearby:
    """The nearest others of each row: enough to find the first `k` by exact distances, or `count` of them.

    Visits the tiles of `squares`; then `squared` `(N, K)` ascend and `where` `(N, K)` are their numbers.
    """

    def __init__(self, squares: Squares, k: int, count: int = 0) -> None:
        self.squares, self.rows = squares, torch.arange(len(squares.rows))
        self.keep = min(max(k + SPARE, count), len(squares.others))
        self.squared = torch.full((len(squares.rows), self.keep), torch.inf, dtype=torch.float64)
        self.where = torch.zeros(len(squares.rows), self.keep, dtype=torch.int64)

    def add(self, i: int, j: int, tile: Tensor) -> None:
        """A tile that begins at row i and at other j."""
        some, order = tile.topk(min(self.keep, tile.shape[1]), dim=1, largest=False)
        rows = slice(i, i + len(tile))
        if not j:
            self.squared[rows, : some.shape[1]], self.where[rows, : some.shape[1]] = some, order
            return
        best, where = torch.cat([self.squared[rows], some], 1), torch.cat([self.where[rows], order + j], 1)
        self.squared[rows], order = best.topk(self.keep, dim=1, largest=False)
        self.where[rows] = where.gather(1, order)

    def exact(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Distances to the neighbours with these places, 0 the nearest, and their numbers: `(N, len(places))`.

        Where the product tells a neighbour from those before and after it, its distance alone is computed again;
        elsewhere those of all candidates.
        """
        squares, at = self.squares, torch.tensor(list(places))
        longest = squares.lengths.max() + squares.row_lengths[self.rows]
        clear = torch.diff(self.squared, dim=1) > 2 * ROUNDING * longest[:, None]
        edge = torch.ones(len(clear), 1, dtype=torch.bool)
        whole = self.squared.shape[1] == len(squares.others)
        clear = torch.cat([edge, clear, edge if whole else ~edge], 1)  # before the first, between, after the last
        sure = (clear[:, at] & clear[:, at + 1]).all(1)
        numbers = self.where[:, at]
        found = torch.stack([squares.exact(self.rows, column) for column in numbers.T], 1)
        few = max(places) + 1 + SPARE
        for some in torch.split((~sure).nonzero()[:, 0], TILE[0]):
            where = self.where[some, :few]
            every = torch.stack([squares.exact(self.rows[some], column) for column in where.T], 1)
            order = every.argsort(dim=1, stable=True)[:, at]
            found[some], numbers[some] = every.gather(1, order), where.gather(1, order)
        return found, numbers

    def radii_of_part(self, part: Tensor, ks: Sequence[int]) -> Tensor:
        """Of a set's own neighbours: distances of the rows of a part to their k-th nearest other row of that part.

        `(N, len(ks))`, NaN for rows outside of the part.
        """
        radius = torch.full((len(self.rows), len(ks)), torch.nan, dtype=torch.float64)
        among = torch.zeros(len(self.rows), dtype=torch.bool)
        among[part] = True
        need = min(max(ks) + 1 + SPARE, len(part))
        last = torch.arange(self.keep, 0, -1)
        first, order = (among[self.where[part]] * last).topk(min(need, self.keep), dim=1)  # the first that are in it
        whole = first[:, min(max(ks) + 1, first.shape[1] - 1)] > 0
        some = object.__new__(Nearby)
        some.squares, some.rows, some.keep = self.squares, part[whole], need
        some.squared = self.squared[part].gather(1, order).masked_fill(first == 0, torch.inf)[whole]
        some.where = self.where[part].gather(1, order)[whole]
        if bool(whole.any()):
            radius[part[whole]] = some.exact(ks)[0]
        if not bool(whole.all()):  # a row with few of its neighbours in the part
            rows = self.squares.rows
            left = neighbours(rows[part[~whole]], rows[part], max(ks) + 1)[0]
            radius[part[~whole]] = left[:, list(ks)]
        return radius


class Balls(NamedTuple):
    """`radius` `(M,)` about the others, or `(N,)` about the rows; no ball where it is NaN.

    `among` bool: which of the rows (of the others, where balls are about rows) are counted; None for all.
    """

    radius: Tensor
    about_rows: bool = False
    among: Tensor | None = None


class Counts(NamedTuple):
    """For each row `(N,)` and each other `(M,)`: in how many balls it lies, or how many its own ball holds, int64."""

    of_rows: Tensor
    of_others: Tensor


class Within:
    """Who lies in whose ball, edges included, for several kinds of balls: `counts` of each, when all was visited."""

    def __init__(self, squares: Squares, balls: Sequence[Balls]) -> None:
        n, m = len(squares.rows), len(squares.others)
        self.squares, self.balls = squares, [b._replace(radius=b.radius.double()) for b in balls]
        self.counts = [Counts(*(torch.zeros(count, dtype=torch.int64) for count in (n, m))) for _ in balls]
        self._of_rows, self._of_others = (self._largest(about, count) for about, count in ((True, n), (False, m)))

    def add(self, i: int, j: int, tile: Tensor) -> None:
        """A tile that begins at row i and at other j: its near pairs are looked at, and for each kind of ball those."""
        width, lengths = tile.shape[1], self.squares.lengths[j : j + tile.shape[1]]
        for start in range(0, len(tile), AT_ONCE):
            piece, first = tile[start : start + AT_ONCE], i + start
            own = self.squares.row_lengths[first : first + len(piece)]
            spare = ROUNDING * (own.max() + lengths.max())
            near = piece <= self._of_others[j : j + width] + spare
            if self._of_rows.isfinite().any():
                near |= piece <= (self._of_rows[first : first + len(piece)] + spare)[:, None]
            row, other = near.nonzero().T
            squared, rounding = piece[row, other], ROUNDING * (own[row] + lengths[other])
            self._count(row + first, other + j, squared, rounding)

    def _count(self, row: Tensor, other: Tensor, squared: Tensor, rounding: Tensor) -> None:
        for balls, counts in zip(self.balls, self.counts, strict=True):
            centre, guest = (row, other) if balls.about_rows else (other, row)
            reach = balls.radius[centre]
            gap = squared - reach.square()
            within, doubtful = gap <= 0, (gap.abs_() <= rounding).nonzero()[:, 0]
            if len(doubtful):
                apart = self.squares.exact(row[doubtful], other[doubtful])
                within[doubtful] = apart <= reach[doubtful]
            if balls.among is not None:
                within &= balls.among[guest]
            for side, numbers in zip(counts, (row[within], other[within]), strict=True):
                side += torch.bincount(numbers, minlength=len(side))

    def _largest(self, about_rows: bool, count: int) -> Tensor:
        """Of the squared radii about each centre; -inf where there is no ball."""
        found = torch.full((count,), -torch.inf, dtype=torch.float64)
        for balls in self.balls:
            if balls.about_rows == about_rows:
                found = torch.fmax(found, balls.radius.square())
        return found


def held_by_neighbours(found: Nearby, radius: Tensor) -> Tensor:
    """In how many balls each row of a set lies, itself included: balls about its own rows, `radius` `(N,)`.

    No ball may reach beyond the last neighbour that was asked for, so that the candidates hold nearly all of it.
    """
    squares, r = found.squares, radius.double()
    apart = found.squared[:, -1] - r.square()
    reaches = apart <= 2 * ROUNDING * (squares.lengths.max() + squares.row_lengths)
    if len(squares.others) > found.squared.shape[1] and bool(reaches.any()):  # many rows at one distance, as copies are
        every = Within(squares, [Balls(radius)])
        squares.visit(every)
        return every.counts[0].of_rows
    gap = found.squared - r.square()[:, None]
    within, lengths = gap <= 0, squares.lengths[found.where] + squares.row_lengths[:, None]
    row, column = (gap.abs_() <= ROUNDING * lengths).nonzero().T
    within[row, column] = squares.exact(row, found.where[row, column]) <= r[row]
    return torch.bincount(found.where[within], minlength=len(squares.rows))
