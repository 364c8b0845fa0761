"""The queue: searches and plots that wait for one another, in a file of checked lines that outlives the studio.

The file is written as a whole, so a kill leaves the old one or the new one. A line that is damaged is left out and
said, and the file as it was is kept beside the new one.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput, RunDamaged, RunLocked, ZeuxisError
from zeuxis.storage.files import atomic_write, guard, make_folder
from zeuxis.storage.lock import RunLock
from zeuxis.storage.reading import read_plain
from zeuxis.studio.queue_file import KEY, Item, mark_item, read_items, write_items

NAME = "queue.jsonl"
LARGEST = 2**26  # bytes
MOST_WAITING, MOST_ENDED = 1000, 200
AHEAD = ("waiting", "running")
CANCELLED = "Cancelled before it began."


class Queue:
    """The items in their order, those that have ended among them. Safe to use from several threads.

    `version` rises with every change; `notes` are for the user. While another process holds the queue of the same
    folder, this one only shows it: changes are refused with RunLocked.
    """

    def __init__(self, own: Path) -> None:
        self.folder = own / KEY
        self.path = self.folder / NAME
        self.items: tuple[Item, ...] = ()
        self.paused = False
        self.notes: list[str] = []
        self.version = 0
        self.changed = threading.Condition(threading.RLock())
        self._held: RunLock | None = None
        make_folder(self.folder)
        guard(own, [KEY])
        try:
            self._held = RunLock(self.folder, "use another folder with --runs")
        except RunLocked as error:
            self._refused: ZeuxisError = error
            self.notes.append(f"This queue belongs to another studio: {error}")
        with self.changed:
            self._read()

    @property
    def ours(self) -> bool:
        """Whether this process carries the queue out."""
        return self._held is not None

    def check_ours(self) -> None:
        """RunLocked, or what else is wrong, where the queue cannot be changed here."""
        if not self.ours:
            raise self._refused

    def close(self) -> None:
        """Let the next studio in."""
        if self._held is not None:
            self._held.release()
            self._held = None
            self._refused = BadInput("The studio is closed.")

    def add(self, config: RunConfig, title: str, *, front: bool = False) -> Item:
        """One more search, behind the others or before them."""
        fields = config.model_dump(mode="json", exclude_unset=True)
        return self._put(Item(**_new("search", title), fields=fields, mark=mark_item("search", fields)), front)

    def add_plot(self, folder: str, title: str, *, front: bool = False) -> Item:
        """A plot whose folder is there already; one that waits already is not added twice."""
        known = next((item for item in self.ahead() if item.kind == "plot" and item.folder == folder), None)
        return known or self._put(Item(**_new("plot", title), folder=folder, mark=mark_item("plot", {}, folder)), front)

    def one(self, number: str) -> Item:
        """An item by its id. BadInput for none such."""
        for item in self.items:
            if item.id == number:
                return item
        raise BadInput("That entry is not in the queue any more.")

    def ahead(self) -> list[Item]:
        """What runs and what waits, in order."""
        return [item for item in self.items if item.state in AHEAD]

    def over(self) -> list[Item]:
        """What has ended, the newest first."""
        return _ended(self.items)

    def next(self) -> Item | None:
        """The item to carry out now; None while the queue is paused or empty, or not ours."""
        with self.changed:
            waiting = [item for item in self.items if item.state == "waiting"]
            return waiting[0] if waiting and self.ours and not self.paused else None

    def change(self, number: str, **changes: Any) -> Item:
        """Another state, folder or reason for an item."""
        with self.changed:
            item = self.one(number)
            if changes.get("state", "waiting") not in AHEAD:
                changes.setdefault("ended", time.time())
            new = item.model_copy(update={**changes, "said": str(changes.get("said", item.said))[:2000]})
            self._write(tuple(new if other.id == number else other for other in self.items))
            return new

    def move(self, number: str, by: int) -> None:
        """A waiting item so many places back (or forward, below 0) among those that wait."""
        with self.changed:
            item = self._waiting(number)
            waiting = [other for other in self.items if other.state == "waiting"]
            at = waiting.index(item)
            to = max(0, min(len(waiting) - 1, at + by))
            if to != at:
                waiting.insert(to, waiting.pop(at))
                self._order(waiting)

    def cancel(self, number: str) -> None:
        """A waiting item is not carried out; `again` takes that back."""
        with self.changed:
            self._waiting(number)
            self.change(number, state="cancelled", said=CANCELLED)

    def cancel_all(self) -> int:
        """The same for all that wait; how many they were."""
        with self.changed:
            over = {"state": "cancelled", "said": CANCELLED, "ended": time.time()}
            waiting = [item.id for item in self.items if item.state == "waiting"]
            self._write(tuple(i.model_copy(update=over) if i.id in waiting else i for i in self.items))
            return len(waiting)

    def again(self, number: str) -> None:
        """An item that was cancelled, stopped or has failed waits once more, last; it goes on where it was."""
        with self.changed:
            item = self.one(number)
            if item.state in ("stopped", "failed", "cancelled"):
                rest = [other for other in self.items if other.id != number]
                self._write((*rest, item.model_copy(update={"state": "waiting", "said": "", "ended": None})))

    def forget(self) -> int:
        """Take what has ended off the list; runs stay where they are. How many that was."""
        with self.changed:
            ended = len(self.over())
            self._write(tuple(self.ahead()))
            return ended

    def pause(self, on: bool) -> None:
        """Begin nothing more, or go on; what runs is not stopped."""
        with self.changed:
            before, self.paused = self.paused, on
            try:
                self._write(self.items)
            except ZeuxisError:
                self.paused = before
                raise

    def _put(self, item: Item, front: bool) -> Item:
        with self.changed:
            waiting = [other for other in self.items if other.state == "waiting"]
            if len(waiting) >= MOST_WAITING:
                raise BadInput(f"Expected at most {MOST_WAITING:,} entries that wait. Let some of them run first.")
            at = self.items.index(waiting[0]) if front and waiting else len(self.items)
            self._write((*self.items[:at], item, *self.items[at:]))
            return item

    def _waiting(self, number: str) -> Item:
        item = self.one(number)
        if item.state != "waiting":
            raise BadInput(f"Expected an entry that waits, but this one is {item.state}.")
        return item

    def _order(self, waiting: Sequence[Item]) -> None:
        """The waiting items in another order, in the places that they have."""
        rest = iter(waiting)
        self._write(tuple(next(rest) if item.state == "waiting" else item for item in self.items))

    def _write(self, items: tuple[Item, ...]) -> None:
        """On disk first, then in memory."""
        self.check_ours()
        kept = {item.id for item in _ended(items)[:MOST_ENDED]}
        items = tuple(item for item in items if item.state in AHEAD or item.id in kept)
        atomic_write(self.path, write_items(items, self.paused))
        self.items, self.version = items, self.version + 1
        self.changed.notify_all()

    def _read(self) -> None:
        """What was there; an item that ran when the studio ended goes on first. A stranger's does nothing by itself."""
        if not self.path.exists():
            return
        try:
            data = read_plain(self.path, LARGEST)
        except RunDamaged as error:
            self.notes.append(f"The queue cannot be read: {error}")
            self._refused, held = error, self._held
            self._held = None
            if held is not None:
                held.release()
            return
        items, lost, self.paused = read_items(data)
        self.items = tuple(i.model_copy(update={"state": "waiting"}) if i.state == "running" else i for i in items)
        strange = sum(not item.own for item in self.ahead())
        if strange and self.ours:
            self.paused = True
            what = "1 entry was" if strange == 1 else f"{strange:,} entries were"
            self.notes.append(
                f"{what} not put into the queue by you on this computer, so it is paused. Cancel what you do not want; "
                "then let it go on."
            )
        if lost and self.ours:
            aside = self.path.with_name(f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}.jsonl")
            atomic_write(aside, data)
            what = "1 entry was lost" if lost == 1 else f"{lost} entries were lost"
            self.notes.append(f"The queue's file was damaged: {what}, the rest is here; the file is kept as {aside}.")
            self._write(self.items)


def _new(kind: str, title: str) -> dict[str, Any]:
    return {"id": secrets.token_hex(6), "kind": kind, "title": title[:4000], "added": time.time()}


def _ended(items: Sequence[Item]) -> list[Item]:
    """Those that have ended, the newest first."""
    return sorted((item for item in items if item.state not in AHEAD), key=lambda item: -(item.ended or 0.0))
