"""The page of an experiment of jobs: `report.html`, one file without scripts or requests, beside its tables.

Of each group a table with a row for each point of its grid: means over seeds with 95 % intervals (Student's t), and a
figure for the first numbers. What is alike in all jobs is said once; what has failed, and why, stands at the top.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zeuxis.experiments.jobs import Group, Job, Plan
from zeuxis.experiments.results import Result
from zeuxis.metrics.intervals import student
from zeuxis.report.evaluation import Page, Section, TableView, counted, figure, png, write_page
from zeuxis.report.search_figures import Interval, means_png

ACROSS, TABLES, FIGURES = 5, 4, 3  # numbers in one table; tables and figures of one group
POINTS, DRAWN, SERIES = 200, 12, 6  # rows of a table; places along a figure, and lines in it
REASONS = 50  # failed jobs on the page
SOFTWARE = ("zeuxis", "torch", "numpy", "ray")
Point = tuple[Any, ...]


@dataclass(frozen=True)
class Numbers:
    """The numbers of a group: `names` of those that differ, `points` grid point -> results there, `alike` the rest."""

    names: tuple[str, ...]
    points: Mapping[Point, Sequence[Result]]
    alike: Mapping[str, Any]

    def values(self, point: Point, name: str) -> list[float]:
        """Of all seeds at a point that have this number."""
        found = (result.numbers.get(name) for result in self.points[point])
        return [float(v) for v in found if isinstance(v, int | float)]

    def estimate(self, point: Point, name: str) -> Interval | None:
        """Mean and 95 % interval over seeds; the value alone three times for one seed."""
        values = self.values(point, name)
        return student(values) if values else None


def write_jobs_page(
    root: Path, plan: Plan, jobs: Sequence[Job], results: Mapping[str, Result], command: str, files: Sequence[str]
) -> Path:
    """`report.html` in `root`. `command` carries the experiment out, `files` lie beside the page."""
    ended = [(job, results[job.key]) for job in jobs if job.key in results]
    bad = [(job, result) for job, result in ended if result.status == "failed"]
    seconds = sum(result.seconds for _, result in ended)
    lead = [plan.about] if plan.about else []
    lead.append(f"{len(ended) - len(bad):,} of {counted(len(jobs), 'job')} done, {len(bad):,} failed; {seconds:,.0f} s "
                "of work in all.")  # fmt: skip
    sections = [_failed(bad)] if bad else []
    for group in plan.jobs:
        own = [(job, result) for job, result in ended if job.group == group.name and result.status == "done"]
        sections += list(_sections(group, own))
    brand, title = "Zeuxis · an experiment", plan.name
    return write_page(root, Page(brand, title, tuple(lead), tuple(sections), command, tuple(_made(plan)), tuple(files)))


def numbers_of(done: Sequence[tuple[Job, Result]]) -> Numbers:
    """Of the jobs of one group that are done."""
    points: dict[Point, list[Result]] = {}
    for job, result in done:
        points.setdefault(tuple(str(v) for name, v in job.varied.items() if name != "seed"), []).append(result)
    names = dict.fromkeys(name for _, result in done for name in result.numbers)
    columns = {name: [result.numbers.get(name) for _, result in done] for name in names}
    alike = {name: of[0] for name, of in columns.items() if len(done) > 1 and len(set(map(repr, of))) == 1}
    told = [name for name, of in columns.items() if name not in alike and _is_number(of)]
    return Numbers(tuple(told), points, alike)


def _sections(group: Group, done: Sequence[tuple[Job, Result]]) -> Iterator[Section]:
    """Table and figures of one group; without results a sentence."""
    title = f"{group.name}: {group.kind}"
    if not done:
        yield Section(title, ("No job of this group is done.",))
        return
    found = numbers_of(done)
    axes = tuple(name for name in done[0][0].varied if name != "seed")
    words = [_seeds(group)]
    if found.alike:
        words.append(f"Alike in all jobs: {', '.join(f'{n} {_text(v)}' for n, v in list(found.alike.items())[:12])}.")
    shown = found.names[: ACROSS * TABLES]
    if len(found.names) > len(shown) or len(found.points) > POINTS:
        words.append(
            f"{counted(len(found.names), 'number')} at {counted(len(found.points), 'point')} of the grid: the page "
            "shows the first, table.csv has all."
        )
    tables = [_table(found, axes, shown[k : k + ACROSS]) for k in range(0, max(len(shown), 1), ACROSS)]
    figures = []
    for name in shown[:FIGURES] if len(found.points) > 1 else ():
        if (series := _series(found, axes, name)) is not None:
            about = f"{name} at each point of the grid of {group.name}; lines are 95 % intervals over seeds."
            figures.append(png(means_png(*series, name), about, about))
    yield Section(title, tuple(words), tuple(tables), tuple(figures))


def _table(found: Numbers, axes: Sequence[str], names: Sequence[str]) -> TableView:
    rows = []
    for point in list(found.points)[:POINTS]:
        told = [_told(found.estimate(point, name), len(found.values(point, name))) for name in names]
        rows.append((*point, str(len(found.points[point])), *told))
    return TableView("", (*axes, "jobs", *names), tuple(rows), "", "table.csv")


def _series(
    found: Numbers, axes: Sequence[str], name: str
) -> tuple[Sequence[str], Mapping[str, Sequence[Interval | None]]] | None:
    """Names along a figure and a line for each value of the grid's last axis; None where they are too many."""
    lines = list(dict.fromkeys(point[-1] for point in found.points)) if len(axes) > 1 else []
    if len(lines) > SERIES:
        lines = []
    across = list(dict.fromkeys(point[:-1] if lines else point for point in found.points))
    if len(across) > DRAWN:
        return None
    series = {line: [_at(found, (*point, line), name) for point in across] for line in lines}
    words = {f"{axes[-1]} {line}" if len(lines) > 1 else name: values for line, values in series.items()}
    return [", ".join(point) for point in across], words or {name: [_at(found, point, name) for point in across]}


def _at(found: Numbers, point: Point, name: str) -> Interval | None:
    return found.estimate(point, name) if point in found.points else None


def _failed(bad: Sequence[tuple[Job, Result]]) -> Section:
    rows = tuple((job.title, result.reason, str(result.tries + 1)) for job, result in bad[:REASONS])
    more = (f"The first {REASONS} of {len(bad):,}.",) if len(bad) > REASONS else ()
    return Section("Failed", more, (TableView("", ("job", "why", "tries"), rows, "", "table.csv"),))


def _seeds(group: Group) -> str:
    """How many seeds stand behind a mean; of trainings in the words that a reviewer looks for."""
    seeds = group.seeds or (len(group.grid["seed"]) if "seed" in group.grid else 1)
    noun = "training seed" if group.kind == "train" else "seed"
    over = "one" if seeds == 1 else f"{seeds:,}"
    return f"{over.capitalize()} {noun}{'s' if seeds > 1 else ''}." + (
        " Values are means with 95 % intervals over seeds (Student's t)." if seeds > 1 else ""
    )


def _made(plan: Plan) -> Iterator[tuple[str, str]]:
    for group in plan.jobs:
        grid = "; ".join(f"{name}: {', '.join(map(_text, values))}" for name, values in group.grid.items())
        first = f", from {group.first_seed}" if group.seeds and group.first_seed else ""
        seeds = f"; {counted(group.seeds, 'seed')}{first}" if group.seeds else ""
        config = ", ".join(f"{name} = {_text(value)}" for name, value in group.config.items())
        yield group.name, f"{group.kind}; {config}"[:2000] + (f"; {grid}" if grid else "")[:1000] + seeds
    if any(group.kind != "train" for group in plan.jobs):
        yield "networks", "one training seed of each, unless a group above trains more"
    yield "versions", ", ".join([*_versions(), f"Python {platform.python_version()}", platform.platform()])


def _versions() -> Iterator[str]:
    for name in SOFTWARE:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def _is_number(values: Sequence[Any]) -> bool:
    known = [v for v in values if v is not None]
    return bool(known) and all(isinstance(v, int | float) for v in known)


def _told(found: Interval | None, count: int) -> str:
    if found is None:
        return "–"
    value, low, high = found
    return _text(value) if count < 2 or low == high else f"{_text(value)} ({_text(low)} to {_text(high)})"


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else figure(value)
