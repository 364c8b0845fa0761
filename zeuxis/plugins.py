"""Generators, scorers, judges and searches of other people: entry points of installed packages, and `module:factory`.

    zeuxis generate "a frog" --search mymodule:MySearch
    trust("mymodule:MySearch"); SEARCHES["mymodule:MySearch"]

`module:factory` is imported only where the user of this process has said it. run.json, design.json, a bank, a recipe or
a picture may come from a stranger, and to import what such a file names would be to run his code.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zeuxis.errors import BadInput, ZeuxisError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?![^:\s])", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}", re.ASCII)  # of an entry point; no ":", which is that of a reference
FIELDS = ("generator", "scorer", "judge", "search", "held_out")  # of a configuration, that may name code

T = TypeVar("T")
_trusted: set[str] = set()
_places: dict[str, str] = {}  # file, or folder of a package, of code from outside -> what it was named


def is_reference(name: str) -> bool:
    """Whether a name has the form `module:factory`."""
    return REFERENCE.fullmatch(name) is not None


def reference_in(said: str) -> str:
    """The `module:factory` that a text begins with: "own:Scorer" of "own:Scorer:0.5"; "" for none."""
    found = REFERENCE.match(said)
    return found[0] if found else ""


def trust(*said: Any) -> None:
    """Allow the import of every `module:factory` that the user has said himself, never of one that a file says.

    Takes texts such as "own:Walk", "own:Scorer:0.5" or "own:Walk step=0.2", sequences of them, and None.
    """
    for one in said:
        if isinstance(one, str):
            _trusted.update(filter(None, [reference_in(one)]))
        elif isinstance(one, Iterable):
            trust(*one)


def trust_fields(fields: Mapping[str, Any]) -> None:
    """Trust what the user has said in those fields of a configuration that may name code."""
    trust(*(fields.get(name) for name in FIELDS))


def trusted() -> tuple[str, ...]:
    """What may be imported: for the worker processes of this one."""
    return tuple(sorted(_trusted))


def check_trusted(kind: str, name: str) -> None:
    """BadInput for a `module:factory` that the user has not said."""
    if name not in _trusted:
        raise BadInput(
            f"The {kind} {name[:80]!r} comes from a file and is code outside the program, so it was not imported. If "
            f"you trust it, repeat it on the command line: --{kind} {name[:80]} (in Python: zeuxis.plugins.trust)."
        )


def load(kind: str, name: str) -> Any:
    """The factory that a trusted `module:factory` names, from Python's path or the current folder. BadInput."""
    check_trusted(kind, name)
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # at the end: a file of this folder stands in for no installed package
    try:
        found = importlib.import_module(module)
    except ZeuxisError:
        raise
    except (Exception, SystemExit) as error:
        raise BadInput(
            f"The {kind} {name!r} cannot be imported: {_words(error)}. Modules are looked for on Python's path "
            "(PYTHONPATH) and in the current folder."
        ) from error
    _remember(module, name)
    factory = getattr(found, attribute, None)
    if not callable(factory):
        where = getattr(found, "__file__", None) or "built into Python"
        raise BadInput(f"The module {module!r} ({where}) has no class or function {attribute!r} for the {kind}.")
    return factory


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, of all installed packages; of two with one name the first."""
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if NAME.fullmatch(point.name):
            found.setdefault(point.name, point)
    return found


def load_installed(kind: str, point: EntryPoint) -> Any:
    """The factory of an entry point. BadInput where its package does not work."""
    try:
        factory = point.load()
    except ZeuxisError:
        raise
    except (Exception, SystemExit) as error:
        raise BadInput(
            f"The {kind} {point.name!r} ({origin(point)}) cannot be imported: {_words(error)}. Mend or remove that "
            "package."
        ) from error
    _remember(point.module, point.name)
    if not callable(factory):
        raise BadInput(f"The {kind} {point.name!r} ({origin(point)}) is {point.value!r}, no class or function.")
    return factory


def _remember(module: str, name: str) -> None:
    """That faults in the files of a module, or of the package that it belongs to, are those of `name`."""
    root = sys.modules.get(module.partition(".")[0])
    folders = list(getattr(root, "__path__", None) or ())
    for place in folders or filter(None, [getattr(sys.modules.get(module), "__file__", None)]):
        _places[str(place)] = name


def blamed(error: BaseException) -> str:
    """The code from outside in which an error came up, "own:Walk, own.py line 12", the innermost place; "" for none."""
    found, at = "", error.__traceback__
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        for place, name in _places.items():
            if file == place or file.startswith(f"{place}/"):
                found = f"{name}, {Path(file).name} line {at.tb_lineno}"
        at = at.tb_next
    return found


def origin(point: EntryPoint) -> str:
    """In words which package an entry point belongs to."""
    return f"plugin of {point.dist.name} {point.dist.version}" if point.dist is not None else "plugin"


def summary(point: EntryPoint) -> str:
    """What its package says of itself in one line."""
    said = (point.dist.metadata["Summary"] if point.dist is not None else "") or point.value
    return " ".join(said.split())[:100]


def fits(made: T, protocol: type, kind: str, name: str) -> T:
    """`made` itself; BadInput unless it has all that `protocol` asks for."""
    members = {member for base in protocol.__mro__ for member in (*vars(base), *vars(base).get("__annotations__", ()))}
    lacking = sorted(m for m in members if not m.startswith("_") and m not in dir(made))  # properties are not run
    if lacking:
        raise BadInput(
            f"The {kind} {name!r} lacks {', '.join(lacking)}. What a {kind} has: "
            f"{protocol.__module__}.{protocol.__qualname__}."
        )
    return made


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
