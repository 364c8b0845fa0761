"""`zeuxis demo`: one idea of the literature on GANs, shown on one page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Examples:\n\nzeuxis demo surface\n\nzeuxis demo latent-size --data DATA --out latent-size")
def demo(
    name: Annotated[str | None, typer.Argument(help="a demonstration; without one they are listed")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the page; demos/NAME by default")] = None,
    data: Annotated[
        Path | None, typer.Option(help="folder of data sets: digits or products in place of what is made here")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of all random numbers")] = 0,
    effort: Annotated[float, typer.Option(min=0.01, max=10, help="share of the steps and pictures of a whole one")] = 1,
) -> None:
    """Train or draw something small and show one idea of the literature: a page with pictures, in a minute or two."""
    from zeuxis.demonstrations import DEMONSTRATIONS

    if name is None:
        for known, about in DEMONSTRATIONS.about().items():
            typer.echo(f"{known:14}{about}")
        return
    DEMONSTRATIONS.check(name)
    from zeuxis.demonstrations.base import Settings, is_page_of, write_page
    from zeuxis.storage.places import check_empty, check_folder_place

    folder = out or Path("demos") / name
    check_folder_place(folder)
    if not is_page_of(name, folder):
        check_empty(folder, f"a page of {name}")
    shown = DEMONSTRATIONS[name](Settings(seed, effort, data))
    given = [("--data", data, None), ("--seed", seed, 0), ("--effort", effort, 1)]
    words = ["zeuxis", "demo", name, *(w for option, v, plain in given if v != plain for w in (option, f"{v}"))]
    for row in (shown.head, *shown.rows) if shown.rows else ():
        typer.echo("  ".join(cell if isinstance(cell, str) else f"{cell:.3g}" for cell in row).rstrip())
    typer.echo(str(write_page(shown, folder, shlex.join(words))))
