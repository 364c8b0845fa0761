"""From what a user names to a generator: one of the package, a catalogue name, a file, or a Hub id."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from zeuxis.errors import BadInput, UnknownName
from zeuxis.generators import FAMILIES, GENERATORS
from zeuxis.generators.base import Generator, check_colours, check_drawn
from zeuxis.generators.diffusion import Diffusion, is_pipeline
from zeuxis.generators.mixed import OPTION, Mixed, without_mixture
from zeuxis.nets.gan import TRANSLATORS
from zeuxis.plugins import fits
from zeuxis.registry import unknown

if TYPE_CHECKING:
    from zeuxis.hub.header import Model

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
CLASS_OPTIONS = ("classes", "ban")
YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


def check_generator(name: str, options: Mapping[str, Any] = NO_OPTIONS) -> None:
    """UnknownName, MissingModel with the command that fetches it, BadInput or WeightsRefused unless `name` can be made
    with these options.

    Of a file the header is read and the network's shapes are compared with it; no weights are loaded.
    """
    options, _ = without_mixture(options)
    if name in GENERATORS:
        check_options(GENERATORS[name], name, options)
        asked = any(map(options.get, CLASS_OPTIONS))  # only then is the header read, and once more when it is made
        if asked and hasattr(GENERATORS[name], "header"):
            _check_classes(GENERATORS[name], GENERATORS[name].header(), options)
    else:
        from zeuxis.hub.model_file import check_model

        path = _located(name)
        if is_pipeline(path):
            check_options(Diffusion, name, options)
            Diffusion.check(path)
            return
        model = _draws(name)
        check_options(FAMILIES[model.family], name, options)
        _check_classes(FAMILIES[model.family], model, options)
        check_model(model.path, "generator")


def _check_classes(factory: Any, model: Model, options: Mapping[str, Any]) -> None:
    """BadInput or UnknownName for `classes` and `ban` that the generator of this file does not have."""
    asked = [tuple(options.get(option, ())) for option in CLASS_OPTIONS]
    if any(asked):
        factory.check_classes(model, *asked)


def make_generator(name: str, device: torch.device | None = None, **options: Any) -> Generator:
    """The generator that `name` means, on `device`; `options` are those of its class, and `mixture`, which all have.

    A published file is converted once and kept in the cache. UnknownName, MissingModel, WeightsRefused, or BadInput
    for an option that it does not have.
    """
    own, count = without_mixture(options)
    made = _made(name, device, own)
    return made if count is None else Mixed(made, count)


def _made(name: str, device: torch.device | None, options: Mapping[str, Any]) -> Generator:
    if name in GENERATORS:
        generator: Generator = _call(GENERATORS[name], name, device=device, **options)
        if GENERATORS.is_plugin(name):
            fits(generator, Generator, "generator", name).name = name  # under which a run and its pictures know it
            check_drawn(generator, name)
        return generator
    path = _located(name)
    made: Generator
    if is_pipeline(path):
        made = _call(Diffusion, name, path, device=device, **options)
    else:
        model = _draws(name)
        made = _call(FAMILIES[model.family], name, model.path, device=device, **options)
    made.name = Path(name).name if Path(name).exists() else name
    return made


def _located(name: str) -> Path:
    from zeuxis.hub.catalogue import MODELS
    from zeuxis.hub.locate import locate

    if name in FAMILIES and not Path(name).exists():
        raise BadInput(
            f"{name} is a kind of weight file: {FAMILIES.about()[name]}. Name a file or folder of it: --generator "
            "FILE, or a published model of `zeuxis models list --kind generator`."
        )
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
    if model.family.removeprefix("gan-") in TRANSLATORS:
        raise BadInput(
            f"{name} turns pictures into others and draws none of its own, so there is nothing to search. Apply it: "
            "zeuxis translate PICTURE --generator FILE --to NAME"
        )
    if model.family not in FAMILIES:
        raise BadInput(f"{name} holds {in_words(model)}, which draws no pictures. {_known()}")
    check_colours(model)
    return model


def check_options(factory: Any, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, as the constructor `factory` takes them. BadInput for one that it does not know, or of another kind.

    A yes or no may be said as 1, 0, true or false, as on the command line.
    """
    parameters = inspect.signature(factory).parameters
    known = [p for p in parameters if p not in ("path", "device")]
    fitting = dict(options)
    for option, value in options.items():
        if option in CLASS_OPTIONS and option not in known:
            raise BadInput(f"Generator {name!r} has no classes to choose from: leave --class and --ban out.")
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]}?" if near else ""
            have = f"It has {', '.join([*known, OPTION])}"
            raise BadInput(f"Generator {name!r} has no option {option[:40]!r}.{hint} {have}.")
        if isinstance(parameters[option].default, bool):
            said = str(value).lower()
            if said not in YES_OR_NO:
                what = f"option {option} of generator {name!r}"
                raise BadInput(f"Expected {what} to be true or false, got {value!r:.40}.")
            fitting[option] = YES_OR_NO[said]
    return fitting


def _call(factory: Any, name: str, *given: Any, device: torch.device | None, **options: Any) -> Any:
    """`factory(...)`, with BadInput for an option that it does not know."""
    return factory(*given, device=device, **check_options(factory, name, options))


def _known() -> str:
    return f"Generators are of the families {', '.join(FAMILIES)}."
