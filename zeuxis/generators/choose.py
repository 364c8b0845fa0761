"""From what a user names to a generator: one of the package, a catalogue name, a file, or a Hub id."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from zeuxis.errors import BadInput, UnknownName
from zeuxis.generators import FAMILIES, GENERATORS
from zeuxis.generators.base import Generator
from zeuxis.registry import unknown


def check_generator(name: str) -> None:
    """UnknownName, or MissingModel with the command that fetches it, unless `name` can be made. Loads no network."""
    if name not in GENERATORS:
        _located(name)


def make_generator(name: str, device: torch.device | None = None, **options: Any) -> Generator:
    """The generator that `name` means, on `device`; `options` are those of its class.

    A published file is converted once and kept in the cache. UnknownName, MissingModel, WeightsRefused, or BadInput
    for an option that it does not have.
    """
    if name in GENERATORS:
        generator: Generator = _call(GENERATORS[name], name, device=device, **options)
        return generator
    from zeuxis.hub.convert import converted_facts
    from zeuxis.hub.locate import ready

    _located(name)
    path = ready(name, "generator")
    family = converted_facts(path)["family"]
    if family not in FAMILIES:
        raise BadInput(f"{name} holds a network of the family {family!r}, which draws no pictures. {_known()}")
    made: Generator = _call(FAMILIES[family], name, path, device=device, **options)
    made.name = Path(name).name if Path(name).exists() else name
    return made


def _located(name: str) -> Path:
    from zeuxis.hub.catalogue import MODELS
    from zeuxis.hub.locate import locate

    try:
        return locate(name, "generator")
    except UnknownName as error:
        known = [*GENERATORS, *(model.name for model in MODELS.values() if model.kind == "generator")]
        raise unknown("generator", name, known) from error


def _call(factory: Any, name: str, *given: Any, **options: Any) -> Any:
    """`factory(...)`, with BadInput for an option that it does not know."""
    known = [p for p in inspect.signature(factory).parameters if p not in ("path", "device")]
    for option in options:
        if option not in known and option != "device":
            have = f"It has {', '.join(known)}" if known else "It has none"
            raise BadInput(f"Generator {name!r} has no option {option!r}. {have}.")
    return factory(*given, **options)


def _known() -> str:
    return f"Generators are of the families {', '.join(FAMILIES)}."
