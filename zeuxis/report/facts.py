"""The facts of a run in two columns, for the page and for the terminal. Read from the folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zeuxis.report.verdict import pictures, short_verdict
from zeuxis.run.folder import RunFolder
from zeuxis.run.history import Row
from zeuxis.run.stopping import judge_peak
from zeuxis.scorers.templates import USUAL


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
        ("start", start(record.get("start", {}))),
        ("search", f"{config.search} ({options})" if options else config.search),
        *archive,
        *measures,
        *_templates(config.prompt_template if config.templates else ()),
        ("generator", f"{_model(models['generator'])}, {models['generator']['resolution']} pixels"),
        ("scorer", " + ".join(_scorer(scorer) for scorer in models["scorers"])),
        ("judge", "none" if judge is None else _model(judge)),
        ("verdict", short_verdict(pictures(summary))),
        *_peak(rows, summary),
        *front_facts(summary),
        ("precision", precision(record["decisions"]["gate"])),
        ("device", f"{machine['device_name']}; {machine['cpu']}, threads: {machine['threads']}, {machine['system']}"),
        ("software", ", ".join(f"{name} {version}" for name, version in record["software"].items())),
    ]


def _templates(names: Sequence[str]) -> list[tuple[str, str]]:
    """The line on the sentences that phrases were put into, where they were not the usual ones."""
    return [("templates", "; ".join(names) or "none")] if tuple(names) != (USUAL,) else []


def _peak(rows: Sequence[Row], summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The line on where the judge's mean was highest: a later gain of the score is none that the judge confirms.

    The final population is the judge's last look; it is not that of a generation, whose pictures are those just bred.
    """
    peak = judge_peak(rows)
    if peak is None:
        return []
    where = f"{peak.mean:.3f} in generation {peak.generation} ({peak.images:,} images)"
    final = (summary["judge"] or {}).get("mean")
    if final is None:
        return [("judge's peak", where)]
    if final > peak.mean:
        return [("judge's peak", f"{final:.3f} in the final population; before that {where}")]
    return [("judge's peak", f"{where}; {final:.3f} in the final population")]


def best_words(summary: dict[str, Any]) -> str:
    """The best score of the run, and for a front how it was picked."""
    best = summary["best"]
    picked = f" at {pick_words(summary['front'])}" if "front" in summary else ""
    return f"{best['score']:.4f}{picked}, found in generation {best['generation']}"


def front_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The line on the front, for a run with several objectives: "23 pictures, the knee: pocket 0.81, realism 0.62"."""
    front = summary.get("front")
    if front is None or not front["members"]:
        return []
    size = len(front["members"])
    pick = objective_words(front, 0)
    return [("front", f"{size} picture{'s' if size > 1 else ''}, {pick_words(front)}: {pick}")]


def objective_words(front: dict[str, Any], rank: int, *, digits: int = 3) -> str:
    """The objectives of one picture of the final population: "pocket 0.812, realism 0.621"."""
    values = zip(front["objectives"], front["values"][rank], strict=True)
    return ", ".join(f"{name} {'none' if value is None else f'{value:.{digits}f}'}" for name, value in values)


def pick_words(front: dict[str, Any]) -> str:
    """How the best picture was picked: "the knee", "the best in realism", "the best sum"."""
    names = front["objectives"]
    words = {"knee": "the knee", "first": f"the best in {names[0]}", "second": f"the best in {names[1]}"}
    return words.get(front["pick"], "the best sum")


def archive_words(figures: dict[str, Any]) -> str:
    """Coverage and QD score in a line, from the archive in a summary."""
    filled, total = figures["filled"], figures["cells"] ** 2
    share = f"{filled:,} of {total:,} cells filled ({100 * figures['coverage']:.0f} %)"
    return f"{share}, QD score {figures['qd_score']:.2f} (offset {figures['offset']:g})"


def start(facts: dict[str, Any]) -> str:
    """Where the first generation came from; a warm start is told apart, because its bank's images are not counted."""
    if "warm_images" in facts:
        rest = start({name: value for name, value in facts.items() if not name.startswith("warm_")})
        return f"warm: {facts['warm_images']:,} latents of a network trained on a bank and on runs; the rest {rest}"
    if "bank_images" in facts:
        return f"warm: the best of a bank of {facts['bank_images']:,} images, which are not counted"
    if "sweep_images" in facts:
        return f"cold: one picture of each of {facts['sweep_images']:,} classes"
    if facts.get("labels"):
        return f"cold: draws of the labels nearest to the phrase: {', '.join(facts['labels'])}"
    if facts.get("latents"):
        count = len(facts["latents"])
        return f"from {'a saved picture' if count == 1 else f'{count} saved pictures'} and latents about it"
    if "start_images" in facts:
        return f"cold: the best of {facts['start_images']:,} draws of the prior"
    return "cold: draws of the prior"


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
