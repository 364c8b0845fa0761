"""The index of the gallery in SQLite: which pictures there are, what is known of them, and what fits a query.

It is made of the run folders and can be thrown away, but for the table of marks. A query is answered by the numbers of
all pictures that fit, in order; a page then asks for those that it shows. So the order stays as it is while a person
looks at it, and no page has to be counted up to.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeuxis.errors import BadInput
from zeuxis.studio.index_file import close_base, open_base

VERSION = 2  # of the tables; those of another one are made anew
SORTS = {
    "newest": "made DESC, run, place",
    "oldest": "made, run, place",
    "score": "score DESC NULLS LAST, id",
    "judge": "judge DESC NULLS LAST, id",
}
SCHEMA = f"""
CREATE TABLE pictures (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, file TEXT NOT NULL, place INTEGER NOT NULL,
  prompt TEXT NOT NULL, generator TEXT NOT NULL, score REAL, judge REAL, label TEXT NOT NULL, words TEXT NOT NULL,
  made REAL NOT NULL, mark INTEGER NOT NULL DEFAULT 0, UNIQUE (run, file));
CREATE TABLE runs (run TEXT PRIMARY KEY, stamp TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (run TEXT NOT NULL, file TEXT NOT NULL, mark INTEGER NOT NULL, UNIQUE (run, file));
CREATE INDEX by_newest ON pictures (mark = 1 DESC, made DESC, run, place, mark);
CREATE INDEX by_oldest ON pictures (mark = 1 DESC, made, run, place, mark);
CREATE INDEX by_score ON pictures (mark = 1 DESC, score DESC, id, mark);
CREATE INDEX by_judge ON pictures (mark = 1 DESC, judge DESC, id, mark);
CREATE INDEX by_generator ON pictures (generator);
PRAGMA user_version = {VERSION};
"""
COLUMNS = "id, run, file, prompt, generator, score, judge, label, words, made, mark"
AT_ONCE = 500  # pictures that one statement names


@dataclass(frozen=True)
class Found:
    """A picture of the gallery. `mark` is 1 with a star, -1 rejected, 0 neither; `judge` what the judge gives it.

    `made` is when its run ended, in seconds since 1970.
    """

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
    """What is looked for: words in prompts and labels, a generator, least score and least judge, dates, marks.

    `since` and `until` are days as YYYY-MM-DD, both included. `rejected` finds those that were rejected too.
    """

    text: str = ""
    generator: str = ""
    lowest: float | None = None
    judged: float | None = None
    since: str = ""
    until: str = ""
    starred: bool = False
    rejected: bool = False
    sort: str = "newest"


class Index:
    """The tables. Safe to use from several threads. `version` rises with every run that comes, changes or goes."""

    def __init__(self, path: Path, say: Callable[[str], object] = lambda sentence: None) -> None:
        self.version = 0
        self._lock, self._path = threading.RLock(), path
        self._base = open_base(path, SCHEMA, VERSION, say)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            close_base(self._base, self._path)

    def stamps(self) -> dict[str, str]:
        """Of all runs that are in here the stamp with which they were put."""
        with self._lock:
            return dict(self._base.execute("SELECT run, stamp FROM runs"))

    def put(self, run: str, stamp: str, state: str, rows: Iterable[Sequence[Any]]) -> None:
        """A run with its pictures, in place of what was known of it; rows are `COLUMNS` from `run` on, with the place
        in the run after `file`, and without `mark`. Pictures that were known keep their numbers.
        """
        rows = list(rows)
        names = ("run", "file", "place", "prompt", "generator", "score", "judge", "label", "words", "made")
        new = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
        with self._lock, self._base:
            gone = self.files(run) - {row[1] for row in rows}
            self._base.executemany("DELETE FROM pictures WHERE run = ? AND file = ?", [(run, file) for file in gone])
            self._base.executemany(
                f"INSERT INTO pictures ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
                f"ON CONFLICT (run, file) DO UPDATE SET {new}",
                rows,
            )
            marked = "SELECT mark FROM marks WHERE marks.run = pictures.run AND marks.file = pictures.file"
            self._base.execute(f"UPDATE pictures SET mark = COALESCE(({marked}), 0) WHERE run = ?", (run,))
            self._base.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (run, stamp, state))
            self.version += 1

    def files(self, run: str) -> set[str]:
        """The pictures of a run that are in here."""
        with self._lock:
            return {row[0] for row in self._base.execute("SELECT file FROM pictures WHERE run = ?", (run,))}

    def drop(self, run: str) -> None:
        """A run is gone."""
        with self._lock, self._base:
            self._base.execute("DELETE FROM pictures WHERE run = ?", (run,))
            self._base.execute("DELETE FROM runs WHERE run = ?", (run,))
            self.version += 1

    def numbers(self, query: Query = Query()) -> array[int]:
        """The numbers of all pictures that fit, in order: those with a star first."""
        where, values = _where(query)
        order = SORTS.get(query.sort, SORTS["newest"])
        with self._lock:
            rows = self._base.execute(f"SELECT id FROM pictures {where} ORDER BY mark = 1 DESC, {order}", values)
            return array("q", [row[0] for row in rows])

    def some(self, numbers: Sequence[int]) -> list[Found]:
        """The pictures of these numbers, in their order; those that are gone are left out."""
        found: dict[int, Found] = {}
        for start in range(0, len(numbers), AT_ONCE):
            piece = list(numbers[start : start + AT_ONCE])
            text = f"SELECT {COLUMNS} FROM pictures WHERE id IN ({', '.join('?' * len(piece))})"
            with self._lock:
                found |= {row[0]: Found(*row) for row in self._base.execute(text, piece)}
        return [found[number] for number in numbers if number in found]

    def count(self, query: Query = Query()) -> int:
        """How many pictures fit."""
        return len(self.numbers(query))

    def find(self, query: Query = Query(), offset: int = 0, limit: int = 60) -> list[Found]:
        """The pictures that fit, `limit` of them from `offset` on."""
        return self.some(self.numbers(query)[offset : offset + limit])

    def one(self, number: int) -> Found:
        """A picture by its number. BadInput for none."""
        found = self.some([number]) if 0 < number < 2**63 else []
        if not found:
            raise BadInput(f"There is no picture {number} in the gallery. Look for it again.")
        return found[0]

    def mark(self, number: int, mark: int) -> None:
        """A star (1), a rejection (-1) or neither (0)."""
        found = self.one(number)
        with self._lock, self._base:
            self._base.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (found.run, found.file, mark))
            self._base.execute("UPDATE pictures SET mark = ? WHERE id = ?", (mark, number))

    def generators(self) -> list[str]:
        """The generators of all pictures."""
        with self._lock:
            return [row[0] for row in self._base.execute("SELECT DISTINCT generator FROM pictures ORDER BY generator")]

    def in_state(self, state: str) -> list[str]:
        """The runs that are "unfinished", "bred" by hand, "done" or "damaged", newest first."""
        with self._lock:
            rows = self._base.execute("SELECT run FROM runs WHERE state = ? ORDER BY run DESC", (state,))
            return [row[0] for row in rows]


def _where(query: Query) -> tuple[str, tuple[Any, ...]]:
    terms: list[str] = []
    values: list[Any] = []
    for word in query.text.split()[:20]:
        like = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        terms.append("(prompt LIKE ? ESCAPE '\\' OR label LIKE ? ESCAPE '\\' OR words LIKE ? ESCAPE '\\')")
        values += [like] * 3
    bounds = (
        ("generator = ?", query.generator or None),
        ("score >= ?", query.lowest),
        ("judge >= ?", query.judged),
        ("made >= ?", _day(query.since)),
        ("made < ?", _day(query.until, 1)),
    )
    for term, value in bounds:
        if value is not None:
            terms.append(term)
            values.append(value)
    if query.starred:
        terms.append("mark = 1")
    elif not query.rejected:
        terms.append("mark >= 0")
    return f"WHERE {' AND '.join(terms)}" if terms else "", tuple(values)


def _day(text: str, later: int = 0) -> float | None:
    """When a day begins here, or so many days later; None for what is no day."""
    try:
        day = time.strptime(text, "%Y-%m-%d")
        return time.mktime((day.tm_year, day.tm_mon, day.tm_mday + later, 0, 0, 0, 0, 0, -1))
    except (ValueError, OverflowError):
        return None
