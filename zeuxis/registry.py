"""Tables of names: strings that point at factories, imported on use, so that listing imports nothing.

A name that is no row may be a plugin (zeuxis.plugins): of an installed package, or `module:factory`.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zeuxis import plugins
from zeuxis.errors import BadInput, UnknownName

NAMES = re.compile(r"\b[A-Z]{2,}\b")  # what a line on a prefix names: "GA, DE, PSO, ..."


@dataclass(frozen=True)
class Entry:
    """One row: `target` is "module:attribute" or the factory itself, `about` one line for `zeuxis list`.

    `licence` says in plain words what may be done with weights that ship, as far as the data they were trained on say.
    `traits` name what a member has that others of its family have not; each family says which there are.
    """

    target: Any
    about: str
    licence: str = ""
    traits: tuple[str, ...] = ()


class Table:
    """A family's members by name. `table["ga"]` imports and returns the factory.

    `group` is that of the entry points of installed packages which are members too; a table without one has no plugins.
    """

    def __init__(
        self, kind: str, rows: dict[str, Entry], prefixes: dict[str, Entry] | None = None, group: str = ""
    ) -> None:
        self.kind = kind
        self.rows = rows
        self.prefixes = prefixes or {}
        self.group = group

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __contains__(self, name: str) -> bool:
        return self.known(name) or self.refers(name)

    def add(self, name: str, target: Any, about: str = "", traits: tuple[str, ...] = ()) -> None:
        """A member of your own, in this process: a class or function, or "module:attribute". BadInput if the name is
        taken.
        """
        if name in self or not plugins.NAME.fullmatch(name):
            raise BadInput(f"Expected a new name of letters, digits, '-', '.' or '_' for a {self.kind}, got {name!r}.")
        self.rows[name] = Entry(target, about or f"{self.kind} of your own", traits=traits)

    def known(self, name: str) -> bool:
        """Whether `name` is a member that a file may name: of the program, or of a package that is installed."""
        return name in self.rows or name.partition(":")[0] in self.prefixes or name in self.installed()

    def refers(self, name: str) -> bool:
        """Whether `name` is `module:factory`, which is imported only when the user himself has said it."""
        return bool(self.group) and plugins.is_reference(name) and not self.known(name)

    def installed(self) -> dict[str, Any]:
        """The plugins of installed packages: name -> entry point."""
        return plugins.installed(self.group) if self.group else {}

    def is_plugin(self, name: str) -> bool:
        """Whether `name` is a member that did not come with the program."""
        return name in self and name not in self.rows and name.partition(":")[0] not in self.prefixes

    def about(self) -> dict[str, str]:
        """Name -> one line, without importing any member; of a plugin with its origin."""
        rows = {name: entry.about for name, entry in self.rows.items()}
        rows |= {f"{name}:NAME": entry.about for name, entry in self.prefixes.items()}
        of_others = {n: f"{plugins.summary(p)}  [{plugins.origin(p)}]" for n, p in self.installed().items()}
        return of_others | rows if of_others.keys() & rows.keys() else rows | of_others

    def with_trait(self, trait: str) -> tuple[str, ...]:
        """The names of all members of the program that have a trait."""
        return tuple(name for name, entry in self.rows.items() if trait in entry.traits)

    def has_trait(self, name: str, trait: str) -> bool:
        """Whether a member has a trait: as its row says, or a plugin's attribute `traits`, for which it is imported."""
        entry = self.rows.get(name) or self.prefixes.get(name.partition(":")[0])
        return trait in (getattr(self[name], "traits", ()) if entry is None else entry.traits)

    def check(self, name: str) -> str:
        """`name` itself, or UnknownName with the nearest names; BadInput for code that the user has not named."""
        if self.known(name):
            return name
        if self.refers(name):
            plugins.check_trusted(self.kind, name)
            return name
        behind = [f"{prefix}:{word}" for prefix, of in self.prefixes.items() for word in NAMES.findall(of.about)]
        known = [*self.rows, *(f"{prefix}:NAME" for prefix in self.prefixes)]
        raise unknown(self.kind, name, [*known, *(n for n in self.installed() if n not in self.rows)], behind)

    def __getitem__(self, name: str) -> Any:
        """The factory behind `name`. For "prefix:rest" it is called with `rest` as first argument."""
        self.check(name)
        if name in self.rows:
            return _load(self.rows[name].target)
        prefix, _, rest = name.partition(":")
        if prefix in self.prefixes:
            return partial(_load(self.prefixes[prefix].target), rest)
        if self.refers(name):
            return plugins.load(self.kind, name)
        return plugins.load_installed(self.kind, self.installed()[name])


def unknown(kind: str, name: str, known: Sequence[str], more: Sequence[str] = ()) -> UnknownName:
    """The error for a name that is none of `known`, with the nearest of them and of `more`, which are not listed."""
    near = nearest(name, [*known, *more])
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return UnknownName(f"Unknown {kind} {name[:80]!r}.{hint} Known: {', '.join(known)}.")


def nearest(name: str, known: Sequence[str], most: int = 3) -> list[str]:
    """The names that hold `name` as a whole word ("clip" of "clip-vit-b-32"), then those that are spelled alike."""
    said, by_small = name.lower()[:80], {one.lower(): one for one in known}
    within = [small for small in by_small if said in re.split(r"[-:_\s]", small)]
    alike = difflib.get_close_matches(said, list(by_small), n=most, cutoff=0.5)
    return [by_small[small] for small in dict.fromkeys([*within, *alike])][:most]


def _load(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
