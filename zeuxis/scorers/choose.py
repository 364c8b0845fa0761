"""From what a user names to a scorer or a judge: of the package, a catalogue name, a file or folder, or a Hub id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zeuxis.errors import BadInput, UnknownName
from zeuxis.plugins import fits
from zeuxis.registry import Table, unknown
from zeuxis.scorers import FAMILIES, FILE_JUDGES, FILE_SCORERS, JUDGES, SCORERS
from zeuxis.scorers.base import Judge, Scorer
from zeuxis.scorers.open_clip import is_file

if TYPE_CHECKING:
    from zeuxis.hub.header import Model


def check_scorer(name: str) -> None:
    """UnknownName, MissingModel with the command that fetches it, BadInput or WeightsRefused for what cannot be one.

    Of a file the header is read and the network's shapes are compared with it; no weights are loaded.
    """
    if name in SCORERS:
        SCORERS.check(name)
    elif family_of(_located(name, "scorer", SCORERS)) is None:
        model = _scorer_file(name)
        FILE_SCORERS[model.family].check(model.path)


def check_judge(name: str) -> None:
    """As `check_scorer`, for a judge: a classifier, or a scorer that did not guide."""
    if name in JUDGES:
        JUDGES.check(name)
        return
    if family_of(_located(name, "judge", JUDGES)) is not None:
        return
    model = _judge_file(name)
    factory = (FILE_JUDGES if model.family in FILE_JUDGES else FILE_SCORERS)[model.family]
    check = getattr(factory, "check", None)
    if check is not None:
        check(model.path)
    else:
        from zeuxis.hub.model_file import check_model

        check_model(model.path, "network")


def make_scorer(name: str, device: torch.device | None = None) -> Scorer:
    """The scorer that `name` means, on `device`. UnknownName, MissingModel, MissingExtra or WeightsRefused."""
    if name in SCORERS:
        scorer: Scorer = SCORERS[name](device=device)
        if SCORERS.is_plugin(name):
            fits(scorer, Scorer, "scorer", name).name = name
        return scorer
    path = _located(name, "scorer", SCORERS)
    family = family_of(path)
    if family is not None:
        made: Scorer = FAMILIES[family](path, device=device)
    else:
        model = _scorer_file(name)
        made = FILE_SCORERS[model.family](model.path, device=device)
    made.name = _short(name)
    return made


def make_judge(name: str, device: torch.device | None = None) -> Judge:
    """The judge that `name` means, on `device`: a classifier's file, or a scorer asked in words."""
    if name in JUDGES:
        judge: Judge = JUDGES[name](device=device)
        if JUDGES.is_plugin(name):
            fits(judge, Judge, "judge", name).name = name
        return judge
    if family_of(_located(name, "judge", JUDGES)) is None:
        model = _judge_file(name)
        if model.family in FILE_JUDGES:
            made: Judge = FILE_JUDGES[model.family](model.path, device=device)
            made.name = _short(name)
            return made
    from zeuxis.scorers.dual import DualJudge

    return DualJudge(make_scorer(name, device))


def family_of(path: Path) -> str | None:
    """Which of FAMILIES a folder holds, by its config; None for anything else."""
    folder = path if path.is_dir() else path.parent
    if (folder / "open_clip_config.json").is_file() or is_file(path):
        return "clip"
    config = folder / "config.json"
    if not path.is_dir() or not config.is_file() or config.stat().st_size > 2**20:
        return None
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError, RecursionError):
        return None
    return {"clip": "clip", "siglip": "siglip", "siglip2": "siglip"}.get(str(kind))


def _scorer_file(name: str) -> Model:
    """The header of a scorer's file. BadInput for a file of another kind."""
    return _file(
        name, "scorer", FILE_SCORERS, f"a dual encoder from `zeuxis train`, or a folder of {' or '.join(FAMILIES)}"
    )


def _judge_file(name: str) -> Model:
    """The header of a judge's file: a classifier's, or a scorer's. BadInput for a file of another kind."""
    known = Table("judge", {**FILE_JUDGES.rows, **FILE_SCORERS.rows})
    return _file(name, "judge", known, "a classifier or a scorer: from `zeuxis train`, or published")


def _file(name: str, kind: str, families: Table, wanted: str) -> Model:
    from zeuxis.hub.catalogue import MODELS
    from zeuxis.hub.header import in_words
    from zeuxis.hub.locate import peek

    does = {"scorer": "scores no pictures for a phrase", "judge": "judges no pictures"}[kind]
    if name in MODELS and MODELS[name].kind != kind:  # better now than after its conversion
        raise BadInput(f"{name} is {MODELS[name].about}, which {does}. Expected {wanted}.")
    model = peek(name, kind)
    if model.family not in families:
        raise BadInput(f"{_short(name)} holds {in_words(model)}, which {does}. Expected {wanted}.")
    return model


def _short(name: str) -> str:
    return Path(name).name if Path(name).exists() else name


def _located(name: str, kind: str, table: Table) -> Path:
    from zeuxis.hub.catalogue import MODELS
    from zeuxis.hub.locate import locate

    try:
        return locate(name, kind)
    except UnknownName as error:
        known = [*table, *(model.name for model in MODELS.values() if model.kind in ("scorer", kind))]
        raise unknown(kind, name, known) from error
