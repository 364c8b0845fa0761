"""The first page: a phrase, and the population that is bred for it, live."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from nicegui import ui

from zeuxis.errors import ZeuxisError
from zeuxis.report.commands import next_limits
from zeuxis.run.folder import RunFolder
from zeuxis.studio.pages import common
from zeuxis.studio.pages.common import (
    FORM,
    GO_ON,
    LONGER,
    Tag,
    away,
    button,
    cell,
    code_line,
    enable,
    page,
    relabel,
    say,
    show,
    tried,
)
from zeuxis.studio.pages.form import read_form
from zeuxis.studio.pages.settings import GIVEN, prompt_field, settings_fields
from zeuxis.studio.queue_file import Item
from zeuxis.studio.state import Studio
from zeuxis.studio.status import BUSY, COLUMNS, SHOWN, Point, Status

PERIOD = 0.2  # seconds: at most five updates of a page a second
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 250, 44, 24
STATES = {
    "loading": "Loading models", "running": "Searching", "stopping": "Stopping after this generation",
    "finishing": "Writing pictures and report", "done": "Done", "stopped": "Stopped", "failed": "Not done",
}  # fmt: skip


def search_page(studio: Studio) -> None:
    """Everything on the page, and the timer that keeps it up to date."""
    with page("/", "search"):
        Search(studio)


class Search:
    """The elements of one tab. All tabs show the same run."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.live, self._seen, self._picked, self._queue = studio, studio.live, -1, -1, -1
        Tag("h1", "Search", "zx-heard")
        self._form()
        self.line = Tag("p", "", "zx-line zx-soft", role="status", aria_live="polite")
        self.error = Tag("p", "", "zx-note bad", role="alert")
        self.warning = Tag("p", "", "zx-note", role="alert")
        self.empty = self._empty()
        with Tag("div") as self.shown:
            self._result()
        self._tick()
        ui.timer(PERIOD, self._tick)

    def _form(self) -> None:
        with Tag("form", "", "zx-stack", autocomplete="off", id="ask", novalidate=True) as form:
            with Tag("div", "", "zx-ask"):
                with Tag("div", "", "grow"):
                    prompt_field()
                self.go = Tag("button", "Search", "zx-btn main", type="submit")
                for act, about, front in (("queue", "Add to the queue", False), ("queue-front", "Front", True)):
                    later = Tag("button", about, "zx-btn", type="button", data_act=act)
                    later.on("click", partial(self._later, front=front), js_handler=GIVEN)
                    later.style("display:none" if front else "")  # by its key only
                self.stop = button("Stop", self.live.stop, "", ".")
            settings_fields(self.studio)
        form.on("submit", self._begin, js_handler=FORM)
        self.waiting = Tag("a", "", "zx-soft", href="/queue")
        show(self.waiting, False)

    def _empty(self) -> Tag:
        with Tag("div", "", "zx-empty") as box:
            Tag("p", "A phrase in, a bred population of pictures out", "zx-brand")
            Tag("p", "Type what you want to see and press Enter, or try:")
            common.examples(lambda words: self._begin_with({"prompt": words}))
        return box

    def _result(self) -> None:
        with Tag("div", "", "zx-cols"):
            with Tag("section", "", "zx-card zx-best", aria_label="Best picture"):
                self.best = Tag("img", "", alt="The best picture so far")
                self.words = Tag("p", "", "zx-soft")
            with Tag("section", "", "zx-card", aria_label="Score and judge"):
                with Tag("div", "", "zx-legend"):
                    for name, about in (("", "best score"), ("two", "judge, which the search never hears")):
                        with Tag("span"):
                            Tag("b", "", name)
                            Tag("span", about)
                self.curve = ui.html("", sanitize=False).classes("zx-curve")
                self.later = Tag("p", "The curve begins with the second generation.", "zx-soft")
                self.verdict = Tag("p", "", "zx-soft")
        with Tag("div", "", "zx-bar"):
            self.breed = button("Breed by hand", self._breed, "main", "h")
            self.longer = button(LONGER, self._longer)
            self.tray = Tag("span", "", "zx-soft", aria_live="polite")
        Tag("h2", "Population, best first", "zx-h")
        with Tag("div", "", "zx-sheet", id="sheet", style=f"--columns:{COLUMNS}") as self.sheet:
            self.cells = [self._cell(place) for place in range(SHOWN)]
        self.command, self.set_command = code_line()
        self.notes = Tag("p", "", "zx-soft")

    def _cell(self, place: int) -> Tag:
        x, y = place % COLUMNS / (COLUMNS - 1), place // COLUMNS / (SHOWN // COLUMNS - 1)
        made = cell(aria_label=f"Picture {place + 1} of the population", aria_pressed="false")
        made.style(f"background-position: {100 * x:.4f}% {100 * y:.4f}%")
        made.on("pick", lambda: self._pick(place)).on("open", lambda: self._pick(place))
        show(made, False)
        return made

    def _begin(self, event: Any) -> None:
        self._begin_with({str(k): str(v) for k, v in dict(event.args).items()})

    def _begin_with(self, given: dict[str, str]) -> None:
        if tried(self._started, given):
            self.studio.picked = []
        self._tick()

    def _started(self, given: dict[str, str]) -> bool:
        prompt, fields = read_form(given)
        self.live.start(prompt, **fields)
        return True

    def _later(self, event: Any, front: bool) -> None:
        given = {str(k): str(v) for k, v in dict(event.args).items()}
        item = tried(self._queued, given, front)
        if item is not None:
            ahead = [other.id for other in self.studio.queue.ahead()]
            before = ahead.index(item.id) if item.id in ahead else 0
            say(f"In the queue, {before} before it." if before else "In the queue, first.")
            self._tick()

    def _queued(self, given: dict[str, str], front: bool) -> Item:
        prompt, fields = read_form(given)
        return self.studio.enqueue(prompt, front=front, **fields)

    def _pick(self, place: int) -> None:
        taken = tried(self.studio.pick, place)
        if taken is not None:
            self._tick()

    async def _breed(self) -> None:
        if not self.studio.picked:
            for place in range(4):
                tried(self.studio.pick, place)
        if self.studio.picked and await away(self.studio.breed) is not None:
            ui.navigate.to("/breed")

    def _longer(self) -> None:
        status = self.live.status
        limits = _limits(status)
        if status.folder is not None and limits is not None:
            tried(partial(self.live.resume, status.folder, **limits))

    def _tick(self) -> None:
        status, queue = self.live.status, self.studio.queue
        if queue.version != self._queue:
            self._queue = queue.version
            waiting = sum(item.state == "waiting" for item in queue.items)
            self.waiting.set_text(f"{waiting} waiting in the queue{', which is paused' if queue.paused else ''}")
            show(self.waiting, waiting > 0)
        if status.version != self._seen:
            self._seen = status.version
            self._update(status)
            self._picked = -1
        if len(self.studio.picked) != self._picked:
            self._picked = len(self.studio.picked)
            self._press(status)
            said = f"{self._picked} picked to breed from." if self._picked else "Click pictures to pick them."
            self.tray.set_text(said)

    def _press(self, status: Status) -> None:
        """Mark those pictures of the population that were picked."""
        picked = [latent for _, latent, _ in self.studio.picked]
        latents = () if status.frame is None else status.frame.latents
        for made, latent in zip(self.cells, latents, strict=False):
            pressed = "true" if any(torch.equal(latent, one) for one in picked) else "false"
            if made.props["aria-pressed"] != pressed:
                made.props["aria-pressed"] = pressed

    def _update(self, status: Status) -> None:
        frame, some = status.frame, status.state != "idle"
        show(self.empty, not some)
        show(self.shown, some and frame is not None)
        enable(self.go, not status.busy)
        show(self.stop, status.state in ("loading", "running", "stopping"))
        enable(self.stop, status.state in ("loading", "running"))
        self.line.set_text(_line(status))
        for element, text in ((self.error, status.error), (self.warning, status.warning)):
            element.set_text(text)
            show(element, bool(text))
        self.verdict.set_text(status.verdict)
        self.notes.set_text(" ".join(status.notes))
        self.set_command(status.command)
        over = status.state in ("done", "stopped")
        enable(self.breed, frame is not None and not status.sketch)
        limits = _limits(status) if over else None
        relabel(self.longer, LONGER if limits else GO_ON)
        show(self.longer, limits is not None)
        drawn = len(status.points) > 1
        self.curve.set_content(curve(status.points) if drawn else "")
        show(self.later, not drawn and status.busy)
        if frame is None:
            return
        made = f"Made of: {'; '.join(frame.words)}" if any(frame.words) else ""
        self.words.set_text("The first pictures, not scored yet" if status.sketch else made)
        self.best.props["src"] = f"/live/best/{status.version}.jpg"
        ui.run_javascript(f"window.zx && zx.sheet('sheet', '/live/sheet/{status.version}.jpg')")
        for place, one in enumerate(self.cells):
            there = place < len(frame.scores)
            if one.visible != there:
                show(one, there)


def _limits(status: Status) -> dict[str, int | float] | None:
    """With which limits the run goes on; None where none helps, or its folder is not what it was."""
    with contextlib.suppress(ZeuxisError):
        return None if status.folder is None else next_limits(RunFolder(status.folder))
    return None


def _line(status: Status) -> str:
    """Where the run is, in one line."""
    if status.state == "idle":
        return ""
    said = [f"{STATES[status.state]}: {status.prompt}"]
    if status.points:
        now = status.points[-1]
        said += [f"generation {now.generation} of {status.wanted}", f"best score {now.best:.3f}"]
        judged = [point.judged for point in status.points if point.judged is not None]
        said += [f"judge {judged[-1]:.0%}"] if judged else []
    if status.images:
        said.append(f"{status.images:,} pictures drawn")
    if status.models and status.state in BUSY:
        said.append(status.models)
    return " · ".join(said)


def curve(points: Sequence[Point]) -> str:
    """The best score and the judge's mean over the generations as SVG, each on a scale of its own; numbers only."""
    last = max(1, points[-1].generation)
    best = [(p.generation, p.best) for p in points if math.isfinite(p.best)]
    judged = [(p.generation, p.judged) for p in points if p.judged is not None]
    right = 40 if judged else 8

    def path(series: Sequence[tuple[int, float]], low: float, high: float) -> str:
        across, down = WIDTH - LEFT - right, HEIGHT - BOTTOM - 10
        at = [
            f"{LEFT + across * g / last:.1f},{10 + down * (1 - (v - low) / max(high - low, 1e-9)):.1f}"
            for g, v in series[:: max(1, len(series) // 400)]
        ]
        return " ".join(at)

    low = min((v for _, v in best), default=0.0)
    high = max((v for _, v in best), default=1.0)
    lines = f'<polyline points="{path(best, low, high)}" fill="none" stroke="var(--curve)" stroke-width="2.5"/>'
    text = f'<text x="{LEFT - 6}" y="16" text-anchor="end">{high:.2f}</text>'
    text += f'<text x="{LEFT - 6}" y="{HEIGHT - BOTTOM}" text-anchor="end">{low:.2f}</text>'
    text += f'<text x="{WIDTH - right}" y="{HEIGHT - 6}" text-anchor="end">generation {points[-1].generation}</text>'
    if judged:
        dots = path(judged, 0.0, 1.0)
        stroke = 'fill="none" stroke="var(--curve2)" stroke-width="2.5" stroke-dasharray="6 4"'
        lines += f'<polyline points="{dots}" {stroke}/>'
        text += f'<text x="{WIDTH - right + 5}" y="16">100 %</text>'
        text += f'<text x="{WIDTH - right + 5}" y="{HEIGHT - BOTTOM}">0 %</text>'
    axes = f'<path d="M{LEFT} 8V{HEIGHT - BOTTOM}H{WIDTH - right}" fill="none" stroke="var(--line)"/>'
    said = f"Best score {best[-1][1]:.2f}" if best else "No score yet"
    said += f", judge {judged[-1][1]:.0%}" if judged else ""
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">{axes}{lines}{text}</svg>'
