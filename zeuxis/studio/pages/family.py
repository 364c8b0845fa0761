"""One picture of a breeding, large: how it came about, its ancestors, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from zeuxis.studio.genome import is_latent
from zeuxis.studio.pages.common import Tag, button, named_dialog
from zeuxis.studio.state import Bench

MOST = 18  # ancestors that are shown


def open_picture(bench: Bench, number: int, ban: Callable[[int], Any]) -> None:
    """A dialog on a picture."""
    family = bench.family
    one = family.pictures[number]
    with named_dialog(f"Picture {number}") as dialog, Tag("div", "", "zx-dialog"):
        with Tag("div", "", "zx-open"):
            Tag("img", "", "zx-big", src=f"/bred/{bench.key}/{number}.jpg", alt=f"Picture {number}")
            with Tag("div"):
                Tag("h2", f"Picture {number}", "zx-h")
                for text in _facts(bench, number):
                    Tag("p", text)
                with Tag("div", "", "zx-bar"):
                    name = f"zeuxis-{number}.png"
                    Tag("a", "Save as PNG", "zx-btn", href=f"/bred/{bench.key}/{number}.png", download=name)
                    button("Never like this", lambda: _banned(dialog, ban, number))
                    button("Close", dialog.close)
                if not is_latent(one.genome):
                    mixed = "Its layers come from several latents, so the PNG carries no latent of its own; "
                    Tag("p", mixed + "the breeding's folder does.", "zx-soft")
        Tag("h2", "Family", "zx-h", style="margin-top:18px")
        with Tag("div", "", "zx-tree"):
            for known in family.ancestors(number, MOST):
                with Tag("figure"):
                    label = f"Picture {known.number}, made by {known.operator}"
                    small = Tag("button", "", "cell", type="button", aria_label=label)
                    with small:
                        Tag("img", "", src=f"/bred/{bench.key}/{known.number}.jpg", alt="")
                    small.on("click", lambda n=known.number: _other(dialog, bench, n, ban))
                    Tag("figcaption", _caption(bench, known.number))
    dialog.on("hide", dialog.delete)
    dialog.open()


def _facts(bench: Bench, number: int) -> list[str]:
    one = bench.family.pictures[number]
    gain = bench.family.gain(number)
    of = ", ".join(map(str, one.parents))
    said = [f"Score {one.score:.3f}" + ("" if gain is None else f", {gain:+.3f} against its best parent")]
    said.append(f"Made by {one.operator}" + (f" of {of}" if of else ""))
    words = bench.artist.describe(one.genome)
    return [*said, *([f"Made of: {words}"] if words else [])]


def _caption(bench: Bench, number: int) -> str:
    gain = bench.family.gain(number)
    return f"{number}: {bench.family.pictures[number].operator}" + ("" if gain is None else f" {gain:+.2f}")


async def _banned(dialog: ui.dialog, ban: Callable[[int], Any], number: int) -> None:
    dialog.close()
    await ban(number)


def _other(dialog: ui.dialog, bench: Bench, number: int, ban: Callable[[int], Any]) -> None:
    dialog.close()
    open_picture(bench, number, ban)
