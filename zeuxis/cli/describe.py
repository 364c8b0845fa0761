"""`zeuxis describe`: a picture in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeuxis.cli.generators import note
from zeuxis.plugins import trust

if TYPE_CHECKING:
    from zeuxis.tools.describe import Description

app = typer.Typer(add_completion=False, rich_markup_mode=None)
WIDE = 62  # letters of a phrase in the table


@app.command(
    epilog="Examples:\n\nzeuxis describe photo.jpg\n\nzeuxis describe runs/RUN/images/best.png --scorer pocket"
)
def describe(
    picture: Annotated[Path, typer.Argument(help="a picture; its middle square is read", show_default=False)],
    scorer: Annotated[
        str, typer.Option(help="as for `zeuxis generate`; auto: as suits the picture's generator")
    ] = "auto",
    generations: Annotated[int, typer.Option(min=0, max=10_000, help="of bred phrases")] = 30,
    population: Annotated[int, typer.Option(min=2, max=4096, help="phrases in a generation")] = 64,
    top: Annotated[int, typer.Option(min=1, max=100, help="phrases shown of either kind")] = 8,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="the same seed gives the same phrases")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
) -> None:
    """Say in words what a picture shows, as a scorer reads it: phrases of a vocabulary, then bred ones."""
    from zeuxis.compute.device import choose_device
    from zeuxis.tools import describe as words

    trust(scorer)
    on = choose_device(device)
    found = words.describe(
        picture,
        None if scorer == "auto" else scorer,
        device=on,
        generations=generations,
        population=population,
        top=top,
        seed=seed,
    )
    for sentence in found.notes:
        note(sentence)
    typer.echo("\n".join(_lines(found)))


def _lines(found: Description) -> list[str]:
    """The table."""
    lines = [f"{name:<12}{words}" for name, words in found.origin]
    for title, rows in (
        (f"best of {found.phrases:,} phrases", found.said),
        (f"bred, {found.tried:,} phrases tried", found.bred),
    ):
        lines.append(f"\n{title:<{WIDE}}{found.scorer:>10}  deviations  {found.held_out} (did not choose)")
        for row in rows:
            phrase = row.phrase if len(row.phrase) < WIDE else f"{row.phrase[: WIDE - 2]}…"
            lines.append(f"{phrase:<{WIDE}}{row.score:>10.4f}  {row.above:>10.1f}  {row.held_out:.4f}")
    if math.isfinite(found.ceiling):
        lines.append(
            f"\nceiling {found.ceiling:.4f}: the score of the best mixture of all these phrases; what {found.scorer} "
            "sees beyond it has no words here. A bred phrase above all others may only flatter the scorer: the last "
            "column did not choose."
        )
    return lines
