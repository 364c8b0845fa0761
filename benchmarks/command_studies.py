"""Commands like those of `command_table.py` that fill folders of many parts: studies, experiments, prompts, studio."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from command_stock import PROMPT, Stock
from command_table import TOYS, Command, Result, copy_run, files_of, run_result, without_clock

JOBS = """
attempts = 15
[[jobs]]
name = "runs"
kind = "run"
config = { prompt = "a red disc on white", generator = "toy", scorer = ["toy"], judge = "toy", device = "cpu", augment = 0, generations = 3, view_every = 4 }
grid = { search = ["ga", "best-of-n"], population = [3] }
seeds = 1
[[jobs]]
name = "network"
kind = "train"
config = { recipe = "STOCK/tiny.toml", data = "STOCK/data", device = "cpu" }
[[jobs]]
name = "figures"
kind = "evaluate"
config = { evaluation = "similarity", generator = "toy", scorer = "toy", search = "ga augment=0", phrase = "a red disc on white", population = 3, repetitions = 1, generations = 2, device = "cpu", precision = "fp32" }
"""  # noqa: E501
STEPS = 6  # of a breeding by hand
SHORT = ["--population", "3", "--repetitions", "1", "--generations", "3", "--device", "cpu", "--precision", "fp32"]
TOY = ["--generator", "toy", "--scorer", "toy"]
QUESTIONS = {
    "similarity": [*TOY, "--phrase", PROMPT, "--search", "ga augment=0"],
    "searches": [*TOY, "--phrase", PROMPT, "--search", "ga augment=0", "--judge", "toy", "--view-every", "1"],
    "leakage": ["--generator", "toy", "--scorer", "pocket", "--phrase", "a red car", "--search", "ga augment=0"],
    "generators": [*TOY, "--phrase", PROMPT, "--search", "ga augment=0", "--judge", "pocket"],
    "fooling": [*TOY, "--template", "a red {}", "--search", "ga augment=0", "--classifier", "pocket"],
}


def study_result(place: Path) -> Result:
    """Record, rows, tables, the pictures of all runs; that there is a page."""
    out = place / "out"
    found = files_of("out/*.csv", "out/runs/**/images/*.png", "out/runs/**/log/*", "out/evaluation.json")(place)
    lines = {}
    for line in (out / "cells.jsonl").read_text().splitlines():
        with contextlib.suppress(ValueError):  # what a kill broke off
            row = json.loads(line)
            lines[str(row["cell"])] = row
    return found | {"rows": json.dumps(lines, sort_keys=True), "page": str((out / "report.html").stat().st_size > 1000)}


def experiment_result(place: Path) -> Result:
    """The table byte by byte, the record, what each job came to."""
    found = files_of("out/table.csv", "out/experiment.json", "out/jobs/*/work/images/*.png")(place)
    for path in sorted((place / "out/jobs").glob("*/result.json")):
        told = json.loads(path.read_text())
        kept = {name: told[name] for name in ("job", "status", "reason", "numbers")}
        found[path.parent.name] = json.dumps(without_clock(kept), sort_keys=True)
    ended = {json.loads(line)["job"] for line in (place / "out/results.jsonl").read_text().splitlines() if _whole(line)}
    return found | {"ended": str(sorted(ended))}


def series_result(place: Path) -> Result:
    """Each run of several prompts, and that there is a page."""
    found = {"page": str((place / "out/report.html").stat().st_size > 1000)}
    for run in sorted((place / "out").glob("*/run.json")):
        (place / "run").unlink(missing_ok=True)
        (place / "run").symlink_to(run.parent)
        found |= {f"{run.parent.name}/{name}": value for name, value in run_result(place).items()}
        (place / "run").unlink()
    return found


def breeding_result(place: Path) -> Result:
    """Steps and latents of the breeding, what was kept, what the gallery finds of it, and its star."""
    from zeuxis.studio.gallery import Gallery

    gallery = Gallery(place / "runs")
    gallery.refresh()
    folder = max((place / "runs").glob("*/breeding.jsonl"), key=lambda path: path.stat().st_size).parent
    found = gallery.find(limit=1000)
    shown = [(one.file, one.prompt, one.generator, one.mark) for one in found if one.run == folder.name]
    gallery.close()
    steps = [json.loads(line) for line in (folder / "breeding.jsonl").read_text().splitlines() if _whole(line)]
    told = {f"step {number}": json.dumps(step) for number, step in enumerate(steps[1:])}
    kept = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "kept").glob("*.png")}
    return told | kept | {"gallery": str(sorted(shown))}


def breed_by_hand(runs: Path, **server: Any) -> None:
    """In the place of the studio's server: a breeding of STEPS steps, gone on with where there is one; a star."""
    from zeuxis.config import make_config
    from zeuxis.errors import RunDamaged
    from zeuxis.studio.state import Studio

    studio = Studio(runs)
    try:
        studio.gallery.refresh()
        bench = None
        for name in studio.gallery.bred():
            with contextlib.suppress(RunDamaged):  # killed before its first step
                bench = bench or studio.reopen(runs / name)
        toys = {"generator": "toy", "scorer": ("toy",), "device": "cpu", "precision": "fp32", "augment": 0}
        bench = bench or studio._bench(make_config(prompt=(PROMPT,), seed=7, population=4, **toys), [])
        bench.breeding.size, bench.breeding.pool, bench.breeding.rounds = 4, 2, 2
        family = bench.family
        while len(family.tables) < STEPS:
            step, shown = len(family.tables), family.table.shown
            if step in (1, 2, 4):
                bench.breeding.favour(shown[step % len(shown)])
            else:
                bench.breeding.children(0.5) if step == 3 else bench.breeding.suggest(0.5)
        for number in sorted({number for table in family.tables for number in table.favourites}):
            bench.keep(number)
        studio.gallery.refresh()
        here = [one for one in studio.gallery.find(limit=1000) if one.run == bench.journal.folder.name]
        studio.gallery.mark(min(here, key=lambda one: one.file).id, 1)
    finally:
        studio.close()


def _whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _experiment(stock: Stock, place: Path) -> None:
    (place / "jobs.toml").write_text(JOBS.replace("STOCK", str(stock.folder)))


def _prompts(stock: Stock, place: Path) -> None:
    (place / "prompts.txt").write_text(f"{PROMPT}\na blue square\n")


def _classes(stock: Stock, place: Path) -> None:
    (place / "classes.txt").write_text("ship\ncat | animals\n")


STUDIES = [
    *(
        Command(
            name,
            lambda s, name=name, words=words: [
                *("evaluate", name, *words, *SHORT, *(("--classes", "classes.txt") if name == "fooling" else ())),
                *("--out", "out"),
            ],
            study_result,
            _classes,
        )
        for name, words in QUESTIONS.items()
    ),
    Command(
        "experiment",
        lambda s: ["experiment", "jobs.toml", "--trust-paths", "--retry-failed", "--out", "out"],
        experiment_result,
        _experiment,
    ),
    Command(
        "prompts",
        lambda s: [
            *("generate", "--prompts", "prompts.txt", *TOYS, "--search", "ga", "--population", "3", "--augment", "0"),
            *("--generations", "3", "--view-every", "4", "--seed", "7", "--gif", "--out", "out"),
        ],
        series_result,
        _prompts,
    ),
    Command("studio", lambda s: ["studio", "--no-show", "--runs", "runs"], breeding_result),
    Command("show", lambda s: ["show", "run", "--report"], run_result, copy_run),
]  # fmt: skip
