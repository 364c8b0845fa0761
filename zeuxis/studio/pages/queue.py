"""What runs, what waits and what has ended; earlier, later, to the front, cancel, again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from zeuxis.config import make_config
from zeuxis.errors import ZeuxisError
from zeuxis.prompts.auto import settled_lengths
from zeuxis.report.commands import folder_command, next_limits
from zeuxis.run.folder import RunFolder
from zeuxis.studio.pace import in_words
from zeuxis.studio.pages.common import (
    GO_ON,
    LONGER,
    Tag,
    button,
    code_line,
    enable,
    named_dialog,
    page,
    relabel,
    say,
    show,
    tried,
)
from zeuxis.studio.plots import progress
from zeuxis.studio.queue_file import Item
from zeuxis.studio.state import Studio
from zeuxis.studio.status import moment

PERIOD = 0.5  # seconds
SHOWN = 50  # entries that have ended
STATES = {
    "waiting": ("waits", ""), "running": ("runs", "warn"), "done": ("done", "good"), "stopped": ("stopped", "warn"),
    "failed": ("not done", "bad"), "cancelled": ("cancelled", ""),
}  # fmt: skip


def queue_page(studio: Studio) -> None:
    """Everything on the page, and the timer that keeps it up to date."""
    with page("/queue", "queue"):
        Line(studio)


class Line:
    """One tab's view of the queue."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.queue, self._seen, self._moved = studio, studio.queue, -1, ""
        self._told: Callable[[], None] = lambda: None
        Tag("h1", "Queue", "zx-h")
        self.line = Tag("p", "", "zx-line zx-soft", role="status", aria_live="polite")
        self.note = Tag("p", "", "zx-note", role="alert")
        with Tag("div", "", "zx-bar"):
            Tag("a", "Add a search", "zx-btn main", href="/")
            Tag("a", "Add a plot", "zx-btn", href="/plots")
            self.pause = button("Pause", self._pause, "", "p", aria_pressed="false")
            self.cancel = button("Cancel all that wait", lambda: tried(self.queue.cancel_all))
        self.ahead = Tag("ol", "", "zx-rows", aria_label="What runs and waits")
        self.empty = Tag(
            "p", "Nothing waits. Shift+Enter on the search page, or “Add to the queue”, puts a search here.", "zx-empty"
        )
        with Tag("section", aria_label="What has ended") as self.past:
            with Tag("div", "", "zx-bar"):
                Tag("h2", "Ended", "zx-h", style="margin:0")
                button("Clear this list", lambda: tried(self.queue.forget))
            self.over = Tag("ol", "", "zx-rows", aria_label="What has ended")
        self.dialogs = Tag("div")  # not in a row, which is drawn anew
        self._tick()
        ui.timer(PERIOD, self._tick)

    def _tick(self) -> None:
        queue = self.queue
        if queue.version != self._seen:
            self._seen = queue.version
            self._draw()
        said = [*queue.notes, *([self.studio.runner.error] if self.studio.runner.error else [])]
        self.note.set_text(" ".join(said))
        show(self.note, bool(said))
        self._told()

    def _draw(self) -> None:
        """All rows anew; rows.js puts the focus back to where it was."""
        ahead, over, self._told = self.queue.ahead(), self.queue.over(), lambda: None
        waiting = [item for item in ahead if item.state == "waiting"]
        self.ahead.clear()
        self.over.clear()
        with self.ahead:
            for item in ahead:
                self._row(item, waiting.index(item) + 1 if item in waiting else 0, len(waiting))
        with self.over:
            for item in over[:SHOWN]:
                self._row(item, 0, 0)
        runs = "1 running" if len(ahead) > len(waiting) else "nothing running"
        paused = "; the queue is paused" if self.queue.paused else ""
        self.line.set_text(f"{runs}, {len(waiting)} waiting{paused}.".capitalize())
        show(self.empty, not ahead)
        show(self.past, bool(over))
        enable(self.cancel, bool(waiting))
        relabel(self.pause, "Go on" if self.queue.paused else "Pause")
        self.pause.props["aria-pressed"] = "true" if self.queue.paused else "false"

    def _row(self, item: Item, place: int, waiting: int) -> None:
        now, (state, kind) = item.state == "running", STATES[item.state]
        label = f"{item.title[:200]}, {state}{f', place {place} of {waiting}' if place else ''}"
        with Tag("li", "", f"zx-item {'now' if now else ''}", id=f"item-{item.id}", tabindex="0", aria_label=label):
            with Tag("div", "", "pic"):
                self._picture(item, place)
            with Tag("div"):
                with Tag("p", "", "what"):
                    Tag("span", state, f"zx-state {kind}")
                    Tag("span", item.title[:300])
                about = Tag("p", _about(self.studio, item), "how zx-soft")
                if now:
                    bar = Tag("progress", max="1", aria_label="Progress")
                    self._told = partial(self._tell, item, about, bar)
            with Tag("div", "", "acts"):
                self._buttons(item, place, waiting)

    def _picture(self, item: Item, place: int) -> None:
        if item.state == "running" and item.kind == "search":
            self.best = Tag("img", "", alt="The best so far")
            show(self.best, False)
        elif item.folder and item.state in ("done", "stopped"):
            Tag("img", "", src=f"/queued/{item.id}.jpg", alt="The best picture", loading="lazy")
        else:
            Tag("span", str(place) if place else "·", aria_hidden="true")

    def _buttons(self, item: Item, place: int, waiting: int) -> None:
        title = item.title[:80]
        if item.state == "waiting":
            for act, sign, about, by in (("up", "↑", "Earlier", -1), ("down", "↓", "Later", 1)):
                made = button(sign, partial(self._move, item.id, by), "round", data_act=act)
                made.props["aria-label"] = f"{about}: {title}"
                enable(made, place > 1 if by < 0 else place < waiting)
            if place > 1:
                first = partial(self._move, item.id, -waiting)
                button("To the front", first, data_act="front", aria_label=f"To the front: {title}")
        if item.state in ("waiting", "running"):
            said = "Cancel" if item.state == "waiting" else "Stop"
            button(said, partial(self._end, item.id), data_act="cancel", aria_label=f"{said}: {title}")
        elif item.state != "done":
            button("Again", partial(self._again, item.id), data_act="again", aria_label=f"Again: {title}")
        if item.kind == "plot":
            address = f"/plots?show={item.folder}"
            Tag("a", "Open", "zx-btn", href=address, data_act="open", aria_label=f"Open: {title}")
        elif item.state == "running":
            Tag("a", "Watch", "zx-btn", href="/", data_act="open", aria_label=f"Watch: {title}")
        elif item.state in ("done", "stopped"):
            button("Open", partial(self._open, item), data_act="open", aria_label=f"Open: {title}")

    def _tell(self, item: Item, about: Tag, bar: Tag) -> None:
        """How far the running one is."""
        share, said = _progress(self.studio, item)
        text = " · ".join([_about(self.studio, item), *said])
        if text != about.text:
            about.set_text(text)
            bar.props["value"] = f"{share:.3f}"
            if item.kind == "search" and self.studio.live.status.frame is not None:
                show(self.best, True)
                self.best.props["src"] = f"/live/best/{self.studio.live.status.version}.jpg"

    def _pause(self) -> None:
        tried(self.queue.pause, not self.queue.paused)
        self._tick()

    def _move(self, number: str, by: int) -> None:
        tried(self.queue.move, number, by)
        self._tick()

    def _end(self, number: str) -> None:
        tried(self.studio.runner.stop, number)
        self._tick()

    def _again(self, number: str) -> None:
        tried(self.queue.again, number)
        self._tick()

    def _open(self, item: Item) -> None:
        found = tried(_Ended, self.studio, item)
        if found is None:
            return
        with (
            self.dialogs,
            named_dialog("A search that has ended") as dialog,
            Tag("div", "", "zx-dialog zx-open"),
        ):
            with Tag("div"):
                Tag("img", "", "zx-big", src=f"/queued/{item.id}.jpg", alt=item.title[:100])
            with Tag("div", "", "zx-stack"):
                Tag("h2", item.title[:300], "zx-h")
                Tag("p", found.said)
                Tag("p", item.said, "zx-soft")
                Tag("p", f"Its folder: {found.folder.path}", "zx-soft")
                code_line(folder_command("replay", found.folder.best_image))
                with Tag("div", "", "zx-bar"):
                    if found.limits is not None:
                        button(LONGER if found.limits else GO_ON, partial(self._longer, found, dialog), "main")
                    button("Close", dialog.close)
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _longer(self, found: _Ended, dialog: Any) -> None:
        dialog.close()
        tried(partial(self.studio.live.resume, found.folder.path, **(found.limits or {})))
        if self.studio.live.status.busy:
            ui.navigate.to("/")
        else:
            say("The search could not go on.", "warning")


class _Ended:
    """A run that has ended, in a sentence. RunError where its folder is no longer what it was."""

    def __init__(self, studio: Studio, item: Item) -> None:
        self.folder = RunFolder(item.place(studio.runs))
        self.limits = next_limits(self.folder)
        summary = self.folder.summary()
        best, judge = summary["best"], summary["judge"]
        said = [f"Best score {best['score']:.3f} in generation {best['generation']}", f"{summary['images']:,} images"]
        said += [f"judge {judge['best']:.0%}"] if judge and judge.get("best") is not None else []
        self.said = ", ".join(said) + "."


def _about(studio: Studio, item: Item) -> str:
    """What it is, in a line."""
    ended = "" if item.ended is None else moment(item.ended)
    if item.kind == "plot":
        said = ["plot over options", ended]
    else:
        said = ["search"]
        with contextlib.suppress(ZeuxisError):  # fields of a stranger, or of another version
            config = settled_lengths(make_config(**item.fields))
            said = [config.search, f"{config.generations:,} generations", f"population {config.population}"]
            said += [config.generator] if config.generator != "auto" else []
        said += [ended]
    words = item.said if item.state in ("failed", "waiting") else ""
    return " · ".join(filter(None, [*said, words]))


def _progress(studio: Studio, item: Item) -> tuple[float, list[str]]:
    """The share that is done, and more in words."""
    if item.kind == "plot":
        with contextlib.suppress(ZeuxisError):
            plot, results = studio.plots.known(item.folder)
            share = progress(plot, results)
            passed = time.monotonic() - studio.plots.started
            left = [f"{in_words(passed / share * (1 - share))} left"] if 0.02 < share < 1 and passed > 3 else []
            return share, [f"{plot.ended(results)} of {plot.count} runs", *left]
        return 0.0, []
    status = studio.live.status
    wanted = max(1, status.wanted + 1)
    share = min(1.0, status.generations / wanted)
    said = [f"generation {max(0, status.generations - 1)} of {status.wanted}"]
    said += [f"best score {status.points[-1].best:.3f}"] if status.points else []
    rate = studio.live.rate()
    said += [f"{in_words((wanted - status.generations) / rate)} left"] if rate and status.state == "running" else []
    return share, said
