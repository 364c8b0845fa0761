"""Plots over options: up to three axes of values, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import run, ui

from zeuxis.errors import ZeuxisError
from zeuxis.studio.axes import WORDS, field_names
from zeuxis.studio.live import configured
from zeuxis.studio.pace import in_words, takes
from zeuxis.studio.pages.common import FORM, Tag, away, enable, page, tried
from zeuxis.studio.pages.form import axes_given, read_form, seeds_given
from zeuxis.studio.pages.plot_view import View
from zeuxis.studio.pages.settings import GIVEN, number_field, prompt_field, settings_fields
from zeuxis.studio.plot import Plot, check, make_plot
from zeuxis.studio.state import Studio

AXES = {"x": "across", "y": "down", "z": "blocks"}
EXAMPLES = {
    "x": (WORDS, "red, blue, green"), "y": ("search", "cma-ga, ga, de"), "z": ("population", "16, 64"),
}  # fmt: skip
SYNTAX = "Lists such as 1, 2, 3 and ranges such as 0..1 step 0.25; “words” replaces the first word in the prompt."


def plots_page(studio: Studio, shown: str = "") -> None:
    """Everything on the page; `shown` is the name of a plot's folder, or nothing."""
    with page("/plots", "plots"):
        Tag("h1", "Plots over options", "zx-h")
        view = View(studio, shown)  # what was asked for comes first
        if view.name:
            Tag("h2", "Another plot", "zx-h", style="margin-top:28px")
        Form(studio, first=not view.name)
        view.list_all()


class Form:
    """What a plot is to be, with a sentence on what is wrong or how long it takes."""

    def __init__(self, studio: Studio, first: bool) -> None:
        self.studio = studio
        with Tag("form", "", "zx-stack", autocomplete="off", id="ask", novalidate=True) as form:
            with Tag("div", "", "zx-ask"):
                with Tag("div", "", "grow"):
                    prompt_field(focus=first)
                self.go = Tag("button", "Make the plot", "zx-btn main", type="submit")
            self._axes()
            self.line = Tag("p", "", "zx-soft", role="status", aria_live="polite", id="estimate")
            settings_fields(studio)
            front = Tag("button", "Front", type="button", data_act="queue-front", style="display:none")  # by its key
            front.on("click", partial(self._begin, front=True), js_handler=GIVEN)
        form.on("submit", self._begin, js_handler=FORM)
        form.on("input", self._look, js_handler=GIVEN, throttle=0.6, leading_events=False)

    def _axes(self) -> None:
        with Tag("div", "", "zx-card"):
            with Tag("div", "", "zx-axes", role="group", aria_label="Axes"):
                for letter, about in AXES.items():
                    self._axis(letter, about)
            with Tag("datalist", id="fields"):
                for name in field_names():
                    Tag("option", "", value=name)
            with Tag("div", "", "zx-bar", style="margin-bottom:0"):
                with Tag("div", style="width:150px"):
                    number_field("seeds", "Seeds a cell", "1", 1, 100)
                Tag("p", SYNTAX, "zx-soft", style="flex:1 1 260px;margin:0")

    def _axis(self, letter: str, about: str) -> None:
        field, values = EXAMPLES[letter]
        with Tag("span", "", "letter", aria_hidden="true"):
            Tag("span", letter.upper())
            Tag("small", about)
        Tag(
            "input", "", "zx-field", name=f"{letter}-field", list="fields", maxlength=100, placeholder=field,
            aria_label=f"{letter.upper()}, {about}: what varies",
        )  # fmt: skip
        Tag(
            "input", "", "zx-field values", name=f"{letter}-values", maxlength=4000, placeholder=values,
            aria_label=f"{letter.upper()}, {about}: its values",
        )  # fmt: skip

    async def _look(self, event: Any) -> None:
        """Say what the plot would be, while it is typed."""
        given = _given(event)
        if not any(given.get(f"{letter}-values") for letter in AXES):
            self.line.set_text("")
            return
        try:
            self.line.set_text(await run.io_bound(self._said, given) or "")
        except ZeuxisError as error:
            self.line.set_text(str(error))

    def _said(self, given: Mapping[str, str]) -> str:
        """How many runs and pictures a plot is, and how long it takes."""
        plot = read(given)
        check(plot)
        seconds = takes(self.studio.runs, plot, self.studio.artist)
        runs = "1 run" if plot.count == 1 else f"{plot.count} runs"
        time = in_words(seconds) if seconds is not None else "nothing like it was timed here yet"
        return f"{runs}, {plot.images:,} pictures, {time}."

    async def _begin(self, event: Any, front: bool = False) -> None:
        plot = tried(read, _given(event))
        if plot is None:
            return
        enable(self.go, False)
        made = await away(partial(self.studio.plot, plot, front=front))
        enable(self.go, True)
        if made is not None:
            ui.navigate.to(f"/plots?show={made.name}")


def read(given: Mapping[str, str]) -> Plot:
    """The plot in a form as it was sent. BadInput for what cannot be."""
    prompt, fields = read_form(given)
    axes, seeds = axes_given(given), seeds_given(given)
    return make_plot(configured(prompt, **fields).given(), axes, seeds)


def _given(event: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in dict(event.args).items()}
