"""`zeuxis sample`: pictures of numbered seeds, without a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import open_generator

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis sample --seeds 0-31\n\nzeuxis sample --generator stylegan2-car --seeds 1,5,9 --each"
)
def sample(
    seeds: Annotated[str, typer.Option(help="numbers and ranges")] = "0-15",
    generator: Annotated[str, typer.Option(help="as for `zeuxis generate`")] = "pocket",
    truncation: Annotated[float | None, typer.Option(help="as for `zeuxis generate`")] = None,
    space: Annotated[str | None, typer.Option(help="as for `zeuxis generate`")] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[Path, typer.Option(help="the grid")] = Path("sample.png"),
    each: Annotated[bool, typer.Option("--each", help="every picture on its own as well, with its latent")] = False,
) -> None:
    """Draw pictures of numbered seeds, without a search."""
    from zeuxis.tools import sheets

    numbers = sheets.parse_seeds(seeds)
    made, options = open_generator(generator, truncation, space, classes, device)
    for path in sheets.sample(made, numbers, out, each=each, options=options):
        typer.echo(str(path))
