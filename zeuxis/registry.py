"""Tables of names: strings that point at factories, imported on use, so that listing imports nothing."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zeuxis.errors import UnknownName

NAMES = re.compile(r"\b[A-Z]{2,}\b")  # what a line on a prefix names: "GA, DE, PSO, ..."


@dataclass(frozen=True)
class Entry:
    """One row: `target` is "module:attribute", `about` one line for `zeuxis list`.

    `licence` says in plain words what may be done with weights that ship, as far as the data they were trained on say.
    `traits` name what a member has that others of its family have not; each family says which there are.
    """

    target: str
    about: str
    licence: str = ""
    traits: tuple[str, ...] = ()


class Table:
    """A family's members by name. `table["ga"]` imports and returns the factory."""

    def __init__(self, kind: str, rows: dict[str, Entry], prefixes: dict[str, Entry] | None = None) -> None:
        self.kind = kind
        self.rows = rows
        self.prefixes = prefixes or {}

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __contains__(self, name: str) -> bool:
        return name in self.rows or name.partition(":")[0] in self.prefixes

    def about(self) -> dict[str, str]:
        """Name -> one line, without importing any member."""
        rows = {name: entry.about for name, entry in self.rows.items()}
        return rows | {f"{name}:NAME": entry.about for name, entry in self.prefixes.items()}

    def with_trait(self, trait: str) -> tuple[str, ...]:
        """The names of all members that have a trait."""
        return tuple(name for name, entry in self.rows.items() if trait in entry.traits)

    def check(self, name: str) -> str:
        """`name` itself, or UnknownName with the nearest names."""
        if name in self:
            return name
        behind = [f"{prefix}:{word}" for prefix, of in self.prefixes.items() for word in NAMES.findall(of.about)]
        raise unknown(self.kind, name, [*self.rows, *(f"{prefix}:NAME" for prefix in self.prefixes)], behind)

    def __getitem__(self, name: str) -> Any:
        """The factory behind `name`. For "prefix:rest" it is called with `rest` as first argument."""
        self.check(name)
        if name in self.rows:
            return _load(self.rows[name].target)
        prefix, _, rest = name.partition(":")
        factory = _load(self.prefixes[prefix].target)
        return partial(factory, rest)


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


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
