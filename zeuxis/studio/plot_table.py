"""What came out of a plot: a line for every cell, with intervals over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zeuxis.experiments.records import Record, csv_text
from zeuxis.experiments.results import Result
from zeuxis.metrics.intervals import student
from zeuxis.studio.plot import Cell, Plot


@dataclass(frozen=True)
class Figure:
    """A mean over seeds with its 95 % interval (Student's t); without one for a single seed."""

    mean: float
    low: float | None = None
    high: float | None = None

    def words(self, share: bool = False) -> str:
        """ "0.312 (0.301 .. 0.325)"; as a share in per cent, from 0 to 100."""

        def form(value: float) -> str:
            return f"{min(1.0, max(0.0, value)):.0%}" if share else f"{value:.3f}"

        if self.low is None or self.high is None:
            return form(self.mean)
        return f"{form(self.mean)} ({form(self.low)} .. {form(self.high)})"


@dataclass(frozen=True)
class Line:
    """A cell of all axes but the seed: `values` of X, Y, Z, runs that are done of those that are wanted."""

    values: tuple[str, ...]
    done: int
    wanted: int
    failed: int
    score: Figure | None
    judge: Figure | None


def lines(plot: Plot, results: Mapping[str, Result]) -> list[Line]:
    """One for every combination of the axes' values, seeds taken together, in the order of the grid."""
    places: dict[tuple[str, ...], list[Cell]] = {}
    for cell in plot.cells:
        places.setdefault(told(plot, cell), []).append(cell)
    found = []
    for values, cells in places.items():
        keys = [job.key for cell in cells for job in cell.jobs]
        here = [results[key] for key in keys if key in results]
        done = [result for result in here if result.status == "done"]
        score, judge = (_figure([r.numbers.get(name) for r in done]) for name in ("best", "judge_best"))
        found.append(Line(values, len(done), len(keys), len(here) - len(done), score, judge))
    return found


def headings(plot: Plot) -> list[str]:
    """Of the columns of `Line.values`."""
    return [axis.title for axis in plot.axes if axis is not None and axis.field != "seed"]


def told(plot: Plot, cell: Cell) -> tuple[str, ...]:
    """The values of a cell for people, in the order of `headings`."""
    pairs = zip(plot.axes, (cell.x, cell.y, cell.z), strict=True)
    return tuple(axis.shown[place] for axis, place in pairs if axis is not None and axis.field != "seed")


def caption(cell: Cell, results: Mapping[str, Result]) -> str:
    """Under a picture: the best score, and the judge's opinion of that picture; "" before a run is done."""
    best = cell.best(results)
    if best is None:
        failed = any(job.key in results and results[job.key].status == "failed" for job in cell.jobs)
        return "failed" if failed else ""
    score, judge = (best[1].numbers.get(name) for name in ("best", "judge_best"))
    return f"{score:.3f}" + (f" · judge {judge:.0%}" if isinstance(judge, int | float) else "")


def legend(plot: Plot) -> str:
    """What the axes are, in a line."""
    named = zip(("across", "down", "blocks"), plot.axes, strict=True)
    said = [f"{where}: {axis.title}" for where, axis in named if axis is not None]
    seeds = plot.spec.seeds
    return " · ".join([*said, f"the best of {seeds} seeds" if seeds > 1 else "one seed a cell"])


def table_csv(plot: Plot, results: Mapping[str, Result]) -> bytes:
    """The lines for programs."""
    records: list[Record] = []
    for line in lines(plot, results):
        record: Record = dict(zip(headings(plot), line.values, strict=True))
        record |= {"runs": line.done, "wanted": line.wanted, "failed": line.failed}
        for name, figure in (("score", line.score), ("judge", line.judge)):
            of = (None, None, None) if figure is None else (figure.mean, figure.low, figure.high)
            record |= dict(zip((name, f"{name} low", f"{name} high"), of, strict=True))
        records.append(record)
    return csv_text(records).encode()


def has_seeds(plot: Plot) -> bool:
    """Whether there are intervals."""
    return plot.spec.seeds > 1 or any(axis is not None and axis.field == "seed" for axis in plot.axes)


def _figure(values: Sequence[object]) -> Figure | None:
    known = [float(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]
    if not known:
        return None
    mean, low, high = student(known)
    return Figure(mean, low, high) if len(known) > 1 else Figure(mean)
