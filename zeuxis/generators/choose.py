"""From what a user names to a generator: one of the package, a catalogue name, a file, or a Hub id."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zeuxis.errors import BadInput, UnknownName
from zeuxis.generators import FAMILIES, GENERATORS
from zeuxis.generators.base import Generator
from zeuxis.registry import unknown

if TYPE_CHECKING:
    from zeuxis.hub.header import Model


def check_generator(name: str) -> None:
    """UnknownName, MissingModel with the command that fetches it, BadInput or WeightsRefused unless `name` can be made.

    Of a file the header is read and the network's shapes are compared with it; no weights are loaded.
    """
    if name not in GENERATORS:
        from zeuxis.hub.model_file import check_model

        _located(name)
        check_model(_draws(name).path, "generator")


def make_generator(name: str, device: torch.device | None = None, **options: Any) -> Generator:
    """The generator that `name` means, on `device`; `options` are those of its class.

    A published file is converted once and kept in the cache. UnknownName, MissingModel, WeightsRefused, or BadInput
    for an option that it does not have.
    """
    if name in GENERATORS:
        generator: Generator = _call(GENERATORS[name], name, device=device, **options)
        return generator
    _located(name)
    model = _draws(name)
    made: Generator = _call(FAMILIES[model.family], name, model.path, device=device, **options)
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


def _draws(name: str) -> Model:
    """The header of the model file that `name` means. BadInput when what it holds draws no pictures."""
    from zeuxis.hub.header import in_words
    from zeuxis.hub.locate import peek

    model = peek(name, "generator")
    if model.family not in FAMILIES:
        raise BadInput(f"{name} holds {in_words(model)}, which draws no pictures. {_known()}")
    return model


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
