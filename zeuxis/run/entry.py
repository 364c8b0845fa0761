"""One generation on disk: a checksummed file in `log/` with what was asked, its scores and the judge's evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.scorers.judging import summarise
from zeuxis.storage.checksummed import Header, checksummed, damaged, verified
from zeuxis.types import NO_HEALTH, Batch, Evaluation, Event, JudgeEvaluation

FORMAT = 1
OTHER = "it belongs to another run"
MOST = 1_000_000  # latents in one generation
HEALTH = ("effective", "duplicates", "norm")  # what readers take from it
RENAMED = {"drift": "norm"}  # of figures in older logs
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
    judged: JudgeEvaluation | None = None
    health: Mapping[str, float] = field(default_factory=lambda: NO_HEALTH)
    best_x: Tensor | None = None


def pack(event: Event, key: str = "") -> bytes:
    """An event as the bytes of its file: the same numbers give the same bytes, so no clock is in it.

    `key` says of which run it is.
    """
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
    if key:
        header["run"] = key
    if event.judged is not None:
        tensors |= {"judge_score": event.judged.score, "judge_confidence": event.judged.confidence}
        header["labels"] = event.judged.label
        if event.judged.rows:
            header["judged"] = event.judged.rows
    return checksummed(tensors, header)


def read(path: Path, key: str | None = None) -> Entry:
    """The inverse of `pack`. RunDamaged unless the file is exactly what was written, for the run `key` if given."""
    tensors, header = verified(path)
    if header.get("format") != FORMAT:
        raise damaged(path, f"it has format {header.get('format')}, this version reads format {FORMAT}")
    if key is not None and header.get("run", key) != key:
        raise damaged(path, OTHER)
    try:
        _check_shapes(tensors, header)
        gradient = tensors.get("gradient")
        names = header.get("parts", [name[len(_PART) :] for name in tensors if name.startswith(_PART)])
        parts = {name: tensors[_PART + name] for name in names}
        health = {_figure(name): float(t) for name, t in tensors.items() if name.startswith(_HEALTH)}
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
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError, OverflowError) as error:
        raise damaged(path, f"something is missing in it ({str(error)[:200]})") from error


def _figure(name: str) -> str:
    """What a figure on the population is called, of the name of its tensor."""
    found = name[len(_HEALTH) :]
    return RENAMED.get(found, found)


def _check_shapes(tensors: Mapping[str, Tensor], header: Header) -> None:
    """ValueError where tensors do not fit one another: a checksum does not say that a run wrote them."""
    x = tensors["x"]
    if x.ndim != 2 or x.dtype != torch.float32 or not 0 < len(x) <= MOST:
        raise ValueError(f"latents of shape {tuple(x.shape)}")
    rows, genes = x.shape
    count = len(header["labels"]) if isinstance(header.get("labels"), list) else 0
    wanted = {"score": (rows,), "best_x": (genes,), "gradient": (rows, genes)}
    wanted |= {"judge_score": (count,), "judge_confidence": (count,)} if count else {}
    for name, t in tensors.items():
        single = name == "best_score" or name.startswith(_HEALTH)
        shape = () if single else (rows,) if name.startswith(_PART) else wanted.get(name)
        if shape is not None and (tuple(t.shape) != shape or not t.is_floating_point()):
            raise ValueError(f"{name} of shape {tuple(t.shape)}")
        if name in ("measures", "descriptors") and (t.ndim != 2 or len(t) != rows):
            raise ValueError(f"{name} of shape {tuple(t.shape)}")
    health = {_figure(name) for name in tensors if name.startswith(_HEALTH)}
    if health and not set(HEALTH) <= health:
        raise ValueError("figures on the population")
    if not all(type(header[name]) is int and 0 <= header[name] < 2**63 for name in ("generation", "images_so_far")):
        raise ValueError("its counts")


def _judged(tensors: dict[str, Tensor], header: Header) -> JudgeEvaluation | None:
    labels = header.get("labels")
    if not isinstance(labels, list):
        return None
    score, confidence = tensors["judge_score"], tensors["judge_confidence"]
    guide, rows = tensors["score"], tuple(header.get("judged", ()))
    if rows and not all(type(row) is int and 0 <= row < len(guide) for row in rows):
        raise ValueError("the rows that the judge saw")
    if len(rows or guide) != len(labels):
        raise ValueError(f"{len(labels)} labels of the judge")
    return summarise(int(header["generation"]), guide, score, tuple(map(str, labels)), confidence, rows)
