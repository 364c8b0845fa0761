"""One generation on disk: a sealed file in `log/` with what was asked, what it was worth and what the judge said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.run.sealed import Header, damaged, seal, unseal
from zeuxis.run.view import JudgeView, summarise
from zeuxis.types import NO_HEALTH, Batch, Evaluation, Event

FORMAT = 1
_PART, _HEALTH = "part.", "health."


@dataclass(frozen=True)
class Entry:
    """A generation as it was told to the search. `best_x` `(D,)` is the search's best after it, `best_score` its score.

    `best_x` is None in a log of an older version: there the best is the highest score so far.
    """

    generation: int
    images_so_far: int
    best_score: float
    batch: Batch
    evaluation: Evaluation
    view: JudgeView | None = None
    health: Mapping[str, float] = field(default_factory=lambda: NO_HEALTH)
    best_x: Tensor | None = None


def pack(event: Event, view: JudgeView | None) -> bytes:
    """An event as the bytes of its file: the same numbers give the same bytes, so no clock is in it."""
    told = event.evaluation
    optional = {"measures": told.measures, "gradient": told.gradient, "descriptors": told.descriptors}
    tensors = {
        "x": event.batch.x,
        "score": event.evaluation.score,
        "best_x": event.best_latent,
        "best_score": torch.tensor(event.best_score, dtype=torch.float64),
        **{_PART + name: part for name, part in event.evaluation.parts.items()},
        **{_HEALTH + name: torch.tensor(value, dtype=torch.float64) for name, value in event.health.items()},
        **{name: t for name, t in optional.items() if t is not None},
    }
    header: Header = {"format": FORMAT, "generation": event.generation, "images_so_far": event.images_so_far}
    header["parts"] = list(event.evaluation.parts)  # tensors come back in another order, and a search may count them
    if view is not None:
        tensors |= {"judge_score": view.score, "judge_confidence": view.confidence}
        header["labels"] = view.label
    return seal(tensors, header)


def read(path: Path) -> Entry:
    """The inverse of `pack`. RunDamaged unless the file is exactly what was written."""
    tensors, header = unseal(path)
    if header.get("format") != FORMAT:
        raise damaged(path, f"it has format {header.get('format')}, this version reads format {FORMAT}")
    try:
        gradient = tensors.get("gradient")
        names = header.get("parts", [name[len(_PART) :] for name in tensors if name.startswith(_PART)])
        parts = {name: tensors[_PART + name] for name in names}
        health = {name[len(_HEALTH) :]: float(t) for name, t in tensors.items() if name.startswith(_HEALTH)}
        evaluation = Evaluation(tensors["score"], parts, tensors.get("measures"), gradient, tensors.get("descriptors"))
        return Entry(
            generation=int(header["generation"]),
            images_so_far=int(header["images_so_far"]),
            best_score=float(tensors["best_score"]),
            batch=Batch(tensors["x"], gradient=gradient is not None),
            evaluation=evaluation,
            view=_view(tensors, header),
            health=health,
            best_x=tensors.get("best_x"),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged(path, f"something is missing in it ({error})") from error


def _view(tensors: dict[str, Tensor], header: Header) -> JudgeView | None:
    labels = header.get("labels")
    if not isinstance(labels, list):
        return None
    score, confidence = tensors["judge_score"], tensors["judge_confidence"]
    return summarise(int(header["generation"]), tensors["score"], score, tuple(map(str, labels)), confidence)
