"""Tables of names: strings that point at factories, imported on use, so that listing imports nothing."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zeuxis.errors import UnknownName


@dataclass(frozen=True)
class Entry:
    """One row: `target` is "module:attribute", `about` one line for `zeuxis list`.

    `licence` says in plain words what may be done with weights that ship, as far as the data they were trained on say.
    """

    target: str
    about: str
    licence: str = ""


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

    def check(self, name: str) -> str:
        """`name` itself, or UnknownName with the nearest names."""
        if name in self:
            return name
        raise unknown(self.kind, name, [*self.rows, *(f"{prefix}:NAME" for prefix in self.prefixes)])

    def __getitem__(self, name: str) -> Any:
        """The factory behind `name`. For "prefix:rest" it is called with `rest` as first argument."""
        self.check(name)
        if name in self.rows:
            return _load(self.rows[name].target)
        prefix, _, rest = name.partition(":")
        factory = _load(self.prefixes[prefix].target)
        return lambda *args, **kwargs: factory(rest, *args, **kwargs)


def unknown(kind: str, name: str, known: Sequence[str]) -> UnknownName:
    """The error for a name that is none of `known`, with the nearest of them."""
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return UnknownName(f"Unknown {kind} {name[:80]!r}.{hint} Known: {', '.join(known)}.")


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
