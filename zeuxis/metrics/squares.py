"""Squared distances of rows to others, in float64, tile by tile: one product for all that is asked of a pair of sets.

50,000 rows against 50,000 need 100 MB beside them. Rounding is below `ROUNDING` times the squared lengths; where that
could decide, `exact` computes from the differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

TILE = 1024, 4096  # rows and others looked at together
ENTRIES = 2**21  # of the others: fewer of them where they are wide, 16 MB in float64
KEPT = 2**22  # pairs that are kept whole at most: 34 MB
ROUNDING = 1e-11  # of the squared lengths: more than a product in float64 can be wrong by
Part = tuple[Tensor, Tensor]  # numbers of the rows and of the others that are in it


class Visitor(Protocol):
    """What looks at every tile once, row by row."""

    def add(self, i: int, j: int, tile: Tensor) -> None:
        """Squared distances `(n, m)`, not to be changed, of the rows from i on to the others from j on."""


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Of rows that stand side by side, `(..., F)` and `(..., F)`, in float64: `(...)`; 0 between equal rows."""
    return (a.double() - b.double()).square().sum(-1).sqrt()


class Squares:
    """Of `rows` `(N, F)` to `others` `(M, F)`; `row_lengths` `(N,)` and `lengths` `(M,)` are squared, from `middle`.

    `block` rows are looked at together; the result does not depend on it. With `keep` those of few rows are kept.
    """

    def __init__(self, rows: Tensor, others: Tensor, *, block: int = TILE[0], keep: bool = False) -> None:
        self.rows, self.others, self.block = rows, others, block
        self.middle = middle_of(others)
        self.row_lengths = self._lengths(rows)
        self.lengths = self.row_lengths if rows is others else self._lengths(others)
        self.kept: Tensor | None = None
        if keep and len(rows) * len(others) <= KEPT:
            self.kept = self.whole()

    def visit(self, *visitors: Visitor) -> None:
        """Show them every tile."""
        for i, j, tile in self.tiles():
            for visitor in visitors:
                visitor.add(i, j, tile)

    def tiles(self) -> Iterator[tuple[int, int, Tensor]]:
        """First row, first other, and the squared distances of a tile `(n, m)`, not to be changed; row by row."""
        for i in range(0, len(self.rows), self.block):
            if self.kept is not None:
                yield i, 0, self.kept[i : i + self.block]
                continue
            a = self.rows[i : i + self.block].double() - self.middle
            own = self.row_lengths[i : i + self.block, None]
            for j in range(0, len(self.others), step := step_of(self.others)):
                b = self.others[j : j + step].double() - self.middle
                yield i, j, (own + self.lengths[j : j + step]).addmm_(a, b.T, alpha=-2)

    def whole(self) -> Tensor:
        """All of them `(N, M)`, not to be changed."""
        if self.kept is not None:
            return self.kept
        pairs = torch.empty(len(self.rows), len(self.others), dtype=torch.float64)
        for i, j, tile in self.tiles():
            pairs[i : i + len(tile), j : j + tile.shape[1]] = tile
        return pairs

    def exact(self, row: Tensor, other: Tensor) -> Tensor:
        """Distances of rows and others with these numbers, from the differences: `(K,)`."""
        pieces = zip(torch.split(row, TILE[1]), torch.split(other, TILE[1]), strict=True)
        return torch.cat([distance(self.rows[a], self.others[b]) for a, b in pieces])

    def _lengths(self, rows: Tensor) -> Tensor:
        pieces = torch.split(rows, step_of(rows))
        return torch.cat([(piece.double() - self.middle).square().sum(1) for piece in pieces])


def lengths_from_zero(rows: Tensor) -> Tensor:
    """Squared lengths of rows: `(N,)`."""
    return torch.cat([piece.double().square().sum(1) for piece in torch.split(rows, step_of(rows))])


def middle_of(rows: Tensor) -> Tensor:
    """Mean in float64, without a copy of all rows in it."""
    return torch.stack([piece.double().sum(0) for piece in torch.split(rows, step_of(rows))]).sum(0) / len(rows)


def step_of(rows: Tensor) -> int:
    """How many of these are looked at together."""
    return max(1, min(TILE[1], ENTRIES // rows.shape[1]))


def marked(parts: list[Part], side: int, count: int) -> Tensor:
    """1 where a row of that side is in a part, else 0: float64 `(count, P)`."""
    found = torch.zeros(count, len(parts), dtype=torch.float64)
    for place, part in enumerate(parts):
        found[part[side], place] = 1
    return found
