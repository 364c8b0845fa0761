"""Studies, experiments of jobs and the studio's folder that `damage.py` damages, and what reads them."""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
from pathlib import Path
from typing import Any

from damage_base import Result, digest

SMALL = {"population": 2, "device": "cpu", "precision": "fp32", "generator": "toy", "scorer": ("toy",)}
STUDY = SMALL | {"generations": 1, "phrase": ("a red disc",), "search": ("ga augment=0",), "repetitions": 1}
RUN = {"prompt": "a red disc", "generator": "toy", "scorer": ["toy"], "judge": "toy", "device": "cpu", "augment": 0}
STEPS = 4


def make_study(folder: Path, other: bool) -> None:
    """One run and its page."""
    from zeuxis import workflows

    workflows.evaluate("similarity", folder, **STUDY | ({"seed": 5} if other else {}))


def study(folder: Path, file: Path, repetitions: int = 1) -> Result:
    """`zeuxis evaluate similarity` again, perhaps with more runs: its tables and what it wrote."""
    from zeuxis import workflows

    said: list[str] = []
    record = workflows.evaluate("similarity", folder, say=said.append, **STUDY | {"repetitions": repetitions})
    told: dict[str, object] = {"tables": record["results"], "settings": record["settings"]}
    if repetitions > 1:
        told |= {path.name: digest(path) for path in folder.glob("*.csv")}
    return Result(told, said)


def study_more(folder: Path, file: Path) -> Result:
    """The same with one run more: all that is there is read back."""
    return study(folder, file, 2)


def make_jobs(folder: Path, other: bool) -> None:
    """Two runs."""
    _carry_out(folder, 2, other)


def jobs(folder: Path, file: Path, seeds: int = 2) -> Result:
    """`zeuxis experiment` again: its table and the results of its jobs."""
    said = _carry_out(folder, seeds)
    found = {path.name: path.read_text() for path in (folder / "table.csv", folder / "experiment.json")}
    return Result(found, said)


def jobs_more(folder: Path, file: Path) -> Result:
    """The same with one job more."""
    return jobs(folder, file, 3)


def show_jobs(folder: Path, file: Path) -> Result:
    """`zeuxis experiment show`, without the seconds."""
    from zeuxis.cli.experiment import show

    text, notes = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(notes):
        show(folder)
    lines = [line.partition(" s of work")[0] for line in text.getvalue().splitlines()]
    kept = [line for line in lines if not line.startswith(str(folder))]
    return Result(kept, notes.getvalue().splitlines())


def _carry_out(folder: Path, seeds: int, other: bool = False) -> list[str]:
    from zeuxis.experiments.driver import run_experiment
    from zeuxis.experiments.jobs import make_plan

    config = RUN | {"population": 2, "generations": 1, "view_every": 4, "search": "best-of-n" if other else "ga"}
    plan = make_plan({"jobs": [{"name": "runs", "kind": "run", "config": config, "seeds": seeds}]})
    said: list[str] = []
    run_experiment(plan, folder, say=said.append)
    return said


@functools.cache
def _artist(prompt: str) -> Any:
    from zeuxis.config import make_config
    from zeuxis.studio.artist import Artist

    toys = {"generator": "toy", "scorer": ("toy",), "device": "cpu", "precision": "fp32", "augment": 0}
    return Artist(make_config(prompt=(prompt,), seed=7, population=4, **toys))


def make_studio(folder: Path, other: bool) -> None:
    """A breeding of a few steps with kept pictures and a star, in the folder of the studio."""
    from zeuxis.studio.state import Studio

    studio = _studio(folder)
    prompt = "a blue square" if other else "a red disc"
    bench = studio._bench(_artist(prompt).config, [])
    bench.breeding.size, bench.breeding.pool = 3, 2
    for step in range(STEPS):
        bench.breeding.favour(bench.family.table.shown[0]) if step % 2 == 0 else bench.breeding.children(0.5)
    for number in {number for table in bench.family.tables for number in table.favourites}:
        bench.keep(number)
    studio.gallery.refresh()
    studio.gallery.mark(studio.gallery.find()[0].id, 1)
    Studio.close(studio)
    bench.journal.folder.rename(folder / "bred")
    studio = _studio(folder)
    studio.gallery.refresh()
    studio.gallery.mark(studio.gallery.find()[0].id, 1)
    studio.close()


def _studio(folder: Path) -> Any:
    from zeuxis.studio.state import Studio

    studio = Studio(folder)
    studio.artist = lambda config: _artist(" | ".join(config.prompt))  # type: ignore[method-assign]
    return studio


def reopen(folder: Path, file: Path) -> Result:
    """Go on with the breeding: its steps and latents, and those of the next step."""
    studio = _studio(folder)
    try:
        bench = studio.reopen(folder / "bred")
        bench.breeding.size, bench.breeding.pool = 3, 2
        bench.breeding.favour(bench.family.table.shown[1])
        steps = [repr(table) for table in bench.family.tables]
        return Result((steps, [one.genome.tolist() for one in bench.family.pictures]), list(bench.notes))
    finally:
        studio.close()


def gallery(folder: Path, file: Path) -> Result:
    """What the gallery finds, its stars, and an archive of it; pictures that cannot be read are said."""
    from zeuxis.errors import ZeuxisError
    from zeuxis.pictures.reading import read_rgb
    from zeuxis.studio.gallery import Gallery
    from zeuxis.studio.index import Query
    from zeuxis.studio.thumbnails import Thumbnails

    held = Gallery(folder)
    notes: list[str] = []
    try:
        held.refresh()
        found = held.find(Query(rejected=True), limit=100)
        shown = []
        for one in found:
            try:
                shown.append((one.file, one.prompt, one.generator, one.mark, read_rgb(held.data(one)).tobytes()))
                Thumbnails(held).of(one)
            except ZeuxisError as error:
                notes.append(str(error))
        return Result(shown, [*held.notes, *notes])
    finally:
        held.close()
        shutil.rmtree(held.own / "thumbnails", ignore_errors=True)
