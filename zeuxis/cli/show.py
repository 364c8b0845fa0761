"""`zeuxis show RUN`: what is in a run folder, for a person at a terminal. Reads only, also while the run goes on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zeuxis.run import Row, RunFolder

app = typer.Typer(add_completion=False, rich_markup_mode=None)

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60  # characters of a sparkline
FILES = (
    *("report.html", "curve.png", "front.png", "images/final.png", "images/best.png", "images/best_x8.png"),
    *("top/sheet.png", "best.gif", "best.mp4"),
)


@app.command(
    epilog="Examples:\n\nzeuxis show runs/20260131-140502-a-red-fire-truck-7\n\n"
    "zeuxis show runs/20260131-140502-a-red-fire-truck-7 --report"
)
def show(
    run: Annotated[Path, typer.Argument(help="the folder of a run or a training", show_default=False)],
    report: Annotated[bool, typer.Option("--report", help="write curve.png, front.png and report.html again")] = False,
) -> None:
    """Read a run or a training: figures, history, notes, files."""
    from zeuxis.report.training import is_training
    from zeuxis.run import RunFolder

    if is_training(run):
        _show_training(run, report)
        return
    if any(run.glob("seed-*/train.json")):
        _show_panel(run)
        return
    folder = RunFolder(run)
    rows = folder.history()
    typer.echo(f"{folder.prompt}\n")
    _say_facts(folder, rows)
    _say_history(rows, folder.config.view_every)
    for note in folder.notes:
        typer.echo(f"note: {note}")
    if report:
        from zeuxis.report.html import write_report

        write_report(folder)
    _say_files(folder)


def _show_panel(place: Path) -> None:
    """The newest row of each held-out figure over the training seeds."""
    from zeuxis.lab.panel import read_panel, rows, seeds_words

    logs = read_panel(place)
    table = {row.figure: row for row in rows(logs)}
    typer.echo(f"{seeds_words(len(logs))}: {', '.join(map(str, logs))}\n")
    for row in table.values():
        spread = f"deviation {row.deviation:.3g}, mean within {row.low:,.4g} to {row.high:,.4g}"
        about = spread if row.seeds > 1 else "one training seed"
        typer.echo(f"{row.figure:<25} {row.mean:>10,.4g} at {row.images:,} images, {about}")
    for path in (place / name for name in ("panel.html", "panel.csv", "panel.png")):
        if path.exists():
            typer.echo(str(path))


def _show_training(place: Path, report: bool) -> None:
    """The same facts as the page of a training has."""
    from zeuxis.lab import history
    from zeuxis.report.training import collapse, command, facts, read_training, write_page
    from zeuxis.storage.reading import printable

    view = read_training(place)
    if report:
        write_page(view)
    typer.echo(f"{printable(view.config.about or view.config.task)}\n")
    typer.echo("\n".join(f"{name:<19}{printable(value)}" for name, value in facts(view)) + "\n")
    for name in history.held_out(view.lines):
        values = [line[name] for line in history.evaluations(view.lines) if name in line]
        typer.echo(f"{name:<25}{sparkline(values)} {values[-1]:,.4g}")
    for said in [*collapse(view), *map(str, view.machine.get("notes") or [])]:
        typer.echo(f"note: {printable(said)}")
    if not view.ended and (words := command(view)):
        typer.echo(f"\nNot finished, or under way. Go on with: {printable(words)}")
    grids = sorted((place / "samples").glob("*.png"))[-1:]
    for path in (place / "report.html", place / "curves.png", *grids, *sorted((place / "export").glob("*"))):
        if path.exists():
            typer.echo(str(path))


def sparkline(values: list[float], width: int = WIDTH) -> str:
    """Values as bars between their lowest and highest; a blank for NaN. Longer series are thinned out evenly."""
    if len(values) > width:
        values = [values[round(k * (len(values) - 1) / (width - 1))] for k in range(width)]
    known = [value for value in values if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)


def _say_facts(folder: RunFolder, rows: list[Row]) -> None:
    from zeuxis.report.commands import folder_command, repeated
    from zeuxis.report.facts import best_words, facts
    from zeuxis.report.verdict import percent
    from zeuxis.storage.reading import printable

    if not folder.summary_path.exists():
        done = f"{len(rows)} of {folder.config.generations + 1} generations"
        command = folder_command("resume", folder.path, *repeated(folder.config))
        typer.echo(f"Not finished: {done}. Go on with: {command}\n")
        return
    summary = folder.summary()
    best = summary["best"]
    lines = [("best score", best_words(summary))]
    lines += [("in words", best["description"])] if best["description"] else []
    lines += facts(folder, summary, rows)
    if summary["judge"] is not None and summary["judge"]["mean"] is not None:
        lines.append(("judge's mean", percent(summary["judge"]["mean"])))
    typer.echo("\n".join(f"{name:<19}{printable(value)}" for name, value in lines) + "\n")


def _say_history(rows: list[Row], every: int) -> None:
    if not rows:
        return
    for name in ("best", "mean", "worst"):
        typer.echo(f"{name:<6}{sparkline([getattr(row, name) for row in rows])}")
    typer.echo("\ngeneration      best      mean     worst     judge       gap different duplicate      norm  images/s")
    last = rows[-1].generation
    for row in rows:
        if row.generation % every == 0 or row.generation == last:
            typer.echo(_line(row))
    typer.echo("")


def _line(row: Row) -> str:
    judge = (None, None) if row.judged is None else (row.judged.mean, row.judged.gap)
    figures = "".join(f"{_figure(x):>10}" for x in (row.best, row.mean, row.worst, *judge))
    speed = "" if row.images_per_second is None else f"{row.images_per_second:.0f}"
    health = "".join(
        f"{row.health[name]:>10.{digits}f}" if row.health else " " * 10
        for name, digits in (("effective", 1), ("duplicates", 0), ("norm", 2))
    )
    return f"{row.generation:>10}{figures}{health}{speed:>10}"


def _figure(x: float | None) -> str:
    return "" if x is None else f"{x:.4f}" if math.isfinite(x) else "none"


def _say_files(folder: RunFolder) -> None:
    names = [
        "report.html",
        "curve.png",
        "front.png",
        "archive.png",
        "collage.png",
        "images/final.png",
        "images/best_x8.png",
        "top/sheet.png",
        "best.gif",
        "best.mp4",
    ]
    for name in names:
        if (folder.path / name).exists():
            typer.echo(str(folder.path / name))
