"""One generation on disk: a checksummed file in `log/` with what was asked, its scores and the judge's evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.compute.micro_batches import micro_batches
from zeuxis.scorers.base import Judge, Verdict
from zeuxis.storage.checksummed import Header, checksummed, damaged, verified
from zeuxis.types import NO_HEALTH, Batch, Evaluation, Event, JudgeEvaluation

FORMAT = 1
_PART, _HEALTH = "part.", "health."


def judge_images(
    judge: Judge, prepared: Any, images: Tensor, guide: Tensor, generation: int, size: int
) -> JudgeEvaluation:
    """The judge's evaluation of images `(N, 3, H, W)` with guiding scores `(N,)`, `size` images at a time."""
    verdicts = []
    with torch.no_grad():
        for piece, count in micro_batches(images, size):
            v = judge.verdict(piece, prepared)
            verdicts.append(Verdict(v.score[:count].cpu(), v.label[:count], v.confidence[:count].cpu()))
    score = torch.cat([v.score for v in verdicts])
    confidence = torch.cat([v.confidence for v in verdicts])
    return summarise(generation, guide, score, tuple(label for v in verdicts for label in v.label), confidence)


def summarise(
    generation: int, guide: Tensor, score: Tensor, label: tuple[str, ...], confidence: Tensor
) -> JudgeEvaluation:
    """From the guiding scores and the judge's score, label and confidence of N images."""
    guide = guide.detach().cpu()
    top = int(guide.nan_to_num(nan=-torch.inf).argmax())
    return JudgeEvaluation(
        generation, score, label, confidence, _mean(guide), _mean(score), float(score[top]), label[top]
    )


def _mean(x: Tensor) -> float:
    return float(x[x.isfinite()].double().mean())  # NaN when there is nothing to take the mean of


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
    judged: JudgeEvaluation | None = None
    health: Mapping[str, float] = field(default_factory=lambda: NO_HEALTH)
    best_x: Tensor | None = None


def pack(event: Event) -> bytes:
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
    if event.judged is not None:
        tensors |= {"judge_score": event.judged.score, "judge_confidence": event.judged.confidence}
        header["labels"] = event.judged.label
    return checksummed(tensors, header)


def read(path: Path) -> Entry:
    """The inverse of `pack`. RunDamaged unless the file is exactly what was written."""
    tensors, header = verified(path)
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
            judged=_judged(tensors, header),
            health=health,
            best_x=tensors.get("best_x"),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged(path, f"something is missing in it ({error})") from error


def _judged(tensors: dict[str, Tensor], header: Header) -> JudgeEvaluation | None:
    labels = header.get("labels")
    if not isinstance(labels, list):
        return None
    score, confidence = tensors["judge_score"], tensors["judge_confidence"]
    return summarise(int(header["generation"]), tensors["score"], score, tuple(map(str, labels)), confidence)
