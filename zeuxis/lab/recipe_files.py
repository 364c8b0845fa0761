"""Recipes on disk: TOML files beside this module, or the caller's own, read into a TrainConfig."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from zeuxis.config import TrainConfig, in_words
from zeuxis.errors import BadInput
from zeuxis.registry import unknown
from zeuxis.storage.reading import read_bounded

RECIPES = Path(__file__).parent / "recipes"
LARGEST = 2**20  # bytes


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
        return TrainConfig.model_validate(tomllib.loads(read_bounded(path, LARGEST, "recipe in TOML").decode("utf-8")))
    except ValidationError as error:
        known = tuple(TrainConfig.model_fields)
        raise BadInput(f"{path}: {in_words(error, known)} Known fields: {', '.join(known)}.") from error
    except UnicodeError as error:
        raise BadInput(f"Expected a recipe in TOML at {path}, but it cannot be read: it is no text.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:160]
        raise BadInput(f"Expected a recipe in TOML at {path}, but it cannot be read: {said}.") from error


def _find(name: str) -> Path:
    if name in names():
        return RECIPES / f"{name}.toml"
    if not name.endswith(".toml") and "/" not in name:
        raise unknown("recipe", name, names())
    path = Path(name)
    if path.stem in names() and not path.exists():
        raise BadInput(f"Expected a recipe at {name}, found none. The recipe of the package is called {path.stem}.")
    return path
