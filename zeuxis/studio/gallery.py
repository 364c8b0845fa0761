"""All runs, found again: their folders and the index over them, what a person looks for, and the bin.

Folders may come from strangers: they are read as everything of the kind is (zeuxis.run.folder), and what cannot be read
is left out and named.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.storage.checksummed import damaged
from zeuxis.storage.files import guard, make_folder, remove, unwritable
from zeuxis.storage.reading import check_folder, read_plain, whole_png
from zeuxis.studio.index import Found, Index, Query
from zeuxis.studio.index_rows import PLOT, folders, is_name, rows_of, stamp_of

OWN = ".studio"  # below the folder of the runs
BIN = "bin"
MOST_RESULTS = 64  # answers that are remembered: a page that asks for an older one looks again
PICTURE = re.compile(r"(?:jobs/[\w-]+/work/)?[\w-]+/[\w.-]+\.png", re.ASCII)  # in the folder of a run or a plot
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
        there = {path.name: path for path in folders(self.runs)}
        known = self.stamps()
        changed = [name for name, path in there.items() if known.get(name) != stamp_of(path)]
        gone = [name for name in known if name not in there]
        for name in changed:
            stamp, state = stamp_of(there[name]), "damaged"
            rows: list[Sequence[Any]] = []
            try:
                rows, state = rows_of(there[name])
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
        path = self.runs / found.run / found.file
        plain = is_name(found.run) and PICTURE.fullmatch(found.file) is not None
        above = list(path.parents)[: found.file.count("/") + 1] if plain else []
        if not plain or path.is_symlink() or any(one.is_symlink() for one in above):
            raise damaged(path, "it is a link, or lies in no run")
        for folder in above[:-1]:
            guard(folder.parent, [folder.name])
        return path

    def plot(self, found: Found) -> str:
        """The name of the plot that a picture was made for; "" for none."""
        return found.run if found.run in self.in_state(PLOT) else ""

    def data(self, found: Found) -> bytes:
        """The file of a picture. RunDamaged where a bit of it is not as it was written: readers pass over that."""
        data = read_plain(self.path(found), MOST_PICTURE)
        if not whole_png(data):
            raise damaged(self.path(found), "it is not the picture that was written")
        return data

    def delete(self, run: str) -> Path:
        """Move a run to the bin; returns where it is now. BadInput for none such."""
        if run not in self.stamps() or not is_name(run) or (self.runs / run).is_symlink():
            raise BadInput(f"There is no run {run[:80]!r} in the gallery.")
        place = self._bin() / f"{run}.{time.time_ns()}"
        try:
            (self.runs / run).rename(place)
        except OSError as error:
            raise unwritable(place, error) from error
        self.refresh()
        return place

    def binned(self) -> list[Path]:
        """The runs in the bin, that of the last deletion last."""
        if not (self.own / BIN).is_dir():
            return []
        found = [p for p in self._bin().iterdir() if p.suffix[1:].isdecimal() and p.is_dir() and not p.is_symlink()]
        return sorted(found, key=lambda p: int(p.suffix[1:]))

    def restore(self, place: Path) -> Path:
        """Bring a run back from the bin; returns its folder: name-2 and so on where another one has its name by now.

        BadInput for what is not in the bin.
        """
        if place.parent != self.own / BIN or not place.is_dir():
            raise BadInput(f"The run cannot come back from the bin; it is in {place}.")
        run, number = place.name.rpartition(".")[0], 1
        back = self.runs / run
        while os.path.lexists(back):
            number += 1
            back = self.runs / f"{run}-{number}"
        try:
            place.rename(back)
        except OSError as error:
            raise unwritable(back, error) from error
        self.refresh()
        return back

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
