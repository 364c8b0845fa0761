"""What is done with the pictures that are selected in the gallery: compared, bred on, exported, thrown away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from zeuxis.studio import export
from zeuxis.studio.export import Saved
from zeuxis.studio.gallery import Gallery
from zeuxis.studio.index import Found
from zeuxis.studio.pages.common import FORM, Tag, away, button, relabel, say, show
from zeuxis.studio.pages.found import compare
from zeuxis.studio.state import Studio

EXPORTS: dict[str, tuple[str, Callable[[Gallery, Sequence[Found]], Saved]]] = {
    "zip": ("ZIP", export.archive),
    "sheet": ("sheet", export.sheet),
    "video": ("video", export.video),
    "way": ("interpolation", export.interpolation),
    "2x": ("enlarged 2x", lambda gallery, chosen: export.enlargement(gallery, chosen, 2)),
    "4x": ("enlarged 4x", lambda gallery, chosen: export.enlargement(gallery, chosen, 4)),
}
HINT = "Click to select, Shift for a range, double click to open."
TOUCH = "Tap to select, tap twice to open."


class Chosen:
    """The bar of one tab; `changed` is called after runs have gone or come back."""

    def __init__(self, studio: Studio, every: Callable[[], Sequence[int]], changed: Callable[[], None]) -> None:
        self.studio, self.gallery, self.every, self.changed = studio, studio.gallery, every, changed
        self.numbers: list[int] = []
        with Tag("section", "", "zx-tools", aria_label="Selection") as self.tools, Tag("div", "", "zx-bar"):
            with Tag("span", "", "zx-soft", aria_live="polite"):
                self.count = Tag("span", "")
                self.hint = Tag("span", HINT, "zx-mouse")
                self.touch = Tag("span", TOUCH, "zx-touch")
            self.all = button("Select all", self._all, "", "a")
            self.compare = button("Compare", self._compare, "", "v")
            self.breed = button("Breed by hand", self._breed, "", "h")
            self.export = self._export_form()
            self.delete = button("Delete the run", self._delete)
            self.clear = button("Clear", lambda: choose([]))
            self.restore = button("Undo the deletion", self._restore, "", "z")
        self._show_restore()
        self.show()

    def _export_form(self) -> Tag:
        with Tag("form", "", "zx-pair-form") as form:
            with Tag("select", "", "zx-field", name="kind", aria_label="Export as"):
                for name, (text, _) in EXPORTS.items():
                    Tag("option", text, value=name)
            Tag("button", "Export", "zx-btn", type="submit", data_key="e", aria_keyshortcuts="e")
        form.on("submit", self._export, js_handler=FORM)
        return form

    def hear(self, event: Any) -> None:
        """The page says which pictures are selected, in the order of selection."""
        given = event.args if isinstance(event.args, list) else []
        self.numbers = [number for number in given[: export.MOST] if isinstance(number, int)]
        self.show()

    def show_at_all(self, on: bool) -> None:
        """Nothing is offered where there is no picture, unless some are selected or a deletion can be undone."""
        show(self.tools, on or bool(self.numbers) or self.restore.visible)

    def show(self) -> None:
        """Only what can be done is offered."""
        many = len(self.numbers)
        self.count.set_text(f"{many:,} selected." if many else "")
        show(self.hint, not many)
        show(self.touch, not many)
        show(self.compare, many >= 2)
        relabel(self.delete, "Delete the run" if len(self._runs()) < 2 else "Delete the runs")
        for element in (self.breed, self.export, self.delete, self.clear):
            show(element, many > 0)

    def _show_restore(self) -> None:
        """Undo is offered as long as the bin holds a run, also to a page that was loaded again."""
        show(self.restore, bool(self.gallery.binned()))

    def found(self) -> list[Found]:
        """The pictures that are selected and still there."""
        return self.gallery.some(self.numbers)

    def _runs(self) -> list[str]:
        """The runs and plots that the selected pictures are of."""
        return list(dict.fromkeys(found.run for found in self.found()))

    def _all(self) -> None:
        every = self.every()
        choose(list(every[: export.MOST]))
        if len(every) > export.MOST:
            say(f"The first {export.MOST:,} of {len(every):,} are selected; more are not handled at once.")

    def _compare(self) -> None:
        if len(self.numbers) < 2:
            say("Select two pictures or more to compare.", "warning")
        else:
            compare(self.found(), self.gallery)

    async def _breed(self) -> None:
        if await away(self.studio.breed_from, list(self.numbers)) is not None:
            ui.navigate.to("/breed")

    async def _export(self, event: Any) -> None:
        kind = str(dict(event.args).get("kind", "zip"))
        if kind not in EXPORTS:
            return
        self.count.set_text("Writing …")
        made = await away(EXPORTS[kind][1], self.gallery, self.found())
        self.show()
        if made is not None:
            ui.download.content(made.data, made.name)
            if made.said:
                say(made.said)

    async def _delete(self) -> None:
        runs, status = self._runs(), self.studio.live.status
        plots = {found.run for found in self.found() if self.gallery.plot(found)}
        for run in runs:
            if status.busy and status.folder == self.gallery.runs / run:
                say(f"The search is still writing {run}. Stop it first.", "warning")
                return
            if self.studio.plots.running == run:
                say(f"The plot {run} is still under way. Stop it first.", "warning")
                return
        gone = [run for run in runs if await away(self.gallery.delete, run) is not None]
        if gone:
            verb = (
                "is in the bin. Undo brings it" if len(gone) == 1 else "are in the bin. Undo brings them, one by one,"
            )
            said = [f"{run}, the whole plot," if run in plots else run for run in gone]
            say(f"{', '.join(said[:5])}{' and others' if len(said) > 5 else ''} {verb} back.")
            choose([])
        self._show_restore()
        self.changed()

    async def _restore(self) -> None:
        binned = self.gallery.binned()
        back = await away(self.gallery.restore, binned[-1]) if binned else None
        if back is not None:
            say(f"{back.name} is back.")
        self._show_restore()
        self.changed()


def choose(numbers: Sequence[int]) -> None:
    """Select these pictures on the page, which then says so."""
    ui.run_javascript(f"zxWall.choose({[int(number) for number in numbers]})")
