"""What all pages have: head, navigation, the sheet of keys, and small elements with names for screen readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from nicegui import run, ui
from nicegui.elements.mixins.text_element import TextElement

from zeuxis.errors import ZeuxisError

PAGES = {
    "/": "Search", "/breed": "Breed", "/gallery": "Gallery", "/open": "Open", "/queue": "Queue", "/plots": "Plots",
}  # fmt: skip
KEYS = {
    "everywhere": {
        "?": "this sheet", "1 to 6": "search, breed, gallery, open, queue, plots", "/": "to the text field",
        "d": "light or dark",
        "arrows": "from picture to picture", "Enter": "pick the picture", "o": "open the picture", "Esc": "close",
    },
    "search": {
        "Enter": "begin the search", "Shift+Enter": "add it to the queue",
        "Ctrl+Shift+Enter": "to the front of the queue",
        ".": "stop, and keep what there is", "h": "breed the picked ones by hand", "p": "presets",
    },
    "queue": {
        "↑ ↓": "from row to row", "Shift+↑ ↓": "earlier, later", "f": "to the front", "c": "cancel, or stop",
        "o": "open what came out", "r": "put it back into the queue", "p": "pause, or go on",
    },
    "plots": {
        "Enter": "make the plot", "Ctrl+Shift+Enter": "make it before all that wait", "arrows": "from cell to cell",
        ".": "stop the plot", "p": "presets",
    },
    "breed": {
        "c": "make children", "m": "mutate", "k": "cross", "l": "mix styles", "g": "suggest", "b": "never like this",
        "u": "undo (Ctrl+Z)", "y": "redo (Ctrl+Shift+Z)", "p": "compare pairs", "← →": "in pairs: left or right",
        "e": "search on from the favourites", "n": "plane of children", "+ -": "on a plane: closer, wider",
    },
    "gallery": {
        "s": "star", "x": "reject", "Enter": "select", "a": "select all", "v": "compare the selected",
        "h": "breed on by hand", "e": "export", "z": "undo the deletion", "Home End": "first and last picture",
        "Page up, down": "a screen up, down", "Esc": "select none",
    },
}  # fmt: skip
COLOURS = {
    "primary": "#a8431d", "info": "#2c6276", "positive": "#2f6b45", "warning": "#8a5a00", "negative": "#a3201f",
}  # fmt: skip
EXAMPLES = ("a red fire truck", "a white horse", "blue running shoes")
LONGER, GO_ON = "Go on for as long again", "Go on"  # with a run that did all that it was to do; that was broken off
FORM = "(e) => { e.preventDefault(); emit(Object.fromEntries(new FormData(e.target))); }"
VALUE = "(e) => emit(e.target.type === 'checkbox' ? e.target.checked : e.target.value)"


class Tag(TextElement):
    """An HTML element with text that is never read as HTML, and attributes; `_` in their names becomes `-`."""

    def __init__(self, tag: str, text: str = "", classes: str = "", **attributes: Any) -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)
        for name, value in attributes.items():
            self.props[name.strip("_").replace("_", "-")] = value


def button(text: str, act: Callable[..., Any], classes: str = "", key: str = "", **attributes: Any) -> Tag:
    """A button; `key` presses it too."""
    if key:
        attributes |= {"data-key": key, "aria-keyshortcuts": key}
    made = Tag("button", "", f"zx-btn {classes}", type="button", **attributes)
    with made:
        Tag("span", text)
        if key:
            Tag("kbd", key, aria_hidden="true")
    made.on("click", lambda: act())
    return made


def relabel(made: Tag, text: str) -> None:
    """Another text on a button."""
    first = made.default_slot.children[0]
    assert isinstance(first, Tag)
    first.set_text(text)


def cell(acts: str = "", **attributes: Any) -> Tag:
    """A picture that can be picked, opened, ...: a button that hears the events `pick`, `open` and those of `acts`."""
    return Tag("button", "", "cell", type="button", data_picks="1", data_acts=f"open {acts}", **attributes)


def examples(act: Callable[[str], Any]) -> None:
    """Phrases to try."""
    with Tag("div", "", "zx-chips", style="justify-content:center"):
        for words in EXAMPLES:
            button(words, partial(act, words))


def two_digits(value: float) -> str:
    """Two digits after the point, and no minus before nothing."""
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def enable(element: Any, on: bool) -> None:
    """Let a button be pressed, or not."""
    if on and "disabled" in element.props:
        del element.props["disabled"]
    elif not on:
        element.props["disabled"] = True


def show(element: Any, on: bool) -> None:
    """Let an element be seen, or not."""
    element.set_visibility(on)


def say(sentence: str, kind: str = "info") -> None:
    """A message that goes away by itself."""
    ui.notify(sentence, type=kind, position="bottom", close_button="Close", timeout=6000)  # type: ignore[arg-type]


async def away(work: Callable[..., Any], *arguments: Any) -> Any:
    """`work` in a thread, so that no page waits for it; None where it was refused, and the reason is shown."""
    try:
        return await run.io_bound(work, *arguments)
    except ZeuxisError as error:
        say(str(error), "warning")
        return None


def tried(work: Callable[..., Any], *arguments: Any) -> Any:
    """The same for what takes no time."""
    try:
        return work(*arguments)
    except ZeuxisError as error:
        say(str(error), "warning")
        return None


@contextmanager
def page(here: str, about: str) -> Iterator[None]:
    """The frame of a page: `here` is its place in the navigation, `about` names the keys that it has."""
    ui.add_head_html('<link rel="stylesheet" href="/own/studio.css"><script src="/own/studio.js" defer></script>')
    ui.add_head_html('<link rel="stylesheet" href="/own/rows.css"><script src="/own/rows.js" defer></script>')
    ui.colors(**COLOURS)
    ui.page_title(f"{PAGES[here]} · Zeuxis studio")
    dark = ui.dark_mode(None)
    ui.query(".q-page").props("role=none")  # the main part of the page is ours
    keys = _keys(about)
    with Tag("div", "", "zx-page"):
        Tag("a", "Skip to the content", "zx-skip", href="#main")
        with Tag("header", "", "zx-top"):
            Tag("p", "Zeuxis studio", "zx-brand")
            with Tag("nav", "", "zx-nav", aria_label="Pages"):
                for number, (path, name) in enumerate(PAGES.items(), 1):
                    current = {"aria-current": "page"} if path == here else {}
                    Tag("a", name, href=path, data_key=str(number), **current)
            switch = Tag("button", "◐", "zx-btn round", type="button", aria_label="Light or dark", data_key="d")
            switch.on("click", lambda: _switch(dark))
            sheet = Tag("button", "?", "zx-btn round", type="button", aria_label="Keys", data_key="?")
            sheet.on("click", keys.open)
        with Tag("main", "", id="main"):
            yield
    ui.timer(0.05, lambda: _recall(dark), once=True)


async def _recall(dark: Any) -> None:
    """Light or dark as it was chosen in this browser, else as the system has it."""
    try:
        chosen = await ui.run_javascript("localStorage.getItem('zx-dark')", timeout=3.0)
    except TimeoutError:
        return
    if chosen in ("0", "1"):
        dark.set_value(chosen == "1")


async def _switch(dark: Any) -> None:
    now = await ui.run_javascript("document.body.classList.contains('body--dark')", timeout=3.0)
    dark.set_value(not now)
    ui.run_javascript(f"localStorage.setItem('zx-dark', '{0 if now else 1}')")


def named_dialog(name: str) -> ui.dialog:
    """A dialog whose name is read out when it opens."""
    made = ui.dialog()
    made.props["aria-label"] = name
    return made


def _keys(about: str) -> ui.dialog:
    """The sheet of keys."""
    with named_dialog("Keys") as dialog, Tag("div", "", "zx-dialog"):
        for title in ("everywhere", about):
            if title in KEYS:
                Tag("h2", f"Keys: {title}", "zx-h")
                with Tag("dl", "", "zx-keys"):
                    for key, what in KEYS[title].items():
                        with Tag("dt"):
                            Tag("kbd", key)
                        Tag("dd", what)
        button("Close", dialog.close)
    return dialog


def copy(text: str) -> None:
    """Put text on the clipboard."""
    ui.clipboard.write(text)
    say("Copied.")


def code_line(text: str = "") -> tuple[Tag, Callable[[str], None]]:
    """A command line with a button that copies it; returns the line's box and how to change it."""
    with Tag("div", "", "zx-bar") as box:
        line = Tag("code", text, "zx-code")
        button("Copy", lambda: copy(line.text), aria_label="Copy the command")
    show(box, bool(text))

    def change(new: str) -> None:
        if new != line.text:
            line.set_text(new)
            show(box, bool(new))

    return box, change
