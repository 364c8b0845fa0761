"""The generator that the tools' options name, and what their pictures have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from zeuxis.config.sections import MOST_TRUNCATION
from zeuxis.errors import BadInput
from zeuxis.plugins import trust

AUTO, WITHOUT_PHRASE = "auto", "pocket"  # what `zeuxis generate` draws with where it has no phrase to choose by

Enlarged = Annotated[
    str | None,
    typer.Option("--enlarge", help="pixels across each picture shown, at least; by Lanczos, or nearest:256"),
]
TopEnlarged = Annotated[
    str | None,
    typer.Option("--enlarge", help="pixels across the enlarged copies in top/ and in its grid; or nearest:256"),
]


def open_generator(
    name: str,
    truncation: float | None,
    space: str | None,
    classes: Sequence[str] | None,
    device: str,
    more: Sequence[str] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """The generator on its device, and the options that it was made with; `more` are others as key=value."""
    from zeuxis.compute.device import choose_device
    from zeuxis.config import parse_options
    from zeuxis.generators.choose import make_generator

    if name == AUTO:
        name = WITHOUT_PHRASE
        typer.echo(f"note: auto is chosen by a phrase, and there is none here: the generator is {name}.", err=True)
    trust(name)
    if truncation is not None and not abs(truncation) <= MOST_TRUNCATION:
        raise BadInput(f"Expected --truncation from -{MOST_TRUNCATION} to {MOST_TRUNCATION}, got {truncation:g}.")
    given = {"truncation": truncation, "space": space, "classes": tuple(classes or ())}
    options = {key: value for key, value in given.items() if value not in (None, ())} | parse_options(more or ())
    return make_generator(name, choose_device(device), **options), options


def note(sentence: str) -> None:
    """A note to standard error, where there is something to say."""
    if sentence:
        typer.echo(f"note: {sentence}", err=True)
