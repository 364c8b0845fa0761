"""All pictures of all runs: looked for, starred, compared, exported, thrown away and brought back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from nicegui import ui

from zeuxis.studio.gallery import SORTS, Found, Query
from zeuxis.studio.pages.common import FORM, Tag, away, button, cell, enable, page, say, show, tried
from zeuxis.studio.pages.found import compare, open_found
from zeuxis.studio.state import Studio
from zeuxis.studio.thumbnails import archive

PAGE = 60
MOST_UNFINISHED = 5


def gallery_page(studio: Studio) -> None:
    """Everything on the page."""
    with page("/gallery", "gallery"):
        Wall(studio)


class Wall:
    """One tab's view of the gallery: what it looks for, which page it shows, what is selected."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.gallery = studio, studio.gallery
        self.query, self.offset, self.total = Query(), 0, 0
        self.selected: list[int] = []
        self.deleted: Path | None = None
        self._form()
        self.line = Tag("p", "", "zx-line zx-soft", role="status", aria_live="polite")
        self.unfinished = Tag("div")
        self._tools()
        with Tag("div", "", "zx-wall") as self.wall:
            self.cells = [self._cell() for _ in range(PAGE)]
        self.empty = Tag("p", "No picture fits. Run a search, or look for something else.", "zx-empty")
        with Tag("div", "", "zx-bar"):
            self.back = button("Page back", lambda: self._turn(-PAGE), "", "[")
            self.on = button("Page on", lambda: self._turn(PAGE), "", "]")
        self._show()
        ui.timer(0.1, self._refresh, once=True)

    def _form(self) -> None:
        with Tag("form", "", "", autocomplete="off", role="search") as form:
            with Tag("div", "", "zx-ask"):
                with Tag("div", "", "grow"):
                    Tag(
                        "input", "", "zx-field", name="text", type="search", data_key="/", maxlength=200,
                        aria_label="Words of the prompt or label", placeholder="Words of the prompt or label",
                    )  # fmt: skip
                Tag("button", "Find", "zx-btn main", type="submit")
            with Tag("div", "", "zx-row"):
                self.generators = _choice("generator", "Generator", {"": "any"})
                _choice("sort", "Order", {name: name for name in SORTS})
                _choice("show", "Show", {"": "all but rejected", "starred": "starred", "rejected": "rejected too"})
                _choice("days", "Made", {"": "any day", "1": "since yesterday", "7": "in a week", "31": "in a month"})
                with Tag("div"):
                    Tag("label", "Score at least", for_="lowest")
                    Tag("input", "", "zx-field", name="lowest", id="lowest", type="number", step="0.01")
        form.on("submit", self._find, js_handler=FORM)
        form.on("change", self._find, js_handler="(e) => emit(Object.fromEntries(new FormData(e.currentTarget)))")

    def _tools(self) -> None:
        with Tag("div", "", "zx-bar"):
            self.count = Tag("span", "Click to select, double click to open.", "zx-soft")
            self.compare = button("Compare two", self._compare, "", "v")
            self.breed = button("Breed by hand", self._breed)
            self.export = button("Export as ZIP", self._export)
            self.delete = button("Delete the run", self._delete)
            self.restore = button("Undo the deletion", self._restore, "", "z")
        show(self.restore, False)

    def _cell(self) -> Tag:
        made = cell("star reject", aria_pressed="false")
        with made:
            image, mark = Tag("img", "", alt="", loading="lazy", draggable="false"), Tag("span", "", "tag")
        made.image, made.mark_, made.found = image, mark, None  # type: ignore[attr-defined]
        made.on("pick", lambda: self._select(made)).on("open", lambda: self._open(made))
        made.on("star", lambda: self._mark(made, 1)).on("reject", lambda: self._mark(made, -1))
        show(made, False)
        return made

    async def _refresh(self) -> None:
        self.line.set_text("Looking through the runs …")
        await away(self.gallery.refresh)
        for name in self.gallery.generators():
            with self.generators:
                Tag("option", name, value=name)
        self._show()

    def _find(self, event: Any) -> None:
        given = {str(k): str(v).strip()[:200] for k, v in dict(event.args).items()}
        self.query = Query(
            text=given.get("text", ""),
            generator=given.get("generator", ""),
            lowest=_number(given.get("lowest", "")),
            days=_number(given.get("days", "")),
            starred=given.get("show") == "starred",
            rejected=given.get("show") == "rejected",
            sort=given.get("sort", "newest"),
        )
        self.offset = 0
        self._show()

    def _turn(self, by: int) -> None:
        self.offset = max(0, min(self.offset + by, (max(self.total, 1) - 1) // PAGE * PAGE))
        self._show()

    def _show(self) -> None:
        begun = time.perf_counter()
        self.total = self.gallery.count(self.query)
        found = self.gallery.find(self.query, self.offset, PAGE)
        took = 1000 * (time.perf_counter() - begun)
        last = self.offset + len(found)
        said = f"{self.offset + 1} to {last} of {self.total:,} pictures, found in {took:.0f} ms" if found else ""
        self.line.set_text(" ".join([said, *self.gallery.notes[:3]]))
        for place, made in enumerate(self.cells):
            self._fill(made, found[place] if place < len(found) else None)
        show(self.empty, not found)
        enable(self.back, self.offset > 0)
        enable(self.on, last < self.total)
        self._show_unfinished()
        self._count()

    def _fill(self, made: Any, found: Found | None) -> None:
        show(made, found is not None)
        made.found = found
        if found is None:
            return
        made.image.props["src"] = f"/thumb/{found.id}.webp"
        score = "" if found.score is None else f", score {found.score:.2f}"
        judged = "" if found.judge is None else f", judge {found.judge:.0%}"
        marked = {1: ", starred", -1: ", rejected"}.get(found.mark, "")
        made.props["aria-label"] = f"{found.prompt[:100]}{score}{judged}{marked}"
        made.props["title"] = f"{found.prompt[:200]}{score}{judged}"
        made.props["aria-pressed"] = "true" if found.id in self.selected else "false"
        made.mark_.set_text({1: "★", -1: "✕"}.get(found.mark, ""))
        show(made.mark_, found.mark != 0)
        made.classes(add="rejected" if found.mark < 0 else "", remove="" if found.mark < 0 else "rejected")

    def _show_unfinished(self) -> None:
        self.unfinished.clear()
        with self.unfinished:
            for run in self.gallery.unfinished()[:MOST_UNFINISHED]:
                if self.studio.live.status.busy and self.studio.live.status.folder == self.gallery.runs / run:
                    continue
                with Tag("div", "", "zx-note zx-bar"):
                    Tag("span", f"{run} is not finished.")
                    button("Go on", lambda run=run: self._resume(run), aria_label=f"Go on with {run}")

    def _resume(self, run: str) -> None:
        tried(self.studio.live.resume, self.gallery.runs / run)
        if self.studio.live.status.busy:
            ui.navigate.to("/")

    def _select(self, made: Any) -> None:
        number = made.found.id
        self.selected = (
            [n for n in self.selected if n != number] if number in self.selected else [*self.selected, number]
        )
        self._fill(made, made.found)
        self._count()

    def _count(self) -> None:
        many = len(self.selected)
        self.count.set_text(f"{many} selected." if many else "Click to select, double click to open.")
        enable(self.compare, many == 2)
        for element in (self.breed, self.export, self.delete):
            enable(element, many > 0)

    def _mark(self, made: Any, mark: int) -> None:
        found = made.found
        if found is not None:
            tried(self.gallery.mark, found.id, 0 if found.mark == mark else mark)
            self._fill(made, self.gallery.one(found.id))

    async def _breed(self) -> None:
        chosen = list(self.selected)
        if await away(self.studio.breed_from, chosen) is not None:
            ui.navigate.to("/breed")

    async def _export(self) -> None:
        chosen = [self.gallery.one(number) for number in self.selected]
        data = await away(archive, self.gallery, chosen)
        if data is not None:
            ui.download.content(data, "zeuxis-pictures.zip", "application/zip")

    async def _delete(self) -> None:
        found = tried(self.gallery.one, self.selected[-1])
        status = self.studio.live.status
        if found is None:
            return
        if status.busy and status.folder == self.gallery.runs / found.run:
            say("The search is still writing this run. Stop it first.", "warning")
            return
        self.deleted = await away(self.gallery.delete, found.run)
        self.selected = []
        show(self.restore, self.deleted is not None)
        self._show()

    async def _restore(self) -> None:
        if self.deleted is not None:
            await away(self.gallery.restore, self.deleted)
            self.deleted = None
            show(self.restore, False)
            self._show()

    def _compare(self) -> None:
        if len(self.selected) != 2:
            say("Select two pictures to compare.", "warning")
            return
        compare(*(self.gallery.one(number) for number in self.selected))

    def _open(self, made: Any) -> None:
        if made.found is not None:
            open_found(self.gallery, made.found)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _choice(name: str, about: str, choices: dict[str, str]) -> Tag:
    with Tag("div"):
        Tag("label", about, for_=f"by-{name}")
        with Tag("select", "", "zx-field", name=name, id=f"by-{name}") as made:
            for value, text in choices.items():
                Tag("option", text, value=value)
    return made
