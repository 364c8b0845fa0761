"""The facts of a run in two columns, for the page and for the terminal. Read from the folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zeuxis.report.verdict import pictures, short_verdict
from zeuxis.run.folder import Row, RunFolder


def facts(folder: RunFolder, summary: dict[str, Any], rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The run in two columns: what, and how much or which."""
    config, record = folder.config, folder.record
    models, machine = record["models"], record["machine"]
    options = ", ".join(f"{name} {value}" for name, value in config.options.items())
    judge = models["judge"]
    figures = summary.get("archive")
    archive = [("archive", f"{' × '.join(figures['axes'])}: {archive_words(figures)}")] if figures else []
    measures = [("measures", ", ".join(config.measures))] if config.measures else []
    return [
        ("images", f"{summary['images']:,}"),
        ("generations", f"{summary['generations']:,}, the initial one included"),
        ("population", f"{config.population:,}"),
        ("images per second", f"{speed(rows)}, rendered and scored"),
        ("ended", summary["reason"]),
        ("seed", str(config.seed)),
        ("search", f"{config.search} ({options})" if options else config.search),
        *archive,
        *measures,
        ("generator", f"{_model(models['generator'])}, {models['generator']['resolution']} pixels"),
        ("scorer", " + ".join(_scorer(scorer) for scorer in models["scorers"])),
        ("judge", "none" if judge is None else _model(judge)),
        ("verdict", short_verdict(pictures(summary))),
        ("precision", precision(record["decisions"]["gate"])),
        ("device", f"{machine['device_name']}; {machine['cpu']}, threads: {machine['threads']}, {machine['system']}"),
        ("software", ", ".join(f"{name} {version}" for name, version in record["software"].items())),
    ]


def archive_words(figures: dict[str, Any]) -> str:
    """Coverage and QD score in a line, from the archive in a summary."""
    filled, total = figures["filled"], figures["cells"] ** 2
    share = f"{filled:,} of {total:,} cells filled ({100 * figures['coverage']:.0f} %)"
    return f"{share}, QD score {figures['qd_score']:.2f} (offset {figures['offset']:g})"


def speed(rows: Sequence[Row]) -> str:
    """Images rendered and scored per second over all generations whose time was kept."""
    images, seconds, before = 0, 0.0, 0
    for row in rows:
        if row.images_per_second:
            images += row.images_so_far - before
            seconds += (row.images_so_far - before) / row.images_per_second
        before = row.images_so_far
    if not seconds:
        return "not known"
    rate = images / seconds
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def precision(gate: dict[str, Any] | None) -> str:
    """The type the networks computed in, and why."""
    if gate is None:
        return "not decided yet"
    words = f"{gate['precision']}: {gate['reason']}"
    if gate["correlation"] is not None:
        words += f" (rank correlation {gate['correlation']:.4f})"
    return words


def _model(model: dict[str, Any]) -> str:
    return f"{model['name']} (sha256 {model['sha256'][:12]}…)"


def _scorer(model: dict[str, Any]) -> str:
    return _model(model) if model["weight"] == 1 else f"{model['weight']:g} × {_model(model)}"
