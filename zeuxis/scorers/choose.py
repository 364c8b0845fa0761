"""From what a user names to a scorer or a judge: of the package, a catalogue name, a file or folder, or a Hub id."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from zeuxis.errors import BadInput, UnknownName
from zeuxis.registry import Table, unknown
from zeuxis.scorers import FAMILIES, JUDGES, SCORERS
from zeuxis.scorers.base import Judge, Scorer


def check_scorer(name: str) -> None:
    """UnknownName, or MissingModel with the command that fetches it, unless `name` can be made. Loads no network."""
    if name not in SCORERS:
        _located(name, "scorer", SCORERS)


def check_judge(name: str) -> None:
    """As `check_scorer`, for a judge: a classifier, or a scorer that did not guide."""
    if name not in JUDGES:
        _located(name, "judge", JUDGES)


def make_scorer(name: str, device: torch.device | None = None) -> Scorer:
    """The scorer that `name` means, on `device`. UnknownName, MissingModel, MissingExtra or WeightsRefused."""
    if name in SCORERS:
        scorer: Scorer = SCORERS[name](device=device)
        return scorer
    path = _located(name, "scorer", SCORERS)
    family = family_of(path)
    if family is None:
        raise BadInput(f"{name} holds no scorer. Expected a folder of one of: {', '.join(FAMILIES)}.")
    made: Scorer = FAMILIES[family](path, device=device)
    made.name = Path(name).name if Path(name).exists() else name
    return made


def make_judge(name: str, device: torch.device | None = None) -> Judge:
    """The judge that `name` means, on `device`: a classifier's file, or a scorer's folder asked in words."""
    if name in JUDGES:
        judge: Judge = JUDGES[name](device=device)
        return judge
    path = _located(name, "judge", JUDGES)
    if family_of(path) is not None:
        from zeuxis.scorers.dual_judge import DualJudge

        return DualJudge(make_scorer(name, device))
    from zeuxis.hub.locate import ready
    from zeuxis.scorers.image_classifier import ImageClassifier

    made = ImageClassifier(ready(name, "judge"), device=device)
    made.name = Path(name).name if Path(name).exists() else name
    return made


def family_of(path: Path) -> str | None:
    """Which of FAMILIES a folder holds, by its config; None for anything else."""
    folder = path if path.is_dir() else path.parent
    if (folder / "open_clip_config.json").is_file():
        return "clip"
    config = folder / "config.json"
    if not path.is_dir() or not config.is_file() or config.stat().st_size > 2**20:
        return None
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError, RecursionError):
        return None
    return {"clip": "clip", "siglip": "siglip", "siglip2": "siglip"}.get(str(kind))


def _located(name: str, kind: str, table: Table) -> Path:
    from zeuxis.hub.catalogue import MODELS
    from zeuxis.hub.locate import locate

    try:
        return locate(name, kind)
    except UnknownName as error:
        known = [*table, *(model.name for model in MODELS.values() if model.kind in ("scorer", kind))]
        raise unknown(kind, name, known) from error
