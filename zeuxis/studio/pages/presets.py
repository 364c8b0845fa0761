"""Presets: settings under a name, shared with the command line; saved, loaded, renamed, deleted and brought back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nicegui import ui

from zeuxis.studio.live import DEFAULTS
from zeuxis.studio.pages.common import Tag, button, copy, named_dialog, say, tried
from zeuxis.studio.pages.form import config_of, read_axes, write_axes, write_form
from zeuxis.studio.presets import LONGEST, Deleted
from zeuxis.studio.state import Studio


class Dialog:
    """The presets of the studio: save what the form holds, load, rename, delete."""

    def __init__(self, studio: Studio) -> None:
        self.presets = studio.presets
        self.undo: tuple[str, Deleted] | None = None
        with named_dialog("Presets") as self.dialog, Tag("div", "", "zx-dialog"):
            Tag("h2", "Presets", "zx-h")
            about = "Prompt and settings under a name, with the axes of a plot if there are any."
            Tag("p", f"{about} The same file works on the command line.", "zx-soft")
            with Tag("form", "", "zx-bar", autocomplete="off") as form:
                self.name = Tag(
                    "input", "", "zx-field", name="name", maxlength=LONGEST, aria_label="Name of the preset",
                    placeholder="a name for what the form holds", style="flex:1 1 200px;width:auto",
                )  # fmt: skip
                with Tag("label", "", "zx-check"):
                    Tag("input", "", "", name="replace", type="checkbox")
                    Tag("span", "replace")
                Tag("button", "Save", "zx-btn main", type="submit")
            own = "Object.fromEntries(new FormData(e.target))"
            form.on("submit", self._save, js_handler=f"(e) => {{ e.preventDefault(); emit(zxRows.given(), {own}); }}")
            self.list = Tag("div", role="list", aria_label="Presets")
            self.line = Tag("p", "", "zx-soft", role="status", aria_live="polite")
            self.dialogs = Tag("div")
            button("Close", self.dialog.close)
        self.dialog.on("hide", self.dialog.delete)
        self._show()

    def open(self) -> None:
        """Let it be seen."""
        self.dialog.open()

    def _save(self, event: Any) -> None:
        form, own = ({str(k): str(v) for k, v in dict(one).items()} for one in event.args)
        tried(self._keep, own.get("name", ""), form, "replace" in own)

    def _keep(self, name: str, form: Mapping[str, str], replace: bool) -> None:
        fields = {**DEFAULTS, **config_of(form)}
        kept = self.presets.save(name, fields, axes=read_axes(form, fields), replace=replace)
        self._show(f"{kept} is saved.")

    def _show(self, said: str = "") -> None:
        self.line.set_text(said)
        self.list.clear()
        names = self.presets.names()
        with self.list:
            if not names:
                Tag("p", "None yet.", "zx-soft")
            for name in names:
                self._row(name)
            if self.undo is not None:
                button(f"Bring {self.undo[0]} back", self._undo)

    def _row(self, name: str) -> None:
        with Tag("div", "", "zx-preset", role="listitem"):
            with Tag("div"):
                Tag("strong", name)
                axes = tried(self.presets.axes, name)
                if axes is not None:
                    said = (f"{letter}: {axis.field}" for letter, axis in zip("XYZ", axes.all, strict=False))
                    Tag("p", f"A plot over {', '.join(said)}", "zx-soft")
            with Tag("div", "", "acts"):
                button("Load", partial(self._load, name), "main", aria_label=f"Load {name}")
                command = shlex.join(["zeuxis", "generate", "--config", str(self.presets.path(name))])
                button("Copy the command", partial(copy, command), "", aria_label=f"Copy the command for {name}")
                button("Rename", partial(self._rename, name), "", aria_label=f"Rename {name}")
                button("Delete", partial(self._delete, name), "", aria_label=f"Delete {name}")

    def _load(self, name: str) -> None:
        fields = tried(self.presets.load, name)
        form = None if fields is None else tried(write_form, fields)
        if form is not None:
            axes = tried(self.presets.axes, name)
            form |= {} if axes is None else write_axes(axes)
            ui.run_javascript(f"zxRows.fill({json.dumps(form)})")
            self.dialog.close()
            say(f"{name} is in the form.")

    def _rename(self, name: str) -> None:
        def rename(new: str) -> None:
            kept = tried(self.presets.rename, name, new)
            if kept is not None:
                self._show(f"{name} is called {kept} now.")

        with self.dialogs:
            _ask(f"Another name for {name}", name, rename)

    def _delete(self, name: str) -> None:
        data = tried(self.presets.delete, name)
        if data is not None:
            self.undo = (name, data)
            self._show(f"{name} is deleted.")

    def _undo(self) -> None:
        if self.undo is not None:
            (name, data), self.undo = self.undo, None
            tried(self.presets.restore, name, data)
            self._show(f"{name} is back." if name in self.presets.names() else "")


def _ask(about: str, value: str, act: Callable[[str], None]) -> None:
    """A dialog with one field."""
    with (
        named_dialog(about) as dialog,
        Tag("div", "", "zx-dialog"),
        Tag("form", "", "zx-bar", autocomplete="off") as form,
    ):
        Tag("label", about, "zx-label", for_="ask-one")
        field = Tag("input", "", "zx-field", name="text", id="ask-one", maxlength=LONGEST, autofocus=True)
        field.props["^value"] = value
        Tag("button", "Rename", "zx-btn main", type="submit")
        button("Cancel", dialog.close)

    def done(event: Any) -> None:
        dialog.close()
        act(str(event.args))

    form.on("submit", done, js_handler="(e) => { e.preventDefault(); emit(new FormData(e.target).get('text')); }")
    dialog.on("hide", dialog.delete)
    dialog.open()
