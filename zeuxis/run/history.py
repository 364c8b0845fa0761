"""The log of a run in figures, as the curve, the report, the stopping rules and the notebook read it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import RunDamaged
from zeuxis.run.entry import Entry
from zeuxis.storage.checksummed import verified_line
from zeuxis.storage.reading import read_plain
from zeuxis.types import NO_HEALTH, Event, JudgeEvaluation

TIMING_LINE = 1024  # bytes, many times a line of timing.jsonl
TIMED = {"generation", "images", "image_seconds", "seconds"}  # in a line of timing.jsonl


@dataclass(frozen=True)
class Row:
    """One generation in figures. `best`, `mean` and `worst` are of its own images; NaN where none could be scored.

    `best_score` is that of the search's best after it, `unscored` counts NaN scores, `images_per_second` is None for a
    generation whose time was not kept.
    """

    generation: int
    images_so_far: int
    best_score: float
    best: float
    mean: float
    worst: float
    unscored: int
    judged: JudgeEvaluation | None = None
    images_per_second: float | None = None
    health: Mapping[str, float] = field(default_factory=lambda: NO_HEALTH)


def row(e: Entry | Event, images_per_second: float | None = None) -> Row:
    """A generation in figures."""
    score = e.evaluation.score
    known = score[score.isfinite()].double()
    figures = (known.max(), known.mean(), known.min()) if len(known) else (torch.tensor(torch.nan),) * 3
    best, mean, worst = (float(figure) for figure in figures)
    unscored = len(score) - len(known)
    return Row(
        *(e.generation, e.images_so_far, e.best_score, best, mean, worst, unscored),
        *(e.judged, images_per_second, e.health),
    )


def rows_of(entries: Iterable[Entry]) -> tuple[list[Row], str]:
    """The generations up to the first that cannot be read, and what is wrong with that one ("" if nothing is)."""
    rows: list[Row] = []
    try:
        for e in entries:
            rows.append(row(e))
    except RunDamaged as error:
        return rows, str(error)
    return rows, ""


@dataclass(frozen=True)
class Best:
    """The best latent `(D,)` of a run, as its search sees it: the first one with the highest score, or the one picked
    from a front. `generation` is the one that drew it.
    """

    latent: Tensor
    score: float
    generation: int


def bests(entries: Iterable[Entry]) -> list[Best]:
    """Each latent that became the search's best, in order; `generation` is the one from which on it was the best."""
    bests: list[Best] = []
    for e in entries:
        x, score = e.best_x, e.best_score
        if x is None:
            top = int(e.evaluation.score.nan_to_num(nan=-torch.inf).argmax())
            x, score = e.batch.x[top], float(e.evaluation.score[top])
            if bests and not score > bests[-1].score:
                continue
        if math.isfinite(score) and not (bests and torch.equal(x, bests[-1].latent)):
            bests.append(Best(x, score, e.generation))
    return bests


def read_timing(path: Path, generations: int, key: str) -> tuple[dict[int, float], list[str]]:
    """timing.jsonl of a run of so many generations: generation -> images per second, and a sentence on lines that
    cannot be read.
    """
    speed: dict[int, float] = {}
    lost = 0
    name, most = path.name, TIMING_LINE * (generations + 1000)
    if path.exists() and path.stat().st_size > most:
        return {}, [f"{name} is too large for this run, so there are no speeds. Move it away."]
    data = read_plain(path, most) if path.exists() else b""
    for line in data.splitlines():
        try:
            timing, _ = verified_line(line, key)
            if set(timing) != TIMED:
                raise ValueError("something else is in it")
            seconds = timing["image_seconds"]
            speed[int(timing["generation"])] = float(timing["images"] / seconds) if seconds else 0.0
        except (ValueError, KeyError, TypeError, OverflowError):
            lost += 1
    missing = generations - len(speed) - lost
    said = [f"{lost} lines of {name} are damaged; their generations are left out of the speed."] if lost else []
    if missing > 0:
        said.append(f"{name} lacks {missing} generations, which are left out of the speed.")
    return speed, said
