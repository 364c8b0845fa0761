"""What `damage.py` damages: one small folder of every kind, and the commands that read it, called in this process."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from damage_base import Kind, Result, digest
from damage_studies import (
    gallery,
    jobs,
    jobs_more,
    make_jobs,
    make_studio,
    make_study,
    reopen,
    show_jobs,
    study,
    study_more,
)
from damage_training import make_training, sample, train_again, train_gan, train_on

EXPERIMENT = {
    "variants": ("ga", "best-of-n"), "phrases": ("a red disc", "a blue square"), "seeds": 1, "populations": (4,),
    "generator": "toy", "scorer": ("toy",), "judge": "toy", "precision": "fp32", "baseline": "ga",
}  # fmt: skip


def toy(**changes: Any) -> Any:
    """The configuration of a tiny run."""
    from zeuxis.config import make_config

    toys = {"prompt": ("a red disc on white",), "generator": "toy", "scorer": ("toy",), "judge": "toy", "search": "ga"}
    small = {"population": 3, "generations": 4, "view_every": 2, "augment": 0, "precision": "fp32", "device": "cpu"}
    return make_config(**{**toys, **small, "seed": 7, **changes})


def make_run(folder: Path, other: bool, **changes: Any) -> None:
    """A finished run with its report and best pictures."""
    from zeuxis.report.html import write_report
    from zeuxis.report.top import write_top
    from zeuxis.run import open_session

    with open_session(toy(**({"seed": 8} if other else {}), **changes), folder) as session:
        list(session)
        session.finish()
        write_report(session.folder)
        write_top(session.folder, 4)


def make_archive(folder: Path, other: bool) -> None:
    """A run that fills an archive."""
    measures = ("brightness", "blue|red:-1.5..1.5")
    make_run(folder, other, search="map-elites", measures=measures, options={"cells": 4}, population=4, generations=2)


def show(folder: Path, file: Path) -> Result:
    """`zeuxis show`."""
    from zeuxis.cli.show import show as command

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        command(folder, report=False)
    told = text.getvalue().replace(str(folder), "RUN")
    figures = "\n".join(line for line in told.splitlines() if not line.startswith("RUN/"))  # which files are there
    notes = [line for line in told.splitlines() if line.startswith("note:") or line.startswith("Not finished")]
    return Result(figures, notes)


def report(folder: Path, file: Path) -> Result:
    """The page, without what is meant to differ: the place of the folder."""
    from zeuxis.report.html import write_report
    from zeuxis.run import RunFolder

    run = RunFolder(folder)
    page = write_report(run).read_text(encoding="utf-8").replace(str(folder), "RUN")
    return Result(page, run.notes)


def resume(folder: Path, file: Path) -> Result:
    """`zeuxis resume`; everything that a finished run holds."""
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


def replay(folder: Path, file: Path, generator: str | None = None) -> Result:
    """`zeuxis replay` of the damaged picture, or of the best one. Pixels that differ are said."""
    from zeuxis.tools.replay import replay as command

    own = file.suffix == ".png" and file.name not in ("best_x8.png", "final.png", "sheet.png")
    own = own and not file.stem.endswith("_large")
    own = own and file.parts[0] in ("images", "cells", "top") and not file.name.startswith("generation-")
    result = command(folder / (file if own else "images/best.png"), generator)
    value = (result.agrees, result.info.prompt, result.info.seed, result.info.score, result.info.latent)
    return Result(value, [*result.notes, *([] if result.agrees else ["different"])])


class Eyes:
    """A scorer with embeddings that costs nothing."""

    name, sha256 = "eyes", "0" * 64

    def prepare(self, prompt: str) -> Any:
        """An embedding that depends on the length of the prompt."""
        rng = torch.Generator().manual_seed(len(prompt))
        return argparse.Namespace(embeddings=torch.randn(1, 12, generator=rng), weights=torch.ones(1))

    def embed_images(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W) -> (N, 12)`, unit rows: mean colours of four fields."""
        return torch.nn.functional.normalize(torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1) - 0.4, dim=1)


@contextlib.contextmanager
def bank_at(folder: Path) -> Iterator[Any]:
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


def make_bank(folder: Path, other: bool) -> None:
    """A start bank of 20 rows."""
    with bank_at(folder) as (bank, *models):
        bank.build_bank(*models, 20, {"truncation": 0.5} if other else {})


def use_bank(folder: Path, file: Path) -> Result:
    """What a search takes from it."""
    with bank_at(folder) as (bank, generator, scorer):
        found = bank.open_bank(generator, scorer, {})
        return Result((found.best(found.similarity(scorer.prepare("a cat")), 8).tolist(), found.done))


def build_bank(folder: Path, file: Path) -> Result:
    """`zeuxis bank build` again."""
    said: list[str] = []
    with bank_at(folder) as (bank, *models):
        built = bank.build_bank(*models, 20, {}, say=said.append)
        return Result((built.latents[:].tolist(), built.embeddings[:].tolist(), built.done), said)


def make_experiment(folder: Path, other: bool) -> None:
    """Four cells."""
    from zeuxis import workflows

    workflows.compare(folder, **EXPERIMENT, generations=9 if other else 8)  # type: ignore[arg-type]


def compare(folder: Path, file: Path, **more: Any) -> Result:
    """`zeuxis compare` again, perhaps with more to compare."""
    from zeuxis import workflows
    from zeuxis.experiments.folder import ExperimentFolder

    said: list[str] = []
    again: list[str] = []
    workflows.compare(
        folder, **{**EXPERIMENT, "generations": 8, **more}, say=said.append,
        listener=lambda done, count, row: again.append(str(done)) if row["seed"] == 0 else None,
    )  # fmt: skip
    kept = ExperimentFolder(folder)
    rows = {str(cell): {k: v for k, v in row.items() if "seconds" not in k} for cell, row in kept.rows().items()}
    latents = {str(cell): kept.latents(cell).tolist() for cell in kept.rows() if kept._latents_path(cell).exists()}
    table = [line.split(",")[:-1] for line in (folder / "table.csv").read_text().splitlines()]
    return Result((sorted(rows.items()), sorted(latents.items()), table), [*said, *(f"run again: {n}" for n in again)])


def make_model(folder: Path, other: bool) -> None:
    """A model file, and a run that was drawn with it."""
    trained = folder.parent / "for-model"
    train_gan(trained, 4, [], other)
    folder.mkdir(parents=True)
    (trained / "export" / "gan.safetensors").rename(folder / "net.safetensors")
    with contextlib.chdir(folder):
        make_run(Path("run"), False, generator="net.safetensors", generations=2)


def resume_with(folder: Path, file: Path) -> Result:
    """`zeuxis resume` of the run that was drawn with the file."""
    with contextlib.chdir(folder):
        return resume(Path("run"), file)


def replay_with(folder: Path, file: Path) -> Result:
    """`zeuxis replay run/images/best.png --generator net.safetensors`."""
    with contextlib.chdir(folder):
        return replay(Path("run"), file, "net.safetensors")


DRAWN = ("report.html", "curve.png", "archive.png", "collage.png", "front.png", "table", "cells.csv", "cells.parquet",
         "curves-", "reversed-", "sheet.png", "01.png", "02.png", "03.png", "04.png", "01_", "02_", "03_", "04_",
         "best_x8.png", "final.png")  # fmt: skip
KINDS = [
    Kind("run", make_run, {"show": show, "report": report, "resume": resume, "replay": replay}, written=DRAWN,
         reads_written=("replay",)),
    Kind("archive", make_archive, {"show": show, "report": report, "resume": resume, "replay": replay}, written=DRAWN,
         reads_written=("replay",)),
    Kind("bank", make_bank, {"use": use_bank, "build": build_bank}),
    Kind("experiment", make_experiment, {"compare": compare}, written=DRAWN),
    Kind("training", make_training, {"again": train_again, "on": train_on, "sample": sample}, named=("sample",),
         written=("000", "summary.json")),
    Kind("model", make_model, {"sample": sample, "resume": resume_with, "replay": replay_with},
         files="net.safetensors", named=("sample",)),
    Kind("study", make_study, {"again": study, "more": study_more}, written=(*DRAWN, "best.png", "scores-", "ranges.",
         "report.html")),
    Kind("jobs", make_jobs, {"again": jobs, "more": jobs_more, "show": show_jobs}, written=(*DRAWN, "timing.")),
    Kind("studio", make_studio, {"reopen": reopen, "gallery": gallery}, named=("reopen", "gallery")),
]  # fmt: skip
