"""All pictures of all runs: looked for, starred, selected. The wall itself is drawn by static/gallery.js."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from zeuxis.studio.index import SORTS, Query
from zeuxis.studio.index_rows import title_of
from zeuxis.studio.pages.chosen import Chosen
from zeuxis.studio.pages.common import FORM, Tag, away, button, page, show, tried
from zeuxis.studio.pages.found import open_found
from zeuxis.studio.state import Studio

MOST_UNFINISHED = 5
HEAD = '<link rel="stylesheet" href="/own/gallery.css"><script src="/own/gallery.js" defer></script>'
LESS = "Try fewer words, or other filters."
# The first pictures are asked for while the page itself is still being drawn.
EARLY = "zxFirst = {{ answer: '{0}', said: fetch('/items/{0}.json?offset=0&limit=120') }}"


def gallery_page(studio: Studio) -> None:
    """Everything on the page."""
    with page("/gallery", "gallery"):
        ui.add_head_html(HEAD)
        Wall(studio)


class Wall:
    """One tab's view of the gallery: what it looks for and what was found."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.gallery = studio, studio.gallery
        self.query, self.key, self.total = Query(), "", 0
        Tag("h1", "Gallery", "zx-heard")
        self._form()
        self.line = Tag("p", "", "zx-line zx-soft", role="status", aria_live="polite")
        self.unfinished = Tag("div")
        self.chosen = Chosen(studio, self._every, self._show)
        self.wall = Tag("div", "", "zx-wall", id="wall", role="group", aria_label="Pictures")
        self.wall.on("chosen", self.chosen.hear, js_handler="(e) => emit(e.detail)")
        self.wall.on("marked", self._mark, js_handler="(e) => emit(e.detail)")
        self.wall.on("opened", self._open, js_handler="(e) => emit(e.detail)")
        self.wall.on("stale", lambda: self._show())
        with Tag("div", "", "zx-empty") as self.empty:
            self.none = Tag("p", "", "zx-brand")
            self.why = Tag("p")
            with Tag("div", "", "zx-chips", style="justify-content:center"):
                Tag("a", "Begin a search", "zx-btn", href="/")
                self.reset = button("Show all again", self._reset)
        self._show()
        ui.add_head_html(f"<script>{EARLY.format(self.key)}</script>")  # the key is ours, hexadecimal
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
                self.more = button("Filters", self._more, "zx-narrow", aria_expanded="false")
            with Tag("div", "", "zx-row zx-filters") as self.filters:
                self.generators = _choice("generator", "Generator", {"": "any"})
                _choice("sort", "Order", {name: name for name in SORTS})
                _choice("show", "Show", {"": "all but rejected", "starred": "starred", "rejected": "rejected too"})
                _field("lowest", "Score at least", type="number", step="0.01")
                _field("judged", "Judge at least, %", type="number", min=0, max=100, step=1)
                _field("since", "Made from", type="date")
                _field("until", "Made until", type="date")
        form.on("submit", self._find, js_handler=FORM)
        form.on("change", self._find, js_handler="(e) => emit(Object.fromEntries(new FormData(e.currentTarget)))")

    def _more(self) -> None:
        """Show the filters, or no longer, where there is little room for them."""
        now = self.more.props["aria-expanded"] == "false"
        self.more.props["aria-expanded"] = "true" if now else "false"
        self.filters.classes(add="open" if now else "", remove="" if now else "open")

    async def _refresh(self) -> None:
        await away(self.gallery.refresh)
        for name in self.gallery.generators():
            with self.generators:
                Tag("option", name, value=name)
        if self.gallery.version != self._seen:
            self._show()

    def _find(self, event: Any) -> None:
        given = {str(k): str(v).strip()[:200] for k, v in dict(event.args).items()}
        judged = _number(given.get("judged", ""))
        query = Query(
            text=given.get("text", ""),
            generator=given.get("generator", ""),
            lowest=_number(given.get("lowest", "")),
            judged=None if judged is None else judged / 100,
            since=given.get("since", ""),
            until=given.get("until", ""),
            starred=given.get("show") == "starred",
            rejected=given.get("show") == "rejected",
            sort=given.get("sort", "newest"),
        )
        if query != self.query:
            self.query = query
            self._show()

    def _reset(self) -> None:
        """Look for everything again."""
        ui.run_javascript("document.querySelector('form[role=search]').reset()")
        self.query = Query()
        self._show()

    def _show(self) -> None:
        begun, self._seen = time.perf_counter(), self.gallery.version
        self.key, self.total = self.gallery.look(self.query)
        took = 1000 * (time.perf_counter() - begun)
        many = "1 picture" if self.total == 1 else f"{self.total:,} pictures"
        said = f"{many}, found in {took:.0f} ms." if self.total else ""
        self.line.set_text(" ".join([said, *self.gallery.notes[:3]]))
        self.wall.props["data-result"], self.wall.props["data-total"] = self.key, self.total
        show(self.empty, not self.total)
        self.chosen.show_at_all(bool(self.total))
        fresh = self.query == Query()
        self.none.set_text("No pictures yet" if fresh else "No picture fits")
        self.why.set_text("What searches, breeding and plots have made is kept here." if fresh else LESS)
        show(self.reset, not fresh)
        self._show_unfinished()

    def _show_unfinished(self) -> None:
        self.unfinished.clear()
        with self.unfinished:
            for run in self.gallery.unfinished()[:MOST_UNFINISHED]:
                if self.studio.live.status.busy and self.studio.live.status.folder == self.gallery.runs / run:
                    continue
                with Tag("div", "", "zx-note zx-bar"):
                    title = title_of(self.gallery.runs / run)
                    Tag("span", f"Not finished: {title}")
                    button("Go on", lambda run=run: self._resume(run), aria_label=f"Go on with {title}")

    def _resume(self, run: str) -> None:
        tried(self.studio.live.resume, self.gallery.runs / run)
        if self.studio.live.status.busy:
            ui.navigate.to("/")

    def _every(self) -> Sequence[int]:
        return tried(self.gallery.result, self.key) or ()

    def _mark(self, event: Any) -> None:
        number, mark = (int(value) for value in event.args)
        if mark in (-1, 0, 1):
            tried(self.gallery.mark, number, mark)

    def _open(self, event: Any) -> None:
        found = tried(self.gallery.one, int(event.args))
        if found is not None:
            open_found(self.gallery, found)


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


def _field(name: str, about: str, **attributes: Any) -> None:
    with Tag("div"):
        Tag("label", about, for_=f"by-{name}")
        Tag("input", "", "zx-field", name=name, id=f"by-{name}", **attributes)
