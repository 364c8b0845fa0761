"""Pictures of the gallery, large: one with what is known of it, two beside each other, or many on a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

from nicegui import ui

from zeuxis.report.commands import folder_command
from zeuxis.studio.export import MOST_SHEET, sheet
from zeuxis.studio.gallery import Gallery
from zeuxis.studio.index import Found
from zeuxis.studio.pages.common import VALUE, Tag, away, button, code_line, named_dialog, show
from zeuxis.studio.status import moment


def compare(chosen: Sequence[Found], gallery: Gallery) -> None:
    """A dialog with all of them: two under a slider or side by side, more on a sheet with labels."""
    two = len(chosen) == 2
    name = "Two pictures" if two else f"{len(chosen)} pictures"
    with named_dialog(name) as dialog, Tag("div", "", "zx-dialog" if two else "zx-dialog wide"):
        Tag("h2", name, "zx-h")
        turn = _two(chosen) if two else None
        if turn is None:
            _many(chosen)
        with Tag("div", "", "zx-bar"):
            if turn is not None:
                way = button("Side by side", lambda: turn(way), "", "m", aria_pressed="false")
            button("Save as a sheet", lambda: _save(gallery, chosen))
            button("Close", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()


def _two(chosen: Sequence[Found]) -> Callable[[Tag], None]:
    """Both in one frame with a slider between them; what is returned turns to both side by side, and back."""
    with Tag("div", "", "zx-open") as under:
        with Tag("div", "", "zx-split", style="--at:50%") as split:
            for found in chosen:
                Tag("img", "", src=_large(found), alt=found.prompt[:100])
        with Tag("div", "", "zx-stack"):
            for side, found in zip(("Left", "Right"), chosen, strict=True):
                with Tag("p", "", "zx-about"):
                    Tag("b", f"{side}: {found.prompt[:100]}")
                    Tag("span", about(found))
            slider = Tag("input", "", "zx-range", type="range", min=0, max=100, value=50, aria_label="Left or right")
            slider.on("input", lambda e: split.style(f"--at:{float(e.args):.0f}%"), js_handler=VALUE)
    with Tag("div", "", "zx-twice") as beside:
        _figures(chosen)
    show(beside, False)

    def turn(way: Tag) -> None:
        show(under, not under.visible)
        show(beside, not under.visible)
        way.props["aria-pressed"] = "true" if beside.visible else "false"

    return turn


def _many(chosen: Sequence[Found]) -> None:
    with Tag("div", "", "zx-many"):
        _figures(chosen[:MOST_SHEET])
    if len(chosen) > MOST_SHEET:
        Tag("p", f"The first {MOST_SHEET} of {len(chosen):,}.", "zx-soft")


def _figures(chosen: Sequence[Found]) -> None:
    for found in chosen:
        with Tag("figure"):
            Tag("img", "", src=_large(found), alt=found.prompt[:100], loading="lazy")
            with Tag("figcaption"):
                Tag("b", found.prompt[:80])
                Tag("span", _figures_of(found))


async def _save(gallery: Gallery, chosen: Sequence[Found]) -> None:
    made = await away(sheet, gallery, chosen)
    if made is not None:
        ui.download.content(made.data, made.name, "image/png")


def open_found(gallery: Gallery, found: Found) -> None:
    """A dialog on a picture."""
    with named_dialog("A picture") as dialog, Tag("div", "", "zx-dialog"), Tag("div", "", "zx-open"):
        Tag("img", "", "zx-big", src=_large(found), alt=found.prompt[:100])
        with Tag("div", "", "zx-stack"):
            Tag("h2", found.prompt[:300], "zx-h")
            Tag("p", about(found))
            code_line(folder_command("replay", gallery.path(found)))
            with Tag("div", "", "zx-bar"):
                name = f"zeuxis-{found.id}.png"
                Tag("a", "Save as PNG", "zx-btn", href=f"/full/{found.id}.png", download=name)
                if plot := gallery.plot(found):
                    Tag("a", "Open its plot", "zx-btn", href=f"/plots?show={quote(plot)}")
                button("Close", dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()


def about(found: Found) -> str:
    """What is known of a picture beside its prompt, in a line."""
    said = [found.words] if found.words else []
    said += [] if found.score is None else [f"score {found.score:.3f}"]
    said += [] if found.judge is None else [f"judge {found.judge:.0%}"]
    said += [f"seen as {found.label}"] if found.label else []
    said += [found.generator, moment(found.made)]
    return " · ".join(filter(None, said))


def _figures_of(found: Found) -> str:
    said = [] if found.score is None else [f"score {found.score:.3f}"]
    said += [] if found.judge is None else [f"judge {found.judge:.0%}"]
    return " · ".join([*said, found.label or found.words or found.generator])


def _large(found: Found) -> str:
    return f"/large/{found.id}.webp?{version(found)}"


def version(found: Found) -> str:
    """Changes when the picture behind a number does: browsers keep what they have got."""
    return f"{round(found.made * 1000):x}"
