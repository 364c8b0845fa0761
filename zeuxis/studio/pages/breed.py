"""Breeding by hand: pictures to pick, children of them, what was learnt, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nicegui import ui

from zeuxis.studio.genome import STRONG, SUBTLE
from zeuxis.studio.index_rows import title_of
from zeuxis.studio.pages import common
from zeuxis.studio.pages.breed_pairs import Pairs
from zeuxis.studio.pages.breed_side import Aside
from zeuxis.studio.pages.common import FORM, VALUE, Tag, away, button, cell, code_line, enable, page, say, show
from zeuxis.studio.pages.family import open_picture
from zeuxis.studio.plane import ACROSS, begin_plane, zoom
from zeuxis.studio.state import Bench, Studio

PERIOD = 0.25  # seconds between looks at what another tab has done
PLACES = ACROSS**2
MOST_EARLIER = 6  # breedings that are offered
HEAD = '<link rel="stylesheet" href="/own/gallery.css">'


def breed_page(studio: Studio) -> None:
    """Everything on the page."""
    with page("/breed", "breed"):
        ui.add_head_html(HEAD)
        Breed(studio)


class Breed:
    """The elements of one tab. All tabs work on the same table."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._seen: tuple[str, int] = ("", -1)
        self._busy = False
        self.strength = 0.35
        Tag("h1", "Breed by hand", "zx-heard")
        self._form()
        with Tag("div", "", "zx-empty") as self.empty:
            Tag("p", "Pick what you like, and breed on from it", "zx-brand")
            Tag("p", "Twelve pictures are drawn for a phrase. Click those that you like, make children of them, go on.")
            common.examples(self._draw)
        self.earlier = Tag("div")
        with Tag("div", "", "zx-side") as self.shown:
            with Tag("section", aria_label="Pictures"):
                self._tools()
                with Tag("div", "", "zx-grid") as self.grid:
                    self.cells = [self._cell(place) for place in range(PLACES)]
                self.pairs = Pairs(studio, self._do, self._compare)
                self.command, self.set_command = code_line()
            with Tag("aside", "", "zx-stack"):
                self.aside = Aside(self._do, self._compare, self._evolve, self._set_weight)
        self._tick()
        ui.timer(PERIOD, self._tick)

    def _form(self) -> None:
        with Tag("form", "", "zx-stack", autocomplete="off") as form, Tag("div", "", "zx-ask"):
            with Tag("div", "", "grow"):
                Tag(
                    "input", "", "zx-field", name="prompt", type="text", maxlength=4000, data_key="/",
                    aria_label="Draw something new", placeholder="Draw something new: a phrase",
                )  # fmt: skip
            self.draw = Tag("button", "Draw", "zx-btn main", type="submit")
        form.on("submit", self._begin, js_handler=FORM)
        self.line = Tag("p", "", "zx-line zx-soft", role="status", aria_live="polite")

    def _tools(self) -> None:
        with Tag("div", "", "zx-bar"):
            button("Make children", lambda: self._children("children"), "main", "c")
            button("Suggest", self._suggest, "", "g")
            button("Mutate", lambda: self._children("mutate"), "", "m")
            button("Cross", lambda: self._children("cross"), "", "k")
            self.mix = button("Mix styles", lambda: self._children("mix styles"), "", "l")
            button("Plane", lambda: self._do(lambda bench: begin_plane(bench.breeding), "Drawing a plane …"), "", "n")
        with Tag("div", "", "zx-bar"):
            with Tag("div", "", "zx-slide"):
                Tag("label", "How different the children are", "zx-label", for_="strength")
                slider = Tag(
                    "input", "", "zx-range", type="range", id="strength", min=SUBTLE, max=STRONG, step=0.05,
                    value=self.strength,
                )  # fmt: skip
                slider.on("input", self._set_strength, js_handler=VALUE)
                with Tag("div", "", "zx-ends", aria_hidden="true"):
                    Tag("span", "subtle")
                    Tag("span", "strong")
            self.closer = button("Closer", lambda: self._do(lambda b: zoom(b.breeding, True), "Drawing …"), "", "+")
            self.wider = button("Wider", lambda: self._do(lambda b: zoom(b.breeding, False), "Drawing …"), "", "-")
            self.undo = button("Undo", lambda: self._do(lambda bench: bench.family.undo()), "", "u")
            self.redo = button("Redo", lambda: self._do(lambda bench: bench.family.redo()), "", "y")

    def _cell(self, place: int) -> Tag:
        made = cell("ban", aria_pressed="false")
        with made:
            image = Tag("img", "", alt="", draggable="false")
            Tag("span", "♥", "heart", aria_hidden="true")
            score = Tag("span", "", "tag")
        made.image, made.score, made.number = image, score, -1  # type: ignore[attr-defined]
        made.on("pick", lambda: self._favour(made)).on("open", lambda: self._open(made))
        made.on("ban", lambda: self._ban(made))
        show(made, False)
        return made

    async def _begin(self, event: Any) -> None:
        await self._draw(str(dict(event.args).get("prompt", "")))

    async def _draw(self, prompt: str) -> None:
        await self._while_busy(lambda: self.studio.breed(prompt), "Drawing …")

    async def _while_busy(self, work: Callable[[], Any], said: str, waits: bool = False) -> Any:
        """One thing at a time in a tab. A second key press meanwhile does nothing, unless it `waits` for its turn."""
        while waits and self._busy:
            await asyncio.sleep(0.02)
        if self._busy:
            return None
        self._busy = True
        self.line.set_text(said)
        try:
            return await away(work)
        finally:
            self._busy = False
            self._seen = ("", -1)
            self._tick()

    async def _do(self, action: Callable[[Bench], Any], said: str = "", waits: bool = False) -> Any:
        bench = self.studio.bench
        if bench is None:
            say("Draw something first.", "warning")
            return None
        return await self._while_busy(lambda: bench.act(lambda: action(bench)), said or self.line.text, waits)

    async def _children(self, operator: str) -> None:
        strength = self.strength
        await self._do(lambda bench: bench.breeding.children(strength, operator), "Drawing children …")

    async def _suggest(self) -> None:
        strength = self.strength
        await self._do(lambda bench: bench.breeding.suggest(strength), "Breeding a few rounds …")

    async def _favour(self, made: Any) -> None:
        number = made.number  # of the picture that was clicked, whatever lies there when its turn has come
        await self._do(lambda bench: bench.breeding.favour(number), waits=True)

    async def _ban(self, made: Any) -> None:
        number = made.number
        await self._do(lambda bench: bench.breeding.ban(number), waits=True)

    def _open(self, made: Any) -> None:
        if self.studio.bench is not None and made.number >= 0:
            open_picture(self.studio.bench, made.number, self._ban_number)

    async def _ban_number(self, number: int) -> None:
        await self._do(lambda bench: bench.breeding.ban(number))

    def _compare(self) -> None:
        """Ask for one of two, or no longer."""
        self.pairs.turn()
        show(self.grid, not self.pairs.shown)

    async def _evolve(self) -> None:
        bench = self.studio.bench
        numbers = bench.family.table.favourites if bench is not None else ()
        if await self._while_busy(lambda: self.studio.evolve(numbers), self.line.text) is not None:
            ui.navigate.to("/")

    def _set_strength(self, event: Any) -> None:
        self.strength = min(STRONG, max(SUBTLE, float(event.args)))

    def _set_weight(self, event: Any) -> None:
        if self.studio.bench is not None:
            self.studio.bench.breeding.weight = min(1.0, max(0.0, float(event.args)))
            self._seen = ("", -1)

    def _tick(self) -> None:
        bench = self.studio.bench
        now = (bench.key, bench.version) if bench is not None else ("none", 0)
        if now != self._seen and not self._busy:
            self._seen = now
            show(self.shown, bench is not None)
            show(self.empty, bench is None)
            self.draw.classes(add="main" if bench is None else "", remove="" if bench is None else "main")
            self._show_earlier(bench is None)
            if bench is None:
                self.line.set_text("Type a phrase to draw pictures, or pick some of a search first.")
            else:
                self._update(bench)

    def _show_earlier(self, on: bool) -> None:
        """Breedings of earlier days, to go on with."""
        self.earlier.clear()
        with self.earlier:
            names = self.studio.gallery.bred()[:MOST_EARLIER] if on else []
            if names:
                Tag("h2", "Go on with an earlier one", "zx-h")
            for name in names:
                with Tag("div", "", "zx-note zx-bar"):
                    title = title_of(self.studio.runs / name)
                    Tag("span", title)
                    button("Go on", lambda name=name: self._reopen(name), aria_label=f"Go on with {title}")

    async def _reopen(self, name: str) -> None:
        await self._while_busy(lambda: self.studio.reopen(self.studio.runs / name), "Drawing it again …")

    def _update(self, bench: Bench) -> None:
        family, table = bench.family, bench.family.table
        title = bench.artist.prompt.title
        count = len(table.favourites)
        picked = f"{count} favoured" if count else "click to favour, double click to open"
        where = "" if table.plane is None else f"plane through {', '.join(map(str, table.plane.through))} · "
        self.line.set_text(f"{title} · generation {table.generation} · {where}{picked}")
        self.grid.classes(add="zx-plane" if table.plane else "", remove="" if table.plane else "zx-plane")
        for place, made in enumerate(self.cells):
            number = table.shown[place] if place < len(table.shown) else -1
            self._fill(made, bench, number)
        enable(self.undo, family.can_undo)
        enable(self.redo, family.can_redo)
        show(self.mix, len(bench.breeding.variation.groups) > 1)
        for element in (self.closer, self.wider):
            show(element, table.plane is not None)
        self.aside.update(bench)
        self.set_command(self.studio.breeding_command())

    def _fill(self, made: Any, bench: Bench, number: int) -> None:
        show(made, number >= 0)
        made.number = number
        if number < 0:
            return
        one, table = bench.family.pictures[number], bench.family.table
        favoured = number in table.favourites
        made.image.props["src"] = f"/bred/{bench.key}/{number}.jpg"
        made.props["aria-pressed"] = "true" if favoured else "false"
        made.props["aria-label"] = f"Picture {number}, score {common.two_digits(one.score)}, made by {one.operator}"
        made.score.set_text(common.two_digits(one.score))
        for name, on in (("gone", number in table.banned), ("centre", bool(table.plane) and number == table.shown[12])):
            made.classes(add=name if on else "", remove="" if on else name)
