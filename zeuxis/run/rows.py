"""A generation in figures, as the curve, the report, the stopping rules and the notebook read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from zeuxis.run.entry import Entry
from zeuxis.types import NO_HEALTH, Event, JudgeEvaluation


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
