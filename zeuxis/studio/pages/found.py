"""Pictures of the gallery, large: one with what is known of it, or two beside each other."""

from __future__ import annotations

import time

from nicegui import ui

from zeuxis.report.commands import folder_command
from zeuxis.studio.gallery import Found, Gallery
from zeuxis.studio.pages.common import VALUE, Tag, button, code_line


def compare(one: Found, other: Found) -> None:
    """A dialog with both in one frame, and a slider between them."""
    with ui.dialog() as dialog, Tag("div", "", "zx-dialog", aria_label="Two pictures"):
        Tag("h2", "Two pictures", "zx-h")
        with Tag("div", "", "zx-open"):
            with Tag("div", "", "zx-split", style="--at:50%") as split:
                for found in (one, other):
                    Tag("img", "", src=f"/large/{found.id}.webp", alt=found.prompt[:100])
            with Tag("div", "", "zx-stack"):
                for side, found in (("Left", one), ("Right", other)):
                    Tag("p", f"{side}: {_about(found)}")
        slider = Tag("input", "", "zx-range", type="range", min=0, max=100, value=50, aria_label="Left or right")
        slider.on("input", lambda e: split.style(f"--at:{float(e.args):.0f}%"), js_handler=VALUE)
        button("Close", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()


def open_found(gallery: Gallery, found: Found) -> None:
    """A dialog on a picture."""
    with ui.dialog() as dialog, Tag("div", "", "zx-dialog", aria_label="A picture"), Tag("div", "", "zx-open"):
        Tag("img", "", "zx-big", src=f"/large/{found.id}.webp", alt=found.prompt[:100])
        with Tag("div", "", "zx-stack"):
            Tag("h2", found.prompt[:300], "zx-h")
            Tag("p", _about(found))
            code_line(folder_command("replay", gallery.path(found)))
            with Tag("div", "", "zx-bar"):
                name = f"zeuxis-{found.id}.png"
                Tag("a", "Save as PNG", "zx-btn", href=f"/full/{found.id}.png", download=name)
                button("Close", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()


def _about(found: Found) -> str:
    said = [found.words] if found.words else []
    said += [] if found.score is None else [f"score {found.score:.3f}"]
    said += [] if found.judge is None else [f"judge {found.judge:.0%}"]
    said += [f"seen as {found.label}"] if found.label else []
    said += [found.generator, time.strftime("%Y-%m-%d %H:%M", time.localtime(found.made))]
    return " · ".join(said)
