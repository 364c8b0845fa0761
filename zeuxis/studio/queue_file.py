"""The file of the queue: a line that says how many follow and whether the queue is paused, and a line for each item.

Each line carries its checksum, so that a damaged one loses no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.storage.checksummed import checked_line, verified_line

KEY = "queue"  # what its lines are told from those of other files by
State = Literal["waiting", "running", "done", "stopped", "failed", "cancelled"]


class Item(BaseModel):
    """One search or plot. `fields` are those of a search's RunConfig; `folder` is its name below the runs, once it has
    begun. `mark` shows that files which it names by path were named by this user (zeuxis.run.trust).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    kind: Literal["search", "plot"]
    title: Annotated[str, Field(max_length=4000)]
    fields: dict[str, Any] = Field(default_factory=dict)
    folder: Annotated[str, Field(max_length=255, pattern=r"^([^./\\\x00][^/\\\x00]*)?$")] = ""
    state: State = "waiting"
    said: Annotated[str, Field(max_length=2000)] = ""
    added: float = 0.0
    ended: float | None = None
    mark: Annotated[str, Field(max_length=200)] = ""


def write_items(items: Sequence[Item], paused: bool) -> bytes:
    """The whole of a file."""
    head = {"format": 1, "items": len(items), "paused": paused}
    lines = [checked_line(content, KEY) for content in (head, *(item.model_dump() for item in items))]
    return "".join(f"{line}\n" for line in lines).encode()


def read_items(data: bytes) -> tuple[list[Item], int, bool]:
    """The items of a file, how many lines of it are damaged or missing, and whether the queue is paused."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    head, items, bad = {}, [], 0
    for number, line in enumerate(lines):
        try:
            content, checked = verified_line(line, KEY)
            if not checked:
                raise ValueError("it has no checksum")
            if number == 0 and "items" in content:
                head = content
            else:
                items.append(Item.model_validate(content))
        except (ValueError, ValidationError):
            bad += 1
    expected = int(head["items"]) if head else max(0, len(lines) - 1)
    unique = {item.id: item for item in items}
    lost = max(bad, expected - len(unique)) if head else max(1, bad)
    return list(unique.values()), lost, bool(head.get("paused"))
