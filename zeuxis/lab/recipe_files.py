"""Recipes on disk: TOML files beside this module, or the caller's own, read into a TrainConfig.

A recipe is made for two cores of a CPU. Tables `[variants.NAME]` hold what other machines change: `[variants.gpu]` and
its `[variants.gpu.options]` have the fields of the recipe that differ, tables within them name by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zeuxis.config import TrainConfig, in_words
from zeuxis.errors import BadInput, ZeuxisError, unreadable
from zeuxis.registry import unknown
from zeuxis.storage.reading import bounded, read_bounded

RECIPES = Path(__file__).parent / "recipes"
LARGEST = 2**20  # bytes
DEFAULT = "cpu"  # the variant that a recipe is without a table
RENAMED = {
    "mnist-dcgan": "dcgan-mnist",
    "mnist-wgan-gp": "wgan-gp-mnist",
    "products-stylegan2": "stylegan2-products",
    "products-projected": "projected-products",
}
PATHS = ("cache",)  # options of a task that name a folder


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def about() -> dict[str, str]:
    """Name -> one line."""
    return {name: load(name).about for name in names()}


def load(name: str | Path, trust_paths: bool = False, variant: str = DEFAULT) -> TrainConfig:
    """The recipe of that name, or in that file (a slash or `.toml` in its name). BadInput for what is no recipe, and
    for one that names a folder to write into, unless `trust_paths`: a recipe may be somebody else's.
    """
    config = _load(_find(str(name)), variant)
    for option in PATHS:
        if config.options.get(option) and not trust_paths:
            raise BadInput(
                f"{str(name)[-120:]} would have files read and written in a folder that it names itself, "
                f"{option} {str(config.options[option])[-80:]!r}. If you trust it, say so: --trust-paths (in Python: "
                "trust_paths=True)."
            )
    return config


def _load(path: Path, variant: str) -> TrainConfig:
    try:
        text = read_bounded(path, LARGEST, "recipe in TOML").decode("utf-8")
        return TrainConfig.model_validate(_varied(bounded(tomllib.loads(text)), path, variant))
    except ValidationError as error:
        known = tuple(TrainConfig.model_fields)
        raise BadInput(f"{path}: {in_words(error, known)} Known fields: {', '.join(known)}.") from error
    except ZeuxisError:
        raise
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise BadInput(f"Expected a recipe in TOML at {path}, but it cannot be read: {unreadable(error)}.") from error


def default_folder(recipe: str | Path, variant: str = DEFAULT) -> Path:
    """Where a training goes that is given no folder: runs/recipe-NAME, with the variant's name behind it."""
    return Path("runs") / f"recipe-{Path(recipe).stem}{'' if variant == DEFAULT else f'-{variant}'}"


def variants(name: str | Path) -> tuple[str, ...]:
    """The variants of a recipe, the plain one first."""
    raw = tomllib.loads(read_bounded(_find(str(name)), LARGEST, "recipe in TOML").decode("utf-8"))
    return (DEFAULT, *raw.get("variants", {}))


def _varied(raw: dict[str, Any], path: Path, variant: str) -> dict[str, Any]:
    tables = raw.pop("variants", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise BadInput(f"{path}: Expected variants to be tables, as [variants.gpu]. Correct the recipe.")
    if variant == DEFAULT and variant not in tables:
        return raw
    if variant not in tables:
        raise unknown(f"variant of {path.stem}", variant, [DEFAULT, *tables])
    return merged(raw, tables[variant])


def merged(plain: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`plain` with `changes` over it; tables name by name, everything else as a whole."""
    both = dict(plain)
    for name, value in changes.items():
        inner = both.get(name)
        both[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both


def _find(name: str) -> Path:
    name = RENAMED.get(name, name)
    if name in names():
        return RECIPES / f"{name}.toml"
    if not name.endswith(".toml") and "/" not in name:
        raise unknown("recipe", name, names())
    path = Path(name)
    if path.stem in names() and not path.exists():
        raise BadInput(f"Expected a recipe at {name}, found none. The recipe of the package is called {path.stem}.")
    return path
