"""The archive that the quality-diversity searches fill: cells with an elite and a threshold each, in flat arrays.

Rules of MAP-Elites (Mouret and Clune 2015) and of CMA-MAE's soft archive (Fontaine and Nikolaidis 2023, Eq. (1) and the
batch rule of its appendix), with the results of pyribs' GridArchive to the bit: a third of its time, because nothing is
checked twice and no latent is copied that is not asked for. pyribs' emitters read `dtypes`, `solution_dim`, `empty` and
`sample_elites`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zeuxis.search.archive import EPSILON, Grid

Array = np.ndarray[Any, np.dtype[Any]]
NOT_ADDED, IMPROVED, NEW = 0, 1, 2  # what became of a latent


class GridArchive:
    """The best latent of each cell of `grid`. Latents are float32 `(D,)`, all figures float64.

    A latent enters its cell if its score is above the cell's threshold. With `learning_rate` the threshold begins at
    `threshold_min` and follows t <- (1 - a) t + a score, for k latents of one batch with (1 - a)^k and their mean;
    without, it is the elite's score.
    """

    def __init__(
        self, grid: Grid, spread: Array, rng: np.random.Generator, *, soft: tuple[float, float] | None = None
    ) -> None:
        self.grid, self.spread, self.rng = grid, spread, rng  # (D,) float64, the deviation of the prior
        self.learning_rate, self.threshold_min = soft if soft is not None else (1.0, -np.inf)
        self.solution_dim = len(spread)
        self.dtypes = dict.fromkeys(("solution", "objective", "measures"), np.dtype(np.float64))
        bounds = np.array(grid.ranges)  # (M, 2)
        self._low, self._width = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
        self._strides = grid.cells ** np.arange(len(bounds))[::-1]  # of a cell's number
        self.x = np.empty((grid.total, self.solution_dim), np.float32)
        self.score, self.threshold = np.zeros(grid.total), np.full(grid.total, self.threshold_min)
        self.measures = np.zeros((grid.total, len(bounds)))
        self.filled = np.zeros(grid.total, bool)
        self.order = np.empty(0, np.int64)  # filled cells, the earlier first

    @property
    def empty(self) -> bool:
        """Whether no cell is filled."""
        return not len(self.order)

    def sample_elites(self, count: int) -> dict[str, Array]:
        """`{"solution": (count, D)}`, elites of cells drawn with replacement, in deviations of the prior."""
        cells = self.order[self.rng.choice(len(self.order), size=count, replace=True)]
        return {"solution": self.x[cells].astype(np.float64) / self.spread}

    def cells_of(self, measures: Array) -> Array:
        """Measures `(N, M)`, all of them numbers -> numbers of cells `(N,)`."""
        place = ((self.grid.cells * (measures - self._low) + EPSILON) / self._width).astype(np.int32)
        found: Array = place.clip(0, self.grid.cells - 1) @ self._strides
        return found

    def add(self, x: Array, score: Array, measures: Array) -> tuple[Array, Array]:
        """Let latents `(N, D)` in; of several that may enter a cell the best, of equals the earliest.

        What became of each `(N,)`, and the improvement `(N,)`: the score less the cell's threshold as it was before
        (for a new cell of a plain archive, the score).
        """
        cells = self.cells_of(measures)
        filled, before = self.filled[cells], self.threshold[cells]
        enters = score > before
        status = np.where(enters, np.where(filled, IMPROVED, NEW), NOT_ADDED)
        plain = self.threshold_min == -np.inf
        value = score - (np.where(enters & ~filled, 0.0, before) if plain else before)
        if not enters.any():
            return status, value
        rows = enters.nonzero()[0]
        cells, entering = cells[rows], score[rows]
        if not plain:
            ratio, mean = self._batch_rule(cells, entering)
            self.threshold[cells] = ratio * before[rows] + mean * (1 - ratio)
        best = np.lexsort((np.arange(len(rows)), -entering, cells))  # by cell, the best first
        best = best[np.diff(cells[best], prepend=-1) != 0]
        cells, rows = cells[best], rows[best]
        self.order = np.concatenate([self.order, cells[~self.filled[cells]]])
        self.filled[cells] = True
        self.x[cells], self.score[cells], self.measures[cells] = x[rows], score[rows], measures[rows]
        if plain:
            self.threshold[cells] = score[rows]
        return status, value

    def _batch_rule(self, cells: Array, score: Array) -> tuple[Array, Array]:
        """(1 - a)^k and the mean score, of the k latents that enter the same cell, for each `(N,)`."""
        count = np.bincount(cells)[cells]
        mean = np.bincount(cells, weights=score)[cells] / count
        ratio: Array = np.float64(1.0 - self.learning_rate) ** count
        return ratio, mean
