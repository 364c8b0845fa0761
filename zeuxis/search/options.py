"""Options of the searches: each declared once, as a field of a frozen dataclass, and checked in one place.

    @dataclass(frozen=True)
    class ClimbOptions(Options):
        step: float = option(0.1, "length of a step, in deviations of the prior", low=0)

Imports no torch, so that options can be named and checked before anything is loaded.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zeuxis.errors import BadInput

if TYPE_CHECKING:
    import torch

    from zeuxis.spaces import Space

Option = int | float | str
MOST = 1e9  # the upper bound of a number whose option names none

O = TypeVar("O", bound="Options")  # noqa: E741
S = TypeVar("S")


@dataclass(frozen=True)
class OptionInfo:
    """What may be said of one option: a number from `low` to `high`, one of `choices`, or, with both, either."""

    type: type
    default: Any
    help: str = ""
    low: float = -MOST
    high: float = MOST
    choices: tuple[str, ...] = ()
    only: tuple[str, Option] | None = None  # an option and the value of it without which this one has no effect

    def check(self, name: str, value: Any) -> Any:
        """`value` if it fits, a whole number as int; else BadInput."""
        if self.choices and isinstance(value, str) and value in self.choices:
            return value
        if self.type is str:
            if isinstance(value, str) and not self.choices:
                return value
        elif isinstance(value, bool) or self.type is bool:
            if self.type is bool and value in (0, 1):
                return bool(value)
        elif isinstance(value, int | float) and self.low <= value <= self.high:
            if self.type is not int:
                return value
            if math.isfinite(value) and value == int(value):
                return int(value)
        raise BadInput(f"Expected {name} to be {self.expected}, got {value!r:.80}.")

    @property
    def expected(self) -> str:
        """In words what a value has to be."""
        words = f"one of {', '.join(self.choices)}" if len(self.choices) > 1 else "".join(self.choices)
        if self.type is bool:
            return "0 or 1"
        if self.type is str:
            return words or "text"
        number = "a whole number" if self.type is int else "a number"
        if self.high < MOST:
            number += f" from {self.low:g} to {self.high:g}"
        elif self.low > -MOST:
            number += f" of {self.low:g} or more"
        return f"{number} or {words}" if words else number


def option(
    default: Option,
    help: str,
    *,
    low: float = -MOST,
    high: float = MOST,
    choices: tuple[str, ...] = (),
    kind: type | None = None,
    only: tuple[str, Option] | None = None,
) -> Any:
    """A field of an `Options` class. `kind` is the type of `default` unless given; `only` names another option and the
    value that it must have for this one to have an effect.
    """
    info = OptionInfo(kind or type(default), default, help, low, high, choices, only)
    return field(default=default, metadata={"option": info})


def same_but(declared: type[Options], name: str, default: Option) -> Any:
    """The field `name` of `declared` with another default, for a class that derives from it."""
    return field(default=default, metadata={"option": replace(known(declared)[name], default=default)})


@dataclass(frozen=True)
class Options:
    """The options of a search. Every value is checked when it is made; BadInput for one that does not fit."""

    def __post_init__(self) -> None:
        for name, info in known(type(self)).items():
            object.__setattr__(self, name, info.check(name, getattr(self, name)))

    def part(self, declared: type[O]) -> O:
        """Those of them that `declared`, from which this class derives, declares: for a search inside another."""
        return declared(**{name: getattr(self, name) for name in known(declared)})


def known(declared: type[Options]) -> dict[str, OptionInfo]:
    """Option -> what is declared of it."""
    return {f.name: f.metadata.get("option") or OptionInfo(type(f.default), f.default) for f in fields(declared)}


NONE = Options()


class Member(Generic[S]):
    """A search by its name: `member(space, population=64, device=..., **options)`.

    `kind(space, population, device, options, name)` is its class, `declared` the class of its options, `preset` what
    this name sets in place of the defaults there. `inspect.signature` shows all options with their defaults.
    """

    def __init__(self, kind: Callable[..., S], declared: type[Options], name: str, **preset: Option) -> None:
        self.kind, self.declared, self.name, self.preset = kind, declared, name, preset
        given = list(inspect.signature(kind).parameters.values())[:3]
        named = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=info.default, annotation=info.type.__name__)
            for key, info in self.options().items()
        ]
        self.__signature__ = inspect.Signature(given + named)

    def __call__(
        self, space: Space, population: int | None = None, device: torch.device | None = None, **options: Any
    ) -> S:
        """The search; BadInput for an option that it does not know or that does not fit."""
        check(self.name, self.options(), options)
        places = {key: value for key, value in (("population", population), ("device", device)) if value is not None}
        return self.kind(space, **places, options=self.declared(**self.preset | options), name=self.name)

    def options(self) -> dict[str, OptionInfo]:
        """Option -> type, default, help and range."""
        infos = known(self.declared)
        return infos | {name: replace(infos[name], default=value) for name, value in self.preset.items()}


def options_of(factory: Any) -> dict[str, OptionInfo]:
    """The options of a factory: what it says itself (`options()`), else its keyword arguments that have a default.

    So a search of one's own may simply take its options as keyword arguments. `name` is none of them.
    """
    factory, given = (factory.func, factory.args) if isinstance(factory, partial) else (factory, ())
    said = None if inspect.isclass(factory) else getattr(factory, "options", None)
    if callable(said):
        return dict(said(*given))
    keywords = [p for p in inspect.signature(factory).parameters.values() if p.kind is p.KEYWORD_ONLY]
    named = [p for p in keywords if p.name != "name" and p.default is not p.empty]
    return {p.name: OptionInfo(type(p.default), p.default) for p in named}


def check(
    search: str, infos: Mapping[str, OptionInfo], options: Mapping[str, Any], more: Iterable[str] = ()
) -> dict[str, Any]:
    """`options`, each of them checked. BadInput names the known ones, and the nearest, for one that is unknown; where
    none is near, the nearest of `more`, settings that are no options of a search but stand beside them.
    """
    for name in options:
        if name not in infos:
            near = difflib.get_close_matches(str(name)[:40], infos, n=2, cutoff=0.6)
            beside = difflib.get_close_matches(str(name)[:40], list(more), n=1, cutoff=0.7)
            meant = " or ".join(near) or "".join(f"{setting}, a setting of the run" for setting in beside)
            hint = f" Did you mean {meant}?" if meant else ""
            listed = ", ".join(f"{key}={info.default}" for key, info in infos.items()) or "none"
            raise BadInput(
                f"Search {search!r} has no option {str(name)[:40]!r}.{hint} Known options and defaults: {listed}."
            )
    return {name: infos[name].check(f"{name} of {search}", value) for name, value in options.items()}


def idle(infos: Mapping[str, OptionInfo], options: Mapping[str, Any]) -> list[str]:
    """A sentence for each of `options` that has no effect because of the value of another."""
    found = []
    for name in options:
        if name not in infos or (only := infos[name].only) is None:
            continue
        other, needed = only
        value = options.get(other, infos[other].default)
        if value != needed:
            found.append(f"The option {name} has no effect with {other}={value}, only with {other}={needed}.")
    return found
