"""All runs, found again: an index in SQLite over the pictures of the run folders, and thumbnails beside it.

The index is made of the folders and can be thrown away, but for the stars. Folders may come from strangers: they are
read as everything of the kind is (zeuxis.run.folder), and what cannot be read is left out and named.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.report.verdict import pictures as judged_pictures
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import make_folder
from zeuxis.studio import journal

OWN = ".studio"  # below the folder of the runs
BIN = "bin"
MOST_RUNS = 20_000
SORTS = {
    "newest": "made DESC, run, place",
    "oldest": "made, run, place",
    "score": "score IS NULL, score DESC",
    "judge": "judge IS NULL, judge DESC",
}
SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, file TEXT NOT NULL, place INTEGER NOT NULL, prompt TEXT NOT NULL,
  generator TEXT NOT NULL, score REAL, judge REAL, label TEXT NOT NULL, words TEXT NOT NULL, made REAL NOT NULL,
  UNIQUE (run, file));
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, stamp TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (run TEXT NOT NULL, file TEXT NOT NULL, mark INTEGER NOT NULL, UNIQUE (run, file));
CREATE INDEX IF NOT EXISTS by_made ON pictures (made DESC, run, place);
CREATE INDEX IF NOT EXISTS by_score ON pictures (score DESC);
"""
FROM = "FROM pictures LEFT JOIN marks USING (run, file)"


@dataclass(frozen=True)
class Found:
    """A picture of the gallery. `mark` is 1 with a star, -1 rejected, 0 neither; `judge` what the judge gives it."""

    id: int
    run: str
    file: str
    prompt: str
    generator: str
    score: float | None
    judge: float | None
    label: str
    words: str
    made: float
    mark: int


@dataclass(frozen=True)
class Query:
    """What is looked for: words in prompts and labels, a generator, bounds of score and date (days back), a mark."""

    text: str = ""
    generator: str = ""
    lowest: float | None = None
    days: float | None = None
    starred: bool = False
    rejected: bool = False
    sort: str = "newest"


class Gallery:
    """The index of the runs below a folder. Safe to use from several threads."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.own = runs, runs / OWN
        self.notes: list[str] = []
        make_folder(self.own)
        self._lock = threading.RLock()
        self._base = sqlite3.connect(self.own / "index.sqlite3", check_same_thread=False)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()

    def refresh(self) -> int:
        """Take up folders that are new or have changed, let go of those that are gone; how many changed."""
        self.notes = []
        there = {path.name: path for path in _folders(self.runs)}
        with self._lock:
            known = dict(self._base.execute("SELECT run, stamp FROM runs"))
        changed = [name for name, path in there.items() if known.get(name) != _stamp(path)]
        gone = [name for name in known if name not in there]
        for name in changed:
            stamp, state = _stamp(there[name]), "damaged"
            rows: list[Sequence[Any]] = []
            try:
                rows, state = _rows(there[name])
            except ZeuxisError as error:
                self.notes.append(str(error))
            with self._lock, self._base:
                self._base.execute("DELETE FROM pictures WHERE run = ?", (name,))
                self._base.executemany("INSERT INTO pictures VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
                self._base.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (name, stamp, state))
        with self._lock, self._base:
            for name in gone:
                self._base.execute("DELETE FROM pictures WHERE run = ?", (name,))
                self._base.execute("DELETE FROM runs WHERE run = ?", (name,))
        return len(changed) + len(gone)

    def count(self, query: Query = Query()) -> int:
        """How many pictures fit."""
        where, values = _where(query)
        with self._lock:
            return int(self._base.execute(f"SELECT COUNT(*) {FROM} {where}", values).fetchone()[0])

    def find(self, query: Query = Query(), offset: int = 0, limit: int = 60) -> list[Found]:
        """The pictures that fit, a page of them."""
        where, values = _where(query)
        order = SORTS.get(query.sort, SORTS["newest"])
        columns = "id, run, file, prompt, generator, score, judge, label, words, made, COALESCE(mark, 0)"
        text = f"SELECT {columns} {FROM} {where} ORDER BY COALESCE(mark, 0) = 1 DESC, {order} LIMIT ? OFFSET ?"
        with self._lock:
            rows = self._base.execute(text, (*values, limit, offset)).fetchall()
        return [Found(*row) for row in rows]

    def one(self, number: int) -> Found:
        """A picture by its number. BadInput for none."""
        columns = "id, run, file, prompt, generator, score, judge, label, words, made, COALESCE(mark, 0)"
        with self._lock:
            row = None
            if 0 < number < 2**63:
                row = self._base.execute(f"SELECT {columns} {FROM} WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise BadInput(f"There is no picture {number} in the gallery. Look for it again.")
        return Found(*row)

    def generators(self) -> list[str]:
        """The generators of all pictures."""
        with self._lock:
            return [row[0] for row in self._base.execute("SELECT DISTINCT generator FROM pictures ORDER BY generator")]

    def unfinished(self) -> list[str]:
        """Runs that were interrupted and can go on, newest first."""
        return self._in_state("unfinished")

    def bred(self) -> list[str]:
        """Breedings by hand, newest first."""
        return self._in_state("bred")

    def _in_state(self, state: str) -> list[str]:
        with self._lock:
            rows = self._base.execute("SELECT run FROM runs WHERE state = ? ORDER BY run DESC", (state,))
            return [row[0] for row in rows]

    def mark(self, number: int, mark: int) -> None:
        """A star (1), a rejection (-1) or neither (0)."""
        found = self.one(number)
        with self._lock, self._base:
            self._base.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (found.run, found.file, mark))

    def path(self, found: Found) -> Path:
        """The file of a picture."""
        return self.runs / found.run / found.file

    def delete(self, run: str) -> Path:
        """Move a run to the bin; returns where it is now. BadInput for none such."""
        self._known(run)
        make_folder(self.own / BIN)
        place = self.own / BIN / f"{run}.{time.time_ns()}"
        (self.runs / run).rename(place)
        self.refresh()
        return place

    def restore(self, place: Path) -> None:
        """Bring a run back from the bin. BadInput where another one has its name by now."""
        run = place.name.rpartition(".")[0]
        if place.parent != self.own / BIN or not place.is_dir() or (self.runs / run).exists():
            raise BadInput(f"The run cannot come back from the bin; it is in {place}.")
        place.rename(self.runs / run)
        self.refresh()

    def empty_bin(self) -> int:
        """Remove for good what lies in the bin; how many runs that was."""
        places = list((self.own / BIN).iterdir()) if (self.own / BIN).is_dir() else []
        for place in places:
            shutil.rmtree(place)
        return len(places)

    def _known(self, run: str) -> None:
        with self._lock:
            if self._base.execute("SELECT 1 FROM runs WHERE run = ?", (run,)).fetchone() is None:
                raise BadInput(f"There is no run {run[:80]!r} in the gallery.")


def _where(query: Query) -> tuple[str, tuple[Any, ...]]:
    terms: list[str] = []
    values: list[Any] = []
    for word in query.text.split()[:20]:
        like = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        terms.append("(prompt LIKE ? ESCAPE '\\' OR label LIKE ? ESCAPE '\\' OR words LIKE ? ESCAPE '\\')")
        values += [like] * 3
    for column, value in (("generator = ?", query.generator or None), ("score >= ?", query.lowest)):
        if value is not None:
            terms.append(column)
            values.append(value)
    if query.days is not None:
        terms.append("made >= ?")
        values.append(time.time() - 86_400 * query.days)
    terms.append("COALESCE(mark, 0) = 1" if query.starred else "COALESCE(mark, 0) >= 0" if not query.rejected else "1")
    return f"WHERE {' AND '.join(terms)}", tuple(values)


def _folders(runs: Path) -> Iterator[Path]:
    """Folders of runs and of breedings by hand, no links."""
    with contextlib.suppress(OSError):
        for path in sorted(runs.iterdir())[:MOST_RUNS]:
            if path.is_symlink() or path.name.startswith("."):
                continue
            if (path / "run.json").is_file() or (path / journal.NAME).is_file():
                yield path


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
