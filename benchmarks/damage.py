"""Damage every file of every kind of folder, and see what the commands that read it make of it.

    python benchmarks/damage.py [--small] [--kind run] [--seed 0]

Each file of a run folder, an archive's run folder, a start bank, an experiment and a training folder is truncated at
50 places, has 50 bits flipped one by one, is emptied, taken away, replaced by a folder, a link, a pipe, and by the file
of the same name from another folder. Then the commands that read it are called in this process. What may come out:

    same        as from the whole folder
    said        as from the whole folder, after a note; or with less, which is said
    refused     one sentence
    SILENT      something else, without a word
    TRACEBACK   an error that is not meant for people

The last two must be 0; the exit code says so.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from PIL import Image

from zeuxis.errors import ZeuxisError
from zeuxis.storage import files as storage_files

EXPERIMENT = {
    "variants": ("ga", "best-of-n"), "phrases": ("a red disc", "a blue square"), "seeds": 1, "populations": (4,),
    "generator": "toy", "scorer": ("toy",), "judge": "toy", "precision": "fp32", "baseline": "ga",
}  # fmt: skip
OUTCOMES = ("same", "said", "refused", "SILENT", "TRACEBACK")


Action = Callable[[], object]


@dataclass
class Result:
    """What a command came to: figures and files to compare, and what was said."""

    value: object = None
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A kind of folder: `make(folder, other)` builds one (`other`: another one), `actions` read a copy of it."""

    name: str
    make: Callable[[Path, bool], None]
    actions: dict[str, Callable[[Path], Result]]
    skip: Callable[[str], bool] = lambda name: False


def toy(**changes):
    from zeuxis.config import make_config

    toys = {"prompt": ("a red disc on white",), "generator": "toy", "scorer": ("toy",), "judge": "toy", "search": "ga"}
    small = {"population": 3, "generations": 4, "view_every": 2, "augment": 0, "precision": "fp32", "device": "cpu"}
    return make_config(**{**toys, **small, "seed": 7, **changes})


def make_run(folder, other, **changes):
    from zeuxis.report.html import write_report
    from zeuxis.report.top import write_top
    from zeuxis.run import open_session

    with open_session(toy(**({"seed": 8} if other else {}), **changes), folder) as session:
        list(session)
        session.finish()
        write_report(session.folder)
        write_top(session.folder, 4)


def make_archive(folder, other):
    measures = ("brightness", "blue|red:-1.5..1.5")
    make_run(folder, other, search="map-elites", measures=measures, options={"cells": 4}, population=4, generations=2)


def show(folder):
    from zeuxis.cli.show import show as command

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        command(folder, report=False)
    told = text.getvalue().replace(str(folder), "RUN")
    figures = "\n".join(line for line in told.splitlines() if not line.startswith("RUN/"))  # which files are there
    return Result(figures, notes_in(told))


def notes_in(text):
    return [line for line in text.splitlines() if line.startswith("note:") or line.startswith("Not finished")]


def report(folder):
    """The page, without what is meant to differ: the place of the folder."""
    from zeuxis.report.html import write_report
    from zeuxis.run import RunFolder

    run = RunFolder(folder)
    page = write_report(run).read_text(encoding="utf-8").replace(str(folder), "RUN")
    return Result(page, run.notes)


def resume(folder):
    from zeuxis.report.top import write_top
    from zeuxis.run import reopen_session

    with reopen_session(folder) as session:
        before = list(session.notes)
        list(session)
        session.finish()
        notes = session.notes
        write_top(session.folder, 4)
    told = {}
    for place in ("log/*", "images/*", "cells/*", "top/*", "summary.json", "archive.json"):
        told |= {str(p.relative_to(folder)): digest(p) for p in folder.glob(place) if p.is_file()}
    record = json.loads((folder / "run.json").read_text())
    told["config"] = json.dumps(record["config"])
    return Result(told, [*before, *notes])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Eyes:
    """A scorer with embeddings that costs nothing."""

    name, sha256 = "eyes", "0" * 64

    def prepare(self, prompt):
        rng = torch.Generator().manual_seed(len(prompt))
        return argparse.Namespace(embeddings=torch.randn(1, 12, generator=rng), weights=torch.ones(1))

    def embed_images(self, images):
        return torch.nn.functional.normalize(torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1) - 0.4, dim=1)


@contextlib.contextmanager
def bank_at(folder):
    """The cache in `folder`, with checksums over 8 rows each."""
    from zeuxis.generators.toy import ToyGenerator
    from zeuxis.scorers import bank

    kept, bank.CHUNK = (bank.CHUNK, os.environ.get("ZEUXIS_CACHE")), 8
    os.environ["ZEUXIS_CACHE"] = str(folder)
    try:
        yield bank, ToyGenerator(), Eyes()
    finally:
        bank.CHUNK = kept[0]
        os.environ.pop("ZEUXIS_CACHE")
        if kept[1] is not None:
            os.environ["ZEUXIS_CACHE"] = kept[1]


def make_bank(folder, other):
    with bank_at(folder) as (bank, *models):
        bank.build_bank(*models, 20, {"truncation": 0.5} if other else {})


def use_bank(folder):
    with bank_at(folder) as (bank, generator, scorer):
        found = bank.open_bank(generator, scorer, {})
        return Result((found.best(found.similarity(scorer.prepare("a cat")), 8).tolist(), found.done))


def build_bank(folder):
    said = []
    with bank_at(folder) as (bank, *models):
        built = bank.build_bank(*models, 20, {}, say=said.append)
        return Result((built.latents[:].tolist(), built.embeddings[:].tolist(), built.done), said)


def make_experiment(folder, other):
    from zeuxis import workflows

    workflows.compare(folder, **EXPERIMENT, generations=9 if other else 8)


def compare(folder):
    from zeuxis import workflows
    from zeuxis.experiments.folder import ExperimentFolder

    grid = {
        "variants": ("ga", "best-of-n"),
        "phrases": ("a red disc", "a blue square"),
        "seeds": 1,
        "populations": (4,),
    }
    toys = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "precision": "fp32", "baseline": "ga"}
    said = []
    again = []
    workflows.compare(
        folder,
        **grid,
        **toys,
        generations=8,
        say=said.append,
        listener=lambda done, count, row: again.append(str(done)),
    )
    kept = ExperimentFolder(folder)
    rows = {str(cell): {k: v for k, v in row.items() if "seconds" not in k} for cell, row in kept.rows().items()}
    latents = {str(cell): kept.latents(cell).tolist() for cell in kept.rows() if kept._latents_path(cell).exists()}
    table = [line.split(",")[:-1] for line in (folder / "table.csv").read_text().splitlines()]
    return Result((sorted(rows.items()), sorted(latents.items()), table), [*said, *(f"run again: {n}" for n in again)])


WRITTEN = ("report.html", "curve.png", "archive.png", "collage.png", "front.png", "table", "cells.csv", "cells.parquet")
WRITTEN += ("curves-", "reversed-", "sheet.png", "01.png", "02.png", "03.png", "04.png", "best_x8.png", "final.png")
KINDS = [
    Kind("run", make_run, {"show": show, "report": report, "resume": resume}),
    Kind("archive", make_archive, {"report": report, "resume": resume}),
    Kind("bank", make_bank, {"use": use_bank, "build": build_bank}),
    Kind("experiment", make_experiment, {"compare": compare}),
]


def damages(
    path: Path, other: Path | None, random_: random.Random, many: int
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Ways to damage one file; each acts on the file as it lies in a fresh copy."""
    data = path.read_bytes()
    sizes = sorted({round(k * (len(data) - 1) / max(1, many - 1)) for k in range(many)}) if len(data) > 1 else []
    for size in sizes:
        yield f"cut at {size}", lambda size=size: write(path, data[:size])
    for _ in range(many if data else 0):
        at = random_.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        yield f"bit {at}", lambda flipped=bytes(flipped): write(path, flipped)
    yield "empty", lambda: write(path, b"")
    yield "missing", path.unlink
    yield "folder", lambda: (path.unlink(), path.mkdir())
    yield "link", lambda: link(path)
    if hasattr(os, "mkfifo"):
        yield "pipe", lambda: (path.unlink(), os.mkfifo(path))
    if other is not None and other.is_file() and other.read_bytes() != data:
        yield "another's", lambda: write(path, other.read_bytes())


def write(path, data):
    path.write_bytes(data)


def link(path):
    aside = path.parent.parent / f"aside-{path.name}"
    aside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(aside)


def outcome(action, folder, wanted, said_before) -> tuple[str, str]:
    """Which of OUTCOMES, and a line on it."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("error")
            found = action(folder)
    except ZeuxisError as error:
        return "refused", str(error)[:200]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "TRACEBACK", f"{type(error).__name__}: {error!s:.120} ({Path(where.filename).name}:{where.lineno})"
    said = [note for note in found.said if note not in said_before]
    if found.value == wanted:
        return ("said", said[0][:120]) if said else ("same", "")
    return ("said", said[0][:120]) if said else ("SILENT", difference(found.value, wanted))


def difference(found, wanted) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return str(sorted({*found, *wanted} - {k for k in found if wanted.get(k) == found[k]}))[:200]
    one, other = str(found), str(wanted)
    at = next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"{one[max(0, at - 40) : at + 60]!r} for {other[max(0, at - 40) : at + 60]!r}"


def survey(
    kind: Kind, work: Path, many: int, seed: int, tell: Callable[[str], None], part: float = 1.0
) -> Counter[str]:
    """Every damage to every file of one kind, or a random `part` of them; the counts of outcomes."""
    random_, counts = random.Random(seed), Counter[str]()
    whole, other, place = work / f"{kind.name}-whole", work / f"{kind.name}-other", work / "copy" / kind.name
    kind.make(whole, False)
    kind.make(other, True)
    place.parent.mkdir(exist_ok=True)
    wanted = {}
    for name, action in kind.actions.items():
        fresh(whole, place)
        found = action(place)
        wanted[name] = (found.value, set(found.said))
    for file in sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file()):
        written = file.name.startswith(WRITTEN)  # and never read back: its content does not matter
        twin = None if written else other_file(other, file)
        fresh(whole, place)
        for number, (what, _) in enumerate(damages(place / file, twin, random.Random(seed), 0 if written else many)):
            for name, action in kind.actions.items():
                if random_.random() > part:
                    continue
                fresh(whole, place)
                list_of = list(damages(place / file, twin, random.Random(seed), 0 if written else many))
                list_of[number][1]()
                came, line = outcome(action, place, *wanted[name])
                counts[came] += 1
                if came in OUTCOMES[-2:]:
                    tell(f"{came}  {kind.name} {name}: {file} {what}: {line}")
    return counts


def other_file(other: Path, file: Path) -> Path | None:
    """The file of that name in another folder; a name that is a hash: any of its folder."""
    found = other / file
    if found.is_file():
        return found
    return next(iter(sorted(p for p in other.rglob(f"*{file.suffix}") if p.name == file.name)), None) or next(
        iter(sorted((other / file.parent).glob(f"*{file.suffix}"))), None
    )


def fresh(whole: Path, place: Path) -> None:
    for old in place.parent.glob("aside-*"):
        old.unlink()
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place)


@contextlib.contextmanager
def plain_figures() -> Iterator[None]:
    """Curves as a hash of their figures instead of a drawing, which takes a second."""
    from zeuxis.experiments import analysis, page
    from zeuxis.report import archive, html

    def figures(one):
        if isinstance(one, list) and hasattr(next(iter(one), None), "images_so_far"):
            names = ("generation", "images_so_far", "best_score", "best", "mean", "worst", "images_per_second")
            return [[getattr(row, name) for name in names] for row in one]
        return one if isinstance(one, dict) else type(one).__name__

    def drawn(*what, **how):
        seen = hashlib.sha256(repr([figures(one) for one in what]).encode()).digest()
        data = io.BytesIO()
        Image.frombytes("RGB", (4, 2), seen[:24]).save(data, "PNG")
        return data.getvalue()

    def written(folder, *what):
        storage_files.atomic_write(folder.path / "curve.png", drawn(*what))
        return folder.path / "curve.png"

    places: list[tuple[object, str, object]] = [(analysis, "ROUNDS", 5)]  # of the bootstrap
    places += [(html, "curve_png", drawn), (html, "write_curve", written), (archive, "archive_png", drawn)]
    places += [(html, "archive_png", drawn), (page, "curves_png", drawn), (page, "reversed_png", drawn)]
    before = [(module, name, getattr(module, name)) for module, name, _ in places]
    for module, name, stand_in in places:
        setattr(module, name, stand_in)
    try:
        yield
    finally:
        for module, name, real in before:
            setattr(module, name, real)


@contextlib.contextmanager
def without_waiting() -> Iterator[None]:
    """A damaged file is no power cut: nothing waits for the disk."""
    before = storage_files.calls.fsync, storage_files.calls.sync_folder
    storage_files.calls.fsync, storage_files.calls.sync_folder = lambda handle: None, lambda folder: None
    try:
        yield
    finally:
        storage_files.calls.fsync, storage_files.calls.sync_folder = before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="3 cuts and 3 bits of each file")
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], help="only this one")
    parser.add_argument("--part", type=float, default=1.0, help="of all damages, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    total = Counter[str]()
    with tempfile.TemporaryDirectory() as work, without_waiting(), plain_figures():
        for kind in KINDS:
            if given.kind in (None, kind.name):
                counts = survey(kind, Path(work), 3 if given.small else 50, given.seed, print, given.part)
                total += counts
                print(f"{kind.name:<12}" + "  ".join(f"{name} {counts[name]}" for name in OUTCOMES), flush=True)
    print(f"{'all':<12}" + "  ".join(f"{name} {total[name]}" for name in OUTCOMES))
    return 1 if total["SILENT"] or total["TRACEBACK"] else 0


if __name__ == "__main__":
    sys.exit(main())
