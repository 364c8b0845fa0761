"""A study's folder: evaluation.json, a line of cells.jsonl for each cell that is done, and runs/ with ordinary runs.

Each file and each line carries a checksum and says of which study it is. A line that is not as it was written is left
out, and its cell is done again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zeuxis import __version__
from zeuxis.compute.device import choose_device, machine, software
from zeuxis.errors import BadInput
from zeuxis.experiments.records import append_checked
from zeuxis.storage.checksummed import MAX_JSON, Header, checksummed_json, damaged, verified_json_bytes, verified_line
from zeuxis.storage.files import atomic_write, make_folder, unfinished
from zeuxis.storage.lock import RunLock
from zeuxis.storage.places import check_folder_place
from zeuxis.storage.reading import MOST_LOG, check_folder, read_plain
from zeuxis.studies.settings import Settings

FORMAT = 1
FILES = ("evaluation.json", "cells.jsonl", "lock", "report.html")
Cell = tuple[str, ...]
Row = dict[str, Any]
Say = Callable[[str], object]


class StudyFolder:
    """Reads and writes one study; `say` hears what was damaged and made good. Locked from `open` to `close`."""

    def __init__(self, path: str | Path, say: Say = lambda sentence: None) -> None:
        self.path, self.say = Path(path), say
        self.record_path, self.cells_path = self.path / "evaluation.json", self.path / "cells.jsonl"
        self.bred: set[Cell] = set()  # cells whose run was found finished by this process
        self._lock: RunLock | None = None

    def finished(self, settings: Settings) -> Header | None:
        """The record of this very study where the folder holds it finished, with its page; None where it does not.

        BadInput where the folder holds something else, RunUnwritable where none can be, RunDamaged where what it holds
        is not as it was written.
        """
        check_folder_place(self.path, own="evaluation.json")
        if self.path.is_dir():
            check_folder(self.path, ("runs",), FILES)
        if not self.record_path.is_file():
            if self.path.is_dir() and not all(_ours(entry) for entry in self.path.iterdir()):
                raise BadInput(
                    f"Expected a new or empty folder or an evaluation, but {self.path} holds something else."
                )
            return None
        known = self.record()
        self._check_same(known, settings)
        same = known["settings"] == settings.model_dump(mode="json")
        there = (self.path / "report.html").exists()
        return known if known["finished"] and same and there else None

    def open(self, settings: Settings) -> None:
        """Lock the folder and write what is to be done. RunLocked while another process works in it."""
        make_folder(self.path)
        self._lock = RunLock(self.path, "give another --out")
        self._settings = settings
        try:
            self.finished(settings)  # what came meanwhile
            self._write({"finished": False, "results": None})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the next one in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def record(self) -> Header:
        """evaluation.json. RunDamaged where this version did not write it."""
        content = verified_json_bytes(read_plain(self.record_path, MAX_JSON), self.record_path)
        types = {"settings": dict, "finished": bool, "evaluation": str, "command": str}
        if content.get("format") != FORMAT or not all(isinstance(content.get(k), t) for k, t in types.items()):
            raise damaged(self.record_path, "it is no evaluation that this version wrote")
        if content["finished"] and not _is_results(content.get("results")):
            raise damaged(self.record_path, "its results are none that this version wrote")
        return content

    def cells(self) -> dict[Cell, Row]:
        """Cells that are done. Damaged lines are counted and said."""
        data = read_plain(self.cells_path, MOST_LOG) if self.cells_path.exists() else b""
        found: dict[Cell, Row] = {}
        lost = 0
        for line in filter(bytes.strip, data.split(b"\n")):
            try:
                row, checked = verified_line(line, self._settings.key)
                if not checked:
                    raise ValueError("no checksum")
                found[tuple(map(str, row.pop("cell")))] = row
            except (ValueError, KeyError, TypeError):
                lost += 1
        if lost:
            self.say(f"{lost} lines of {self.cells_path.name} are damaged or broken off; their cells are done again.")
        return found

    def append(self, cell: Cell, row: Row) -> None:
        """One more cell that is done."""
        append_checked(self.cells_path, {"cell": list(cell), **row}, key=self._settings.key)

    def run_place(self, cell: Cell) -> Path:
        """Where the run of a cell lies: runs/A/B/C, in letters that every file system has. No link leads there."""
        place = self.path / "runs"
        for part in ("", *map(_slug, cell)):
            place = place / part if part else place
            if place.is_symlink():
                raise damaged(place, "it is a link, which is not followed")
        return place

    def finish(self, results: Mapping[str, Any]) -> Header:
        """The results into evaluation.json, which says now that all is done."""
        self._write({"finished": True, "results": dict(results)})
        return self.record()

    def _write(self, more: Header) -> None:
        s = self._settings
        content: Header = {
            "format": FORMAT,
            "evaluation": s.kind,
            "command": s.command(self.path),
            "zeuxis": __version__,
        }
        content |= {"contents": s.contents}
        content |= {"software": software(), "machine": machine(choose_device(s.device)), "seeds": s.seeds}
        atomic_write(self.record_path, checksummed_json(content | {"settings": s.model_dump(mode="json")} | more))

    def _check_same(self, known: Header, settings: Settings) -> None:
        if known["evaluation"] != settings.kind:
            raise BadInput(
                f"{self.path} holds the evaluation {known['evaluation'][:40]!r}, not {settings.kind!r}. Give another "
                "--out."
            )
        try:
            then = type(settings).model_validate_json(json.dumps(known["settings"]))
        except (ValidationError, ValueError, RecursionError) as error:
            raise damaged(self.record_path, "this version cannot read its settings") from error
        for name, value in settings:
            before = getattr(then, name)
            if value != before and name not in settings.free:
                raise BadInput(
                    f"{self.path} holds an evaluation with {name} = {before!r:.80}, got {value!r:.80}. Give another "
                    "--out, or the same settings."
                )
        before, now = known.get("contents", {}), settings.contents
        changed = [name for name in now if name in before and now[name] != before[name]]
        if changed:
            raise BadInput(
                f"{self.path} holds an evaluation of other {changed[0]} than {getattr(settings, changed[0])} lists "
                "now. Give another --out, or bring the file back."
            )


def _ours(entry: Path) -> bool:
    """What a study leaves that was killed before its first file was whole."""
    return entry.name == "lock" or unfinished(entry.name)


def _is_results(found: Any) -> bool:
    """Whether there are tables to print: {"tables": [{"title", "columns", "rows"}]}."""
    tables = found.get("tables") if isinstance(found, dict) else None
    return isinstance(tables, list) and all(
        isinstance(t, dict)
        and all(isinstance(t.get(name), str) for name in ("title", "words", "file"))
        and all(isinstance(t.get(name), list) for name in ("columns", "rows"))
        and all(isinstance(row, list) for row in t["rows"])
        for t in tables
    )


def _slug(text: str) -> str:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in text.lower()).strip("-.")[:40]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
