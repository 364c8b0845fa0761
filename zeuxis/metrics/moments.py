"""Mean and covariance of features that arrive in pieces, in float64 (Chan, Golub and LeVeque 1979).

Sums of squares of uncentred float32 features would lose the covariance to rounding; here every piece is centred first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.metrics.rows import check_rows

PIECE = 4096  # rows turned into float64 at once, fewer where they are wide
ENTRIES = 2**21  # of such a piece at most: 16 MB


class Moments:
    """`add` pieces `(N, D)` in any order and number; `mean` `(D,)` and `covariance` `(D, D)` are float64 at any time.

    D * D * 8 bytes, whatever the number of rows.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0, dtype=torch.float64)
        self._scatter = torch.zeros(0, 0, dtype=torch.float64)

    def add(self, rows: Tensor) -> Moments:
        """BadInput for rows of another width, NaN or infinity. Returns itself."""
        check_rows({"feature": rows} | ({"earlier": self.mean[None]} if self.count else {}))
        for piece in torch.split(rows, max(1, min(PIECE, ENTRIES // rows.shape[1]))):
            x = piece.to(torch.float64, copy=True)
            mean = x.mean(0)
            x -= mean
            self._merge(len(x), mean, x.T @ x)
        return self

    def merge(self, other: Moments) -> Moments:
        """With those of other rows, as if all had been added here. Returns itself."""
        if other.count:
            self._merge(other.count, other.mean, other._scatter)
        return self

    @property
    def covariance(self) -> Tensor:
        """With n - 1 in the denominator. BadInput for fewer than two rows."""
        if self.count < 2:
            check_rows({"feature": torch.zeros(self.count, max(len(self.mean), 1))}, 2, "for a covariance")
        return self._scatter / (self.count - 1)

    def _merge(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        if not self.count:
            self.count, self.mean, self._scatter = count, mean.clone(), scatter.clone()
            return
        total, shift = self.count + count, mean - self.mean
        self._scatter.add_(scatter).addr_(shift, shift, alpha=self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total
