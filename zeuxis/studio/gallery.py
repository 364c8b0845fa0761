"""All runs, found again: their folders and the index over them, what a person looks for, and the bin.

Folders may come from strangers: they are read as everything of the kind is (zeuxis.run.folder), and what cannot be read
is left out and named.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.report.verdict import pictures as judged_pictures
from zeuxis.run.folder import RunFolder
from zeuxis.storage.checksummed import damaged
from zeuxis.storage.files import guard, make_folder, remove, unwritable
from zeuxis.storage.reading import check_folder, read_plain, whole_png
from zeuxis.studio import journal
from zeuxis.studio.index import Found, Index, Query

OWN = ".studio"  # below the folder of the runs
BIN = "bin"
MOST_RUNS = 20_000
MOST_RESULTS = 64  # answers that are remembered: a page that asks for an older one looks again
PICTURE = re.compile(r"[\w-]+/[\w.-]+\.png", re.ASCII)  # in the folder of a run
MOST_PICTURE = 64_000_000  # bytes
MOST_ITEMS = 240  # pictures that a page gets at once


class Gallery(Index):
    """The pictures of the runs below a folder. Safe to use from several threads."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.own = runs, runs / OWN
        self.notes: list[str] = []
        self._opening: list[str] = []  # what was wrong with the index
        if self.own.is_symlink():
            raise damaged(self.own, "it is a link, which is not followed")
        guard(self.runs, [OWN])
        make_folder(self.own)
        super().__init__(self.own / "index.sqlite3", self._opening.append)
        self._refreshing = threading.Lock()
        self._results: OrderedDict[str, array[int]] = OrderedDict()

    def refresh(self) -> int:
        """Take up folders that are new or have changed, let go of those that are gone; how many changed. One at a time:
        a second one begins when the first is done.
        """
        with self._refreshing:
            return self._refresh()

    def _refresh(self) -> int:
        notes, self._opening = self._opening, []
        there = {path.name: path for path in _folders(self.runs)}
        known = self.stamps()
        changed = [name for name, path in there.items() if known.get(name) != _stamp(path)]
        gone = [name for name in known if name not in there]
        for name in changed:
            stamp, state = _stamp(there[name]), "damaged"
            rows: list[Sequence[Any]] = []
            try:
                rows, state = _rows(there[name])
                rows = [tuple(map(_writable, row)) for row in rows]
            except ZeuxisError as error:
                notes.append(str(error))
            if lost := self.files(name) - {row[1] for row in rows}:
                notes.append(f"{name}: {len(lost)} pictures that were here are gone, {min(lost)} for one.")
            self.put(name, stamp, state, rows)
        for name in gone:
            if (self.runs / name).is_dir():
                notes.append(f"{name} is no run any more: the file that says what it is is missing.")
            self.drop(name)
        self.notes = notes
        return len(changed) + len(gone)

    def look(self, query: Query) -> tuple[str, int]:
        """Look for pictures: the key of the answer, and how many fit."""
        numbers, key = self.numbers(query), secrets.token_hex(8)
        with self._lock:
            self._results[key] = numbers
            while len(self._results) > MOST_RESULTS:
                self._results.popitem(last=False)
        return key, len(numbers)

    def result(self, key: str) -> array[int]:
        """The numbers of all pictures of an answer. BadInput for one that is remembered no longer."""
        with self._lock:
            if key not in self._results:
                raise BadInput("This answer is too old. Look again.")
            self._results.move_to_end(key)
            return self._results[key]

    def items(self, key: str, offset: int, limit: int) -> list[Found | None]:
        """Some pictures of an answer, `MOST_ITEMS` at most; None in the place of one that is gone by now."""
        numbers = self.result(key)[max(0, offset) : max(0, offset) + min(max(0, limit), MOST_ITEMS)]
        found = {one.id: one for one in self.some(numbers)}
        return [found.get(number) for number in numbers]

    def unfinished(self) -> list[str]:
        """Runs that were interrupted and can go on, newest first."""
        return self.in_state("unfinished")

    def bred(self) -> list[str]:
        """Breedings by hand, newest first."""
        return self.in_state("bred")

    def path(self, found: Found) -> Path:
        """The file of a picture. RunDamaged for a place that no run has, or a link: an index may be a stranger's."""
        if not isinstance(found.run, str) or not isinstance(found.file, str):
            raise damaged(self.own, "its index names no file")
        folder, inner = self.runs / found.run, found.file.partition("/")[0]
        path = folder / found.file
        plain = _is_name(found.run) and PICTURE.fullmatch(found.file) is not None
        if not plain or folder.is_symlink() or (folder / inner).is_symlink() or path.is_symlink():
            raise damaged(path, "it is a link, or lies in no run")
        guard(folder, [inner])
        return path

    def data(self, found: Found) -> bytes:
        """The file of a picture. RunDamaged where a bit of it is not as it was written: readers pass over that."""
        data = read_plain(self.path(found), MOST_PICTURE)
        if not whole_png(data):
            raise damaged(self.path(found), "it is not the picture that was written")
        return data

    def delete(self, run: str) -> Path:
        """Move a run to the bin; returns where it is now. BadInput for none such."""
        if run not in self.stamps() or not _is_name(run) or (self.runs / run).is_symlink():
            raise BadInput(f"There is no run {run[:80]!r} in the gallery.")
        place = self._bin() / f"{run}.{time.time_ns()}"
        try:
            (self.runs / run).rename(place)
        except OSError as error:
            raise unwritable(place, error) from error
        self.refresh()
        return place

    def restore(self, place: Path) -> None:
        """Bring a run back from the bin. BadInput where another one has its name by now."""
        run = place.name.rpartition(".")[0]
        if place.parent != self.own / BIN or not place.is_dir() or (self.runs / run).exists():
            raise BadInput(f"The run cannot come back from the bin; it is in {place}.")
        try:
            place.rename(self.runs / run)
        except OSError as error:
            raise unwritable(self.runs / run, error) from error
        self.refresh()

    def empty_bin(self) -> int:
        """Remove for good what lies in the bin; how many runs that was."""
        places = list(self._bin().iterdir())
        for place in places:
            if place.is_symlink() or not place.is_dir():
                remove(place)
                continue
            try:
                shutil.rmtree(place)
            except OSError as error:
                raise unwritable(place, error) from error
        return len(places)

    def _bin(self) -> Path:
        """The folder of the bin. RunDamaged where a link stands in its place: what is in it is removed for good."""
        check_folder(self.own, (BIN,))
        make_folder(self.own / BIN)
        return self.own / BIN


def _folders(runs: Path) -> Iterator[Path]:
    """Folders of runs and of breedings by hand, no links."""
    with contextlib.suppress(OSError):
        for path in sorted(runs.iterdir())[:MOST_RUNS]:
            if path.is_symlink() or path.name.startswith(".") or not _is_name(path.name):
                continue
            if (path / "run.json").is_file() or (path / journal.NAME).is_file():
                yield path


def _writable(value: Any) -> Any:
    """A value that a table and a page can hold: texts may have letters that nothing can write, scores any size."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    return value


def _is_name(run: str) -> bool:
    """Whether it names one folder, in letters that can be written down."""
    try:
        return run not in ("", ".", "..") and "\0" not in run and Path(run).name == run and bool(run.encode())
    except UnicodeEncodeError:
        return False


def _stamp(path: Path) -> str:
    """Changes when a run is finished, goes on, or is drawn again, and when a breeding has kept another picture."""
    found = []
    for name in ("summary.json", "run.json", journal.KEPT):
        with contextlib.suppress(OSError):
            facts = (path / name).stat()
            found.append(f"{facts.st_mtime_ns}.{facts.st_size}")
    return " ".join(found)


def _rows(path: Path) -> tuple[list[Sequence[Any]], str]:
    """The pictures of a folder as rows of the table, and the state of the run."""
    if (path / journal.NAME).is_file():
        check_folder(path, (journal.KEPT,), (journal.NAME,))
        about = journal.summary(path)
        files = sorted((path / journal.KEPT).glob("[0-9]*.png"))
        made = (path / journal.NAME).stat().st_mtime
        facts = (about["prompt"], about["generator"], None, None, "", "bred by hand", made)
        return [(path.name, f"{journal.KEPT}/{file.name}", k, *facts) for k, file in enumerate(files)], "bred"
    folder = RunFolder(path)
    config, prompt = folder.config, folder.prompt
    if not folder.summary_path.exists():
        return [], "unfinished"
    summary, made = folder.summary(), folder.summary_path.stat().st_mtime
    rows: list[Sequence[Any]] = []
    for one in judged_pictures(summary):
        file = folder.individual_path(one.rank).relative_to(path).as_posix()
        of: tuple[Any, ...] = (prompt, config.generator, one.score, one.judged, one.label, one.description, made)
        rows.append((path.name, file, one.rank, *of))
    return rows, "unfinished" if "can be resumed" in str(summary["reason"]) else "done"
