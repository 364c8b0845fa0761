"""Archive: Mouret and Clune, "Illuminating search spaces by mapping elites", 2015, https://arxiv.org/abs/1504.04909

The measure space is a grid of cells, each of which keeps its best latent, its elite. Coverage is the share of filled
cells, QD score the sum of (score - offset) over them (Pugh, Soros and Stanley, "Quality diversity", 2016, section 3.1).
Plain tensors: filled from the log of any search, or by pyribs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.config import parse_range
from zeuxis.errors import BadInput

Ranges = tuple[tuple[float, float], ...]  # (low, high) of each measure

QUANTILES = (0.02, 0.98)  # of the measures of a sample, between which a range begins
MARGIN = 0.25  # of the width between them, added on both sides: a search goes beyond the sample
EPSILON = 1e-6  # of a cell, as in pyribs: a measure on the border of two cells belongs to the upper one


@dataclass(frozen=True)
class Grid:
    """`cells` along each measure, between the bounds in `ranges`. What lies outside belongs to the border cell."""

    cells: int
    ranges: Ranges

    @property
    def total(self) -> int:
        """Number of cells."""
        return int(self.cells ** len(self.ranges))

    def place(self, measures: Tensor) -> Tensor:
        """Measures `(N, M)`, all of them numbers -> cells `(N, M)` int64, counted from the low end of each measure."""
        bounds = torch.tensor(self.ranges, dtype=torch.float64)  # (M, 2)
        low, width = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
        place = (self.cells * (measures.cpu().double() - low) + EPSILON) / width
        return place.clamp(0, self.cells - 1).long()


@dataclass(frozen=True)
class Archive:
    """The elites of a grid, ordered by cell: `cell` `(K, M)`, `x` `(K, D)`, `score` `(K,)`, `measures` `(K, M)`.

    All on the CPU. `offset` is what the QD score counts from.
    """

    grid: Grid
    cell: Tensor
    x: Tensor
    score: Tensor
    measures: Tensor
    offset: float = 0.0

    @property
    def coverage(self) -> float:
        """The share of filled cells, in [0, 1]."""
        return len(self.score) / self.grid.total

    @property
    def qd_score(self) -> float:
        """The sum of score - offset over the filled cells."""
        return float((self.score.double() - self.offset).sum())


@runtime_checkable
class HasArchive(Protocol):
    """A search that keeps an archive. `ranges` may be set before the first batch is asked for."""

    ranges: Ranges | None

    def elites(self) -> Archive | None:
        """The archive so far; None while nothing could be scored and measured."""
        ...


def fill(grid: Grid, x: Tensor, score: Tensor, measures: Tensor, offset: float = 0.0) -> Archive:
    """The archive that latents `(N, D)` with their scores `(N,)` and measures `(N, M)` leave; of equals the earlier.

    Rows whose score or measures are not finite numbers are left out.
    """
    x, score, measures = x.cpu(), score.cpu(), measures.cpu()
    known = (score.isfinite() & measures.isfinite().all(dim=1)).nonzero().flatten()
    known = known[score[known].argsort(descending=True, stable=True)]  # best first
    best: dict[tuple[int, ...], int] = {}
    for row, cell in zip(known.tolist(), grid.place(measures[known]).tolist(), strict=True):
        best.setdefault(tuple(cell), row)
    rows = [best[cell] for cell in sorted(best)]
    cells = torch.tensor(sorted(best), dtype=torch.int64).reshape(len(best), len(grid.ranges))
    return Archive(grid, cells, x[rows], score[rows], measures[rows], offset)


def spanned(measures: Tensor) -> Ranges:
    """Ranges that hold what a sample `(N, M)` of measures shows, with a margin, bounds rounded outwards.

    BadInput where a measure is nowhere a number.
    """
    return tuple(_span(column[column.isfinite()].double()) for column in measures.cpu().T)


def parse_ranges(text: str) -> Ranges | None:
    """ "0..1,-0.1..0.1" -> both ranges; None for "": not chosen yet. BadInput for anything else."""
    parts = text.split(",") if text else []
    if len(parts) not in (0, 2):
        raise BadInput(f"Expected two ranges like 0..1,-0.1..0.1, one for each measure, got {text[:80]!r}.")
    return tuple(map(parse_range, parts)) or None


def _span(known: Tensor) -> tuple[float, float]:
    if not len(known):
        raise BadInput(
            "Expected measures that are numbers, got NaN or infinity for every image. Choose other measures."
        )
    low, high = torch.quantile(known, torch.tensor(QUANTILES, dtype=torch.float64)).tolist()
    margin = MARGIN * (high - low) or 0.5 * abs(low) or 0.5  # a measure that never changes still gets a range
    step = 10.0 ** torch.tensor(margin / 2).log10().floor().item()  # bounds that are good to read on an axis
    digits = max(0, round(-torch.tensor(step).log10().item()))
    down, up = torch.tensor((low - margin) / step).floor(), torch.tensor((high + margin) / step).ceil()
    return round(float(down) * step, digits), round(float(up) * step, digits)
