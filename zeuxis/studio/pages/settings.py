"""The settings of a run as fields of a form."""

from __future__ import annotations

from collections.abc import Sequence

from zeuxis.generators import GENERATORS
from zeuxis.search import SEARCHES
from zeuxis.studio.pages.common import Tag, button
from zeuxis.studio.pages.form import FIRST, NUMBERS
from zeuxis.studio.pages.presets import Dialog
from zeuxis.studio.state import Studio

GIVEN = "(e) => emit(zxRows.given())"
CHOICES = {
    "generator": ["auto", *GENERATORS],
    "search": ["cma-ga", "auto", *(name for name in SEARCHES if name != "cma-ga")],
}


def prompt_field(focus: bool = True) -> None:
    """The field for the words, where typing goes from the beginning."""
    Tag(
        "input", "", "zx-field", name="prompt", type="text", maxlength=4000, data_key="/",
        aria_label="What do you want to see?", placeholder="What do you want to see?",
        **({"autofocus": True} if focus else {}),
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


def _select(name: str, about: str, choices: Sequence[str]) -> None:
    with Tag("div"):
        Tag("label", about, for_=f"field-{name}")
        with Tag("select", "", "zx-field", name=name, id=f"field-{name}"):
            for choice in choices:
                Tag("option", choice, value=choice)
