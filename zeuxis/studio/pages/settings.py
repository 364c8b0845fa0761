"""The settings of a run as a part of a form, and presets: settings under a name, shared with the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput
from zeuxis.generators import GENERATORS
from zeuxis.run.trust import check_code
from zeuxis.search import SEARCHES
from zeuxis.studio.axes import known_field, put, value_of
from zeuxis.studio.live import DEFAULTS, phrases
from zeuxis.studio.pages.common import Tag, button, copy, named_dialog, say, tried
from zeuxis.studio.presets import LONGEST
from zeuxis.studio.state import Studio

GIVEN = "(e) => emit(zxRows.given())"
FIRST = {"generator": "auto", "search": "cma-ga", "generations": "160", "population": "64", "seed": ""}
CHOICES = {
    "generator": ["auto", *GENERATORS],
    "search": ["cma-ga", "auto", *(name for name in SEARCHES if name != "cma-ga")],
}
NUMBERS = {
    "generations": ("Generations", 0, 100_000), "population": ("Population", 4, 1024),
    "seed": ("Seed (empty: a new one)", 0, 2**31),
}  # fmt: skip


def prompt_field() -> None:
    """The field for the words."""
    Tag(
        "input", "", "zx-field", name="prompt", type="text", autofocus=True, maxlength=4000, data_key="/",
        aria_label="What do you want to see?", placeholder="What do you want to see?",
    )  # fmt: skip


def settings_fields(studio: Studio) -> None:
    """The fields, and the button for presets."""
    with Tag("details"):
        Tag("summary", "Settings", "zx-soft")
        with Tag("div", "", "zx-row"):
            _select("generator", "Generator", CHOICES["generator"])
            _select("search", "Search method", CHOICES["search"])
            for name, (about, low, high) in NUMBERS.items():
                number_field(name, about, FIRST[name], low, high)
        Tag("label", "Other settings, as name=value", "zx-label", for_="field-more")
        Tag(
            "input", "", "zx-field", name="more", id="field-more", type="text", maxlength=4000,
            placeholder="augment=4 realism=0.1 options.F=0.5",
        )  # fmt: skip
        with Tag("div", "", "zx-bar"):
            button("Presets", lambda: Dialog(studio).open(), "", "p", aria_haspopup="dialog")


def number_field(name: str, about: str, value: str, low: int, high: int) -> None:
    """A field for a whole number. Its value is the person's: drawing the page again does not set it back."""
    with Tag("div"):
        Tag("label", about, for_=f"field-{name}")
        made = Tag("input", "", "zx-field", type="number", name=name, id=f"field-{name}", min=low, max=high)
        made.props["^value"] = value  # the attribute, not the property


def read_form(given: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Prompt and fields of RunConfig in a form as it was sent. BadInput for what cannot be."""
    fields: dict[str, Any] = {}
    try:
        pairs = [pair.partition("=") for pair in shlex.split(given.get("more", "")[:4000])]
    except ValueError as error:
        raise BadInput(f"Expected settings as name=value with quotes in pairs: {error}.") from None
    for name, equals, text in pairs:
        if not equals or name in ("prompt", "words"):
            raise BadInput(f"Expected other settings as name=value, e.g. augment=4, got {name[:60]!r}.")
        field = known_field(name)
        fields = put(fields, field, value_of(field, text))
    for name in ("generator", "search", *NUMBERS):
        text = given.get(name, "").strip()[:4096]
        if text:
            fields[name] = int(text) if text.isdecimal() and name in NUMBERS else text
    return given.get("prompt", "")[:40_000], fields


def write_form(fields: Mapping[str, Any]) -> dict[str, str]:
    """The values of a form that is read as these fields. BadInput for code that a file names: what is in the form
    counts as typed.
    """
    check_code(fields)
    config = make_config(**fields)
    plain = config.model_dump(mode="json")
    found = dict.fromkeys(NUMBERS, "") | {"generator": "auto", "search": "auto", "prompt": " | ".join(config.prompt)}
    rest = []
    for name in RunConfig.model_fields:
        value = plain[name]
        if name not in config.model_fields_set or name == "prompt" or DEFAULTS.get(name, ...) == value:
            continue
        if name in FIRST:
            found[name] = str(value)
        elif isinstance(value, dict):
            rest += [f"{name}.{key}={one}" for key, one in value.items()]
        else:
            rest.append(f"{name}={_text(value)}")
    found |= {"more": shlex.join(rest)}
    if make_config(**{**DEFAULTS, **config_of(found)}) != make_config(**{**DEFAULTS, **fields}):
        raise BadInput("These settings do not fit into the form. Use them with `zeuxis generate --config FILE`.")
    return found


def config_of(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form, the prompt among them."""
    prompt, fields = read_form(given)
    return fields | {"prompt": phrases(prompt)}


class Dialog:
    """The presets of the studio: save what the form holds, load, rename, delete."""

    def __init__(self, studio: Studio) -> None:
        self.presets = studio.presets
        self.undo: tuple[str, bytes] | None = None
        with named_dialog("Presets") as self.dialog, Tag("div", "", "zx-dialog"):
            Tag("h2", "Presets", "zx-h")
            Tag("p", "Prompt and settings under a name; the same file works on the command line.", "zx-soft")
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
        kept = self.presets.save(name, {**DEFAULTS, **config_of(form)}, replace=replace)
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
            Tag("strong", name)
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


def _select(name: str, about: str, choices: Sequence[str]) -> None:
    with Tag("div"):
        Tag("label", about, for_=f"field-{name}")
        with Tag("select", "", "zx-field", name=name, id=f"field-{name}"):
            for choice in choices:
                Tag("option", choice, value=choice)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    return "none" if value is None else str(value)
