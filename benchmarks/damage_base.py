"""What a kind of damaged folder is, and what a command made of it: see `damage.py`."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """What a command came to: figures and files to compare, and what was said."""

    value: object = None
    said: list[str] = field(default_factory=list)


Action = Callable[[Path, Path], Result]  # the folder, and the file in it that was damaged


@dataclass(frozen=True)
class Kind:
    """A kind of folder: `make(folder, other)` builds one (`other`: another one), `actions` read a copy of it.

    `files` are damaged. Those that `written` names are not read back by any command but those in `reads_written`.
    Where a person names the file to `named`, another's file of that name is as good as his own.
    """

    name: str
    make: Callable[[Path, bool], None]
    actions: dict[str, Action]
    files: str = "**/*"
    written: tuple[str, ...] = ()
    reads_written: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def replaced(places: list[tuple[Any, str, Any]]) -> Iterator[None]:
    """Attributes (owner, name, stand-in) while it is open."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, stand_in in places:
        setattr(owner, name, stand_in)
    try:
        yield
    finally:
        for owner, name, real in before:
            setattr(owner, name, real)
