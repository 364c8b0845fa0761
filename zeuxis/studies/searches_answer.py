"""The tables, curves and grids of `zeuxis evaluate searches`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeuxis.evaluation.curves import Array, Band, Curve, Peak, area_between, band, peak, places_of
from zeuxis.experiments.records import Record
from zeuxis.metrics.intervals import of_runs
from zeuxis.report.evaluation import Section, Shown, TableView, counted, png
from zeuxis.report.html import embed
from zeuxis.report.search_figures import against_judge_png, bands_png
from zeuxis.studies.carry import Answer, in_a_row
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.questions import BASELINES

if TYPE_CHECKING:
    from zeuxis.studies.searches import SearchesStudy

GRIDS = (10, 100, 200)  # generations of a full population that grids are shown at
GRID_WIDTH = 380  # pixels across on the page
Rows = Mapping[Cell, Row]
Bands = Mapping[str, Mapping[str, Band]]  # "best", "mean", "guide", "judge" -> search -> over images
Area = tuple[float, float, float]  # mean over runs, 95 % interval
OVER = (
    "Each is the mean over phrases and seeds, its band holds 90 % of the runs. Grey lines are the baselines: draws of "
    "the prior (best-of-n) and the best neighbours of the best (zero-order)."
)


def answer(study: SearchesStudy, rows: Rows, folder: StudyFolder) -> Answer:
    """All of it."""
    s = study.settings
    bands = {what: _bands(study, rows, *columns) for what, columns in
             {"best": ("images", "best"), "mean": ("images", "mean"), "guide": ("looks", "guide"),
              "judge": ("looks", "judge")}.items()}  # fmt: skip
    tops = {name: _peak(found) for name, found in bands["judge"].items()}
    areas = {name: _area(rows, name) for name in tops}
    figures = {
        "best.png": bands_png(bands["best"], BASELINES, "best score so far"),
        "mean.png": bands_png(bands["mean"], BASELINES, "mean score of a generation"),
    }
    apart = {}
    for number, name in enumerate(study.searches):
        if name in bands["judge"]:
            data = against_judge_png(name, bands["guide"], bands["judge"], BASELINES, tops[name])
            apart[name] = figures[f"judge-{number}.png"] = data
    table = _table(study, rows, bands, tops, areas)
    sections = [
        Section("At the end", (), (table,)),
        Section("Best score so far", (OVER,), figures=(png(figures["best.png"], "best score so far over images"),)),
        Section("Mean score", (), figures=(png(figures["mean.png"], "mean score of a generation over images"),)),
        Section(f"Score against the judge {s.judge}, which no search hears", (_area_words(),),
                figures=tuple(png(data, f"{name} against the judge", _said(name, tops[name], areas[name]))
                              for name, data in apart.items())),
        Section("Populations", (_grid_words(study),), pictures=tuple(_grids(study, folder))),
    ]  # fmt: skip
    title = (
        f"{counted(len(study.searches), 'search', 'searches')}, {counted(len(s.phrase), 'phrase')}, "
        f"{counted(s.repetitions, 'seed')}: {study.budget:,} images each"
    )
    lead = tuple(_said(name, tops[name], areas[name]) for name in study.searches if name in apart)
    records = {
        "curves": list(_records(rows)),
        "looks": list(_looks(rows)),
        "searches": _lines(study, rows, bands, tops, areas),
    }
    made = (("phrases", " · ".join(s.phrase)), ("judge", s.judge), ("score", "plain, unless a search says augment=N"))
    numbers = in_a_row(
        records["searches"], ("search",), ("best", "judge_peak", "judge_peak_images", "judge_lost", "area")
    )
    return Answer(title, lead, (table,), records, tuple(sections), figures, made, numbers)


def _curves(rows: Rows, name: str, x: str, y: str) -> list[Curve]:
    """Of all runs of a search; values that are none are left out."""
    found: list[Curve] = []
    for cell, row in rows.items():
        known = [(i, v) for i, v in zip(row[x], row[y], strict=True) if v is not None] if cell[0] == name else []
        if known:
            found.append(([i for i, _ in known], [v for _, v in known]))
    return found


def _bands(study: SearchesStudy, rows: Rows, x: str, y: str) -> dict[str, Band]:
    curves = {name: _curves(rows, name, x, y) for name in study.searches}
    return {name: band(of, _places(of, y)) for name, of in curves.items() if of}


def _places(curves: Sequence[Curve], y: str) -> Array:
    """Where the judge evaluated in the longest run; else evenly along the axis."""
    if y not in ("guide", "judge"):
        return places_of(curves)
    longest = max(curves, key=lambda curve: len(curve[0]))
    return np.asarray(longest[0], dtype=np.float64)


def _peak(found: Band) -> Peak | None:
    return peak(found.images, found.mean) if len(found.images) else None


def _area(rows: Rows, name: str) -> Area:
    """Mean over runs of the area between a run's own curves, with its 95 % interval; NaN without curves."""
    found = []
    for cell, row in rows.items():
        looks = zip(row["looks"], row["guide"], row["judge"], strict=True) if cell[0] == name else ()
        known = [(x, s, j) for x, s, j in looks if s is not None and j is not None]
        if len(known) > 1:
            found.append(area_between(*zip(*known, strict=True)))
    low, high = of_runs(found) or (math.nan, math.nan)
    return (sum(found) / len(found), low, high) if found else (math.nan,) * 3


def _told(area: Area) -> str:
    """Value and interval; the value alone of one run."""
    if math.isnan(area[1]):
        return "–" if math.isnan(area[0]) else _signed(area[0])
    return f"{_signed(area[0])} ({_signed(area[1])} to {_signed(area[2])})"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # no minus before 0


def _table(study: SearchesStudy, rows: Rows, bands: Bands, tops: Mapping[str, Peak | None],
           areas: Mapping[str, Area]) -> TableView:  # fmt: skip
    lines = []
    for name in sorted(bands["best"], key=lambda n: -bands["best"][n].mean[-1]):
        best, mean, judge, top = bands["best"][name], bands["mean"][name], bands["judge"].get(name), tops.get(name)
        runs = len(_curves(rows, name, "images", "best"))
        row = [f"{name} (baseline)" if name in BASELINES else name, str(runs), f"{best.mean[-1]:.4f}"]
        row += [f"{best.low[-1]:.4f} to {best.high[-1]:.4f}", f"{mean.mean[-1]:.4f}"]
        row += ["–"] * 4 if judge is None or top is None else [
            f"{judge.mean[-1]:.3f}", f"{top.value:.3f}", f"{top.images:,.0f}",
            _told(areas[name]),
        ]  # fmt: skip
        lines.append(tuple(row))
    columns = ("search", "runs", "best score", "90 % of runs", "last generation", "judge at its last look",
               "at its peak", "peak at images", "area between")  # fmt: skip
    words = f"Means over runs. Judge: {study.settings.judge}, mean over the pictures of a generation. {_area_words()}"
    return TableView("Searches at the same images", columns, tuple(lines), words, "searches.csv")


def _said(name: str, top: Peak | None, area: Area) -> str:
    if top is None:
        return f"{name}: the judge has no word for these phrases."
    if math.isnan(area[0]):
        return (f"{name}: the judge evaluated once, at {top.images:,.0f} images ({top.value:.3f}), which makes no "
                "curve: more images or a smaller --view-every make one.")  # fmt: skip
    fell = f" and has lost {top.lost:.3f} at the end" if top.lost > 0 else ", the last evaluation"
    when = f"{name}: the judge peaks at {top.images:,.0f} images ({top.value:.3f})"
    return f"{when}{fell}; area between the curves {_told(area)}."


def _area_words() -> str:
    return (
        "Area between the curves: mean height of the score's curve over the judge's along the logarithm of the images, "
        "each counted from its first value in parts of its own range; 0: both rise alike, above 0: the judge stays "
        "behind. Mean over runs with a 95 % interval; of a judge that only wavers it means nothing."
    )


def _grid_words(study: SearchesStudy) -> str:
    s = study.settings
    return f"Of “{s.phrase[0]}”, seed {s.seed}, at the images of {', '.join(map(str, GRIDS))} populations."


def _grids(study: SearchesStudy, folder: StudyFolder) -> Iterator[Shown]:
    """The grids nearest to the images of 10, 100 and 200 populations, of each search."""
    s = study.settings
    for name in study.searches:
        run = study.run((name, s.phrase[0], str(s.seed)), folder)
        images = {row.generation: row.images_so_far for row in run.history()}
        there = {g: n for g, n in images.items() if g % s.view_every == 0 and run.grid_path(g).exists()}
        wanted = [g * s.population for g in GRIDS if g * s.population <= max(images.values())] or [max(images.values())]
        for at in dict.fromkeys(min(there, key=lambda g: abs(there[g] - n)) for n in wanted) if there else ():
            caption = f"{name}: generation {at}, {there[at]:,} images"
            yield Shown(embed(run.picture(run.grid_path(at)), 1, GRID_WIDTH), caption, caption)


def _records(rows: Rows) -> Iterator[Record]:
    """One record for each generation of each run."""
    for cell, row in rows.items():
        for images, best, mean in zip(row["images"], row["best"], row["mean"], strict=True):
            yield _identity(cell) | {"images": images, "best_so_far": best, "mean": mean}


def _looks(rows: Rows) -> Iterator[Record]:
    """One record for each judge evaluation."""
    for cell, row in rows.items():
        for images, generation, guide, judge in zip(
            row["looks"], row["generations"], row["guide"], row["judge"], strict=True
        ):
            yield _identity(cell) | {"generation": generation, "images": images, "score": guide, "judge": judge}


def _lines(
    study: SearchesStudy, rows: Rows, bands: Bands, tops: Mapping[str, Peak | None], areas: Mapping[str, Area]
) -> list[Record]:
    """One record for each search; `best_low` to `best_high` holds 90 % of the runs, the area's interval is of 95 %."""
    found: list[Record] = []
    for name in study.searches:
        best = [curve[1][-1] for curve in _curves(rows, name, "images", "best")]
        top, area = tops.get(name), areas.get(name, (math.nan,) * 3)
        record: Record = {"search": name, "runs": len(best), "best": float(np.mean(best)) if best else None}
        record |= dict.fromkeys(("best_low", "best_high", "last_mean", "judge_last"))
        for what, column in (("low", "best_low"), ("high", "best_high")):
            if name in bands["best"] and len(bands["best"][name].images):
                record[column] = float(getattr(bands["best"][name], what)[-1])
        for key, column in (("mean", "last_mean"), ("judge", "judge_last")):
            if name in bands[key] and len(bands[key][name].images):
                record[column] = float(bands[key][name].mean[-1])
        record |= dict.fromkeys(("judge_peak", "judge_peak_images", "judge_lost"))
        if top is not None:
            record |= {"judge_peak": top.value, "judge_peak_images": top.images, "judge_lost": top.lost}
        named = zip(("area", "area_low", "area_high"), area, strict=True)
        found.append(record | {key: None if math.isnan(value) else value for key, value in named})
    return found


def _identity(cell: Cell) -> Record:
    return {"search": cell[0], "phrase": cell[1], "seed": int(cell[2])}
