"""The file of the gallery's index: opened only where it is one that the studio wrote, and whole.

The folder of the runs may come from a stranger, and with it a database. SQLite follows links, runs triggers and views
of the file, and finds no flipped bit in a row. So links are refused, a file with other tables than ours is put aside,
and one that is not as it was closed is made anew from the folders; its marks are kept if they can be read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zeuxis.errors import RunUnwritable, ZeuxisError
from zeuxis.storage.files import atomic_write
from zeuxis.storage.reading import check_folder, read_plain

INNER = ("bin", "dropped", "exports", "thumbnails")  # folders beside it
BESIDE = ("-wal", "-shm", "-journal")  # files of SQLite's own
SEAL = ".sha256"  # what the file was when it was closed
LARGEST = 2**30
TEXTS = ("run", "file", "prompt", "generator", "label", "words")
LONGEST = 20_000_000  # letters of a text: 256 phrases of 40,000 each fit
Say = Callable[[str], object]


class Base(sqlite3.Connection):
    """A connection whose errors are sentences: RunUnwritable for a full or read-only disk, a lock, a damaged file."""

    def execute(self, *given: Any) -> sqlite3.Cursor:
        """As it is."""
        with _said():
            return super().execute(*given)

    def executemany(self, *given: Any) -> sqlite3.Cursor:
        """As it is."""
        with _said():
            return super().executemany(*given)

    def executescript(self, *given: Any) -> sqlite3.Cursor:
        """As it is."""
        with _said():
            return super().executescript(*given)

    def __exit__(self, *given: Any) -> Any:
        """Commit, or roll back."""
        with _said():
            return super().__exit__(*given)


@contextlib.contextmanager
def _said() -> Any:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise RunUnwritable(
            f"The gallery's index cannot be used: {error}. Make room, close other studios, or remove the file "
            "index.sqlite3 in the folder .studio of the runs: it is made anew, without its stars."
        ) from error


def open_base(path: Path, schema: str, version: int, say: Say) -> Base:
    """A connection to the index at `path` with the tables of `schema`, made where they are not there.

    RunDamaged where a link, a pipe or a folder stands in the place of a file; RunUnwritable where none can be written.
    `say` hears what was put aside or is made anew.
    """
    check_folder(path.parent, INNER, (path.name, path.name + SEAL, *(path.name + end for end in BESIDE)))
    new = not path.exists() or path.stat().st_size == 0
    whole = new or _sealed(path)
    if new and any(Path(f"{path}{end}").exists() for end in (*BESIDE, SEAL)):
        say("The gallery's index is gone; it is made anew from the folders, without its stars.")
    base: Base | None = None
    try:
        base = _opened(path)
        _check(base, path, schema, version)
    except ZeuxisError as error:
        if base is not None:
            base.close()
        if new or not _is_damage(error):
            raise
        _put_aside(path, say)
        base, new, whole = _opened(path), True, True
    if new or base.execute("PRAGMA user_version").fetchone()[0] != version:
        base.executescript("DROP TABLE IF EXISTS pictures; DROP TABLE IF EXISTS runs;" + schema)
    elif not whole:
        say("The gallery's index is not as it was closed last; all but its marks is read again from the folders.")
        with base:
            base.execute("UPDATE runs SET stamp = ''")
            base.execute("DELETE FROM marks WHERE typeof(mark) <> 'integer' OR mark NOT IN (-1, 0, 1)")
    _drop_strange(base, say)
    with base:
        base.execute("DELETE FROM pictures WHERE run NOT IN (SELECT run FROM runs)")
    with contextlib.suppress(ZeuxisError, OSError):
        Path(f"{path}{SEAL}").unlink(missing_ok=True)  # until it is closed
    return base


def _drop_strange(base: Base, say: Say) -> None:
    """Take out rows of other types than the studio writes: SQLite holds anything anywhere. What they stood for is read
    again from the folders.
    """
    texts = " OR ".join(f"typeof({name}) <> 'text' OR length({name}) > {LONGEST}" for name in TEXTS)
    numbers = " OR ".join(f"typeof({name}) NOT IN ('real', 'integer', 'null')" for name in ("score", "judge", "made"))
    strange = f"{texts} OR {numbers} OR typeof(mark) <> 'integer' OR made NOT BETWEEN -1e12 AND 1e12"
    with base:
        found = base.execute(f"SELECT COUNT(*) FROM pictures WHERE {strange}").fetchone()[0]
        if found:
            base.execute(f"UPDATE runs SET stamp = '' WHERE run IN (SELECT run FROM pictures WHERE {strange})")
            base.execute(f"DELETE FROM pictures WHERE {strange}")
        of = " OR ".join(f"typeof({name}) <> 'text' OR length({name}) > 255" for name in ("run", "stamp", "state"))
        found += base.execute(f"DELETE FROM runs WHERE {of}").rowcount
    if found:
        say(
            f"{found:,} rows of the gallery's index were not written by a studio; they are read again from the folders."
        )


def close_base(base: Base, path: Path) -> None:
    """Let go of the file, and write down what it is."""
    base.close()
    with contextlib.suppress(ZeuxisError, OSError):  # the checksum only spares a look at all folders
        if not any(Path(f"{path}{end}").exists() for end in BESIDE):
            atomic_write(Path(f"{path}{SEAL}"), _digest(path).encode())


def _opened(path: Path) -> Base:
    with _said():
        base: Base = sqlite3.connect(path, check_same_thread=False, factory=Base)
    base.text_factory = lambda data: data.decode("utf-8", "replace")
    base.execute("PRAGMA trusted_schema = OFF")
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = NORMAL")
    return base


class _Damaged(RunUnwritable):
    """An index that is not ours, or not whole."""


def _check(base: Base, path: Path, schema: str, version: int) -> None:
    """_Damaged for a file with other tables than those of `schema`, or one that SQLite finds broken."""
    if path.stat().st_nlink > 1:
        raise _Damaged("it has another name elsewhere")
    found = _tables(base)
    if found and base.execute("PRAGMA user_version").fetchone()[0] == version:
        fresh: Base = sqlite3.connect(":memory:", factory=Base)
        fresh.executescript(schema)
        if found != _tables(fresh):
            raise _Damaged("it holds other tables")
        fresh.close()
    elif any(kind != "table" and kind != "index" for kind, _ in found):
        raise _Damaged("it holds other tables")
    if [row[0] for row in base.execute("PRAGMA quick_check(1)")] != ["ok"]:
        raise _Damaged("it is broken")


def _tables(base: Base) -> dict[tuple[str, str], str | None]:
    rows = base.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'")
    return {(kind, name): sql and " ".join(sql.split()) for kind, name, sql in rows}


def _is_damage(error: ZeuxisError) -> bool:
    """Whether a file is broken or not ours; a full disk or a lock is another matter."""
    cause = error.__cause__
    if isinstance(error, _Damaged) or isinstance(cause, UnicodeError):
        return True
    words = ("malformed", "not a database", "corrupt", "unsupported file format", "UTF-8")
    return isinstance(cause, sqlite3.Error) and any(word in str(cause) for word in words)


def _put_aside(path: Path, say: Say) -> None:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        os.replace(path, aside)  # noqa: PTH105
        for end in (*BESIDE, SEAL):
            Path(f"{path}{end}").unlink(missing_ok=True)
    except OSError as error:
        raise RunUnwritable(f"Cannot write {path}: {error.strerror or error}. Remove it.") from error
    say(f"The gallery's index was damaged or not ours and is made anew, without its stars; it is kept as {aside.name}.")


def _sealed(path: Path) -> bool:
    """Whether the file is what it was when it was closed."""
    try:
        if any(Path(f"{path}{end}").exists() for end in BESIDE):
            return False
        return read_plain(Path(f"{path}{SEAL}"), 64).decode("ascii", "replace") == _digest(path)
    except (OSError, ZeuxisError):
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(read_plain(path, LARGEST)).hexdigest()
