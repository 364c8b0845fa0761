"""`zeuxis mix`: a table of style mixing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import Enlarged, open_generator

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis mix --rows 0-4 --columns 10-15 --styles coarse\n\n"
    "zeuxis mix --generator stylegan2-car --styles fine --out table.png"
)
def mix(
    rows: Annotated[str, typer.Option(help="seeds of the pictures that are changed")] = "0-4",
    columns: Annotated[str, typer.Option(help="seeds of the pictures whose styles they take")] = "10-15",
    styles: Annotated[str, typer.Option(help="coarse (4-8 px), middle (16-32) or fine (64 and more)")] = "coarse",
    generator: Annotated[str, typer.Option(help="as for `zeuxis generate`")] = "pocket-products",
    truncation: Annotated[float | None, typer.Option(help="as for `zeuxis generate`")] = None,
    space: Annotated[str | None, typer.Option(help="as for `zeuxis generate`")] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[Path, typer.Option(help="the table: .png, .jpg or .webp")] = Path("mix.png"),
    enlarge: Enlarged = None,
) -> None:
    """Rows give the picture, columns coarse, middle or fine styles. StyleGANs only: pocket-products is one."""
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.pictures.writing import check_picture_place

    size = parse_enlarge(enlarge) if enlarge else None
    check_picture_place(out)
    from zeuxis.tools import mixing
    from zeuxis.tools.sheets import parse_seeds

    seeds = parse_seeds(rows), parse_seeds(columns)
    made, _ = open_generator(generator, truncation, space, classes, device)
    typer.echo(str(mixing.mix(made, *seeds, styles, out, enlarge=size)))
