"""What `zeuxis metrics` found as people and programs read it: `report.html`, `metrics.csv` and `.json`, and Parquet."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from pathlib import Path

import torch

from zeuxis import __version__
from zeuxis.errors import MissingExtra
from zeuxis.evaluation.measure import Result
from zeuxis.evaluation.report import DETAILS, Compared, details, write_report
from zeuxis.experiments.records import Record, write_csv, write_parquet
from zeuxis.report.evaluation import Page, Section, TableView, counted, figure, png, write_page
from zeuxis.report.search_figures import Interval, pairs_png
from zeuxis.storage.files import remove

SHARES = 1.0  # metrics whose values are of this size are drawn together
LEFT_OUT = 20  # files named one by one


def write_metrics(folder: Path, found: Compared, command: str) -> list[Path]:
    """All files of a comparison, the page last. Parquet where pyarrow is there."""
    written = write_report(folder, found)
    further: list[Record] = [dict(zip(DETAILS, row, strict=True)) for row in details(found.results)]
    if further:
        written.append(write_csv(folder / "details.csv", further))
    else:  # of an earlier table here
        for name in ("details.csv", "details.parquet"):
            remove(folder / name)
    with contextlib.suppress(MissingExtra):
        written.append(write_parquet(folder / "metrics.parquet", list(_records(found))))
        if further:
            written.append(write_parquet(folder / "details.parquet", further))
    names = tuple(path.name for path in written)
    return [*written, write_page(folder, _page(found, command, names))]


def _page(found: Compared, command: str, files: tuple[str, ...]) -> Page:
    n = len(found.generated)
    title = f"{counted(n, 'picture')} of {found.generated.name} beside {len(found.real):,} of {found.real.name}"
    had = [result for result in found.results if result.value is not None]
    table = TableView("", ("metric", "value", "95 % interval", "floor", "better", "what"),
                      tuple(_row(result) for result in had), "", "metrics.csv")  # fmt: skip
    words = (
        "Floor: the same metric of real pictures against real ones; no generator can be expected below it. The name of "
        "a metric holds the number of pictures, the real split and the network whose features are compared.",
    )
    data = _drawn(had)
    about = "Shares and ratios: filled marks are values with 95 % intervals, open ones their floors."
    sections = [Section("Figures", words, (table,), (png(data, about, about),) if data else ())]
    by_class = _by_class(had)
    if by_class is not None:
        sections.append(Section("By class", (), (by_class,)))
    refused = tuple((result.metric, result.refused) for result in found.results if result.refused)
    if refused:
        sections.append(Section("Refused", (), (TableView("", ("metric", "why"), refused),)))
    broken = [line for s in (found.generated, found.real, found.held_out) if s is not None for line in s.left_out]
    if broken:
        said = (f"{counted(len(broken), 'file')} could not be read; the first:", *broken[:LEFT_OUT])
        sections.append(Section("Left out", said))
    return Page("Zeuxis · pictures compared", title, tuple(found.notes()), tuple(sections), command,
                tuple(_made(found)), files)  # fmt: skip


def _by_class(results: list[Result]) -> TableView | None:
    """Shares of each class, a column a metric; None where no metric has such."""
    having = [r for r in results if r.more.get("by_class")]
    names = dict.fromkeys(name for r in having for name in r.more["by_class"])
    rows = tuple((name, *(figure(r.more["by_class"].get(name)) for r in having)) for name in names)
    return TableView("", ("class", *(r.name for r in having)), rows, "", "details.csv") if having else None


def _row(result: Result) -> tuple[str, ...]:
    low, high = (None, None) if result.interval is None else result.interval
    fewer = f" ({result.floor_n:,} pictures)" if 0 < result.floor_n < result.settings["n"] else ""
    interval = "–" if low is None else f"{figure(low)} to {figure(high)}"
    return (result.name, figure(result.value), interval, figure(result.floor) + fewer, result.better or "–",
            result.about)  # fmt: skip


def _drawn(results: list[Result]) -> bytes | None:
    """Values from 0 to about 1 with their floors; None where there are none."""
    rows: dict[str, tuple[Interval, Interval]] = {}
    for result in results:
        value, floor = result.value, result.floor
        if value is not None and floor is not None and 0 <= value <= 1.5 * SHARES and floor <= 1.5 * SHARES:
            low, high = result.interval or (value, value)
            rows[result.metric] = (value, low, high), (floor, floor, floor)
    return pairs_png(rows, ("generated", "floor: real"), "value") if rows else None


def _made(found: Compared) -> Iterator[tuple[str, str]]:
    for name, of in (("generated", found.generated), ("real", found.real), ("other real", found.held_out)):
        if of is not None:
            yield name, f"{of.name}{f', split {of.split}' if of.split else ''}: {counted(len(of), 'picture')}"
    yield "features", f"{found.space.name}, {found.space.resize}; sha256 {found.space.sha256[:16]}"
    if found.scorer:
        yield "scorer", found.scorer
    yield "networks", "one training seed: one set of generated pictures is one draw of one network"
    yield "versions", f"Zeuxis {__version__}, torch {torch.__version__}, Python {platform.python_version()}"


def _records(found: Compared) -> Iterator[Record]:
    for r in found.results:
        low, high = (None, None) if r.interval is None else r.interval
        record: Record = {"name": r.name, "metric": r.metric, "value": r.value, "low": low, "high": high}
        record |= {"floor": r.floor, "floor_n": r.floor_n, "n": r.settings.get("n")}
        record |= {"reference_n": r.settings.get("reference_n"), "better": r.better, "refused": r.refused}
        yield record | {"seconds": r.seconds}
