"""Recipes on disk: TOML files beside this module, or the caller's own, read into a TrainConfig."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput
from zeuxis.registry import unknown

RECIPES = Path(__file__).parent / "recipes"


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def about() -> dict[str, str]:
    """Name -> one line."""
    return {name: load(name).about for name in names()}


def load(name: str | Path) -> TrainConfig:
    """The recipe of that name, or in that file (a slash or `.toml` in its name). BadInput for what is no recipe."""
    path = _find(str(name))
    try:
        return TrainConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"{path}: {wrong}. Known fields: {', '.join(TrainConfig.model_fields)}.") from error
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"Expected a recipe in TOML at {path}, but it cannot be read: {error}.") from error


def _find(name: str) -> Path:
    if name in names():
        return RECIPES / f"{name}.toml"
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    raise unknown("recipe", name, names())
