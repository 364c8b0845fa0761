"""Named configurations: a family of models and a search in one word, e.g. `pocket-ga`. What `--config` takes."""

from __future__ import annotations

from typing import Any

from zeuxis.registry import unknown
from zeuxis.search import SEARCHES

FAMILIES: dict[str, dict[str, Any]] = {
    "pocket": {"generator": "pocket", "scorer": ("pocket",), "judge": "pocket"},
    "toy": {"generator": "toy", "scorer": ("toy",), "judge": "toy"},
}


def names() -> list[str]:
    """Every family with every search; `FAMILY-pymoo:NAME` works as well."""
    return [f"{family}-{search}" for family in FAMILIES for search in SEARCHES]


def about() -> dict[str, str]:
    """Name -> one line."""
    searches = SEARCHES.about()
    return {f"{family}-{search}": f"{family} models, {searches[search]}" for family in FAMILIES for search in SEARCHES}


def fields(name: str) -> dict[str, Any]:
    """The fields of RunConfig that a named configuration sets. UnknownName (with near names) for any other name."""
    for family, models in FAMILIES.items():
        search = name.removeprefix(f"{family}-")
        if search != name and search in SEARCHES:
            return models | {"search": search}
    raise unknown("config", name, names())
