"""The file of the queue: a line that says how many follow and whether the queue is paused, and a line for each item.

Each line carries its checksum, so that a damaged one loses no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.errors import RunDamaged
from zeuxis.storage.checksummed import checked_line, verified_line
from zeuxis.storage.marks import mark, marked

MOST_LINES = 2000  # of a file: the queue itself writes no longer ones
KEY = "queue"  # what its lines are told from those of other files by
State = Literal["waiting", "running", "done", "stopped", "failed", "cancelled"]


class Item(BaseModel):
    """One search or plot. `fields` are those of a search's RunConfig; `folder` is its name below the runs, once it has
    begun. `mark` shows that this user has put it into the queue, with the files that it names by path.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    kind: Literal["search", "plot"]
    title: Annotated[str, Field(max_length=4000)]
    fields: dict[str, Any] = Field(default_factory=dict, max_length=200)
    folder: Annotated[str, Field(max_length=255, pattern=r"^([^./\\\x00][^/\\\x00]*)?$")] = ""
    state: State = "waiting"
    said: Annotated[str, Field(max_length=2000)] = ""
    added: float = 0.0
    ended: float | None = None
    mark: Annotated[str, Field(max_length=200)] = ""

    @property
    def own(self) -> bool:
        """Whether this user has put it there on this computer; else it begins when he says so, and reads no files."""
        return marked(_words(self.kind, self.fields, self.folder), self.mark)

    def place(self, runs: Path) -> Path:
        """Its folder. RunDamaged for a link: a queue may be a stranger's, and so is what lies beside it."""
        found = runs / self.folder
        try:
            linked = found.is_symlink()
        except OSError as error:  # a name that is too long for this disk
            raise RunDamaged(f"The folder of this entry cannot be used: {error.strerror}. Cancel it.") from error
        if linked:
            raise RunDamaged(f"{found} is a link, which is not followed. Move it away, or restore the folder.")
        return found


def write_items(items: Sequence[Item], paused: bool) -> bytes:
    """The whole of a file."""
    head = {"format": 1, "items": len(items), "paused": paused}
    lines = [checked_line(content, KEY) for content in (head, *(item.model_dump() for item in items))]
    return "".join(f"{line}\n" for line in lines).encode()


def mark_item(kind: str, fields: Mapping[str, Any], folder: str = "") -> str:
    """The mark of an entry that the user of this process has made."""
    return mark(_words(kind, fields, folder))


def _words(kind: str, fields: Mapping[str, Any], folder: str) -> list[str]:
    return ["queue", kind, json.dumps(fields, sort_keys=True), folder if kind == "plot" else ""]


def read_items(data: bytes) -> tuple[list[Item], int, bool]:
    """The items of a file, how many lines of it are damaged or missing, and whether the queue is paused."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    head, items, bad = {}, [], max(0, len(lines) - MOST_LINES)
    for number, line in enumerate(lines[:MOST_LINES]):
        try:
            content, checked = verified_line(line, KEY)
            if not checked:
                raise ValueError("it has no checksum")
            if number == 0 and type(content.get("items")) is int:
                head = content
            else:
                items.append(Item.model_validate(content))
        except (ValueError, ValidationError):
            bad += 1
    expected = min(int(head["items"]), MOST_LINES) if head else max(0, len(lines) - 1)
    unique = {item.id: item for item in items}
    lost = max(bad, expected - len(unique)) if head else max(1, bad)
    return list(unique.values()), lost, bool(head.get("paused"))
