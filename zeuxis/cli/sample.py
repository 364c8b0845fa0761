"""`zeuxis sample`: pictures of numbered seeds, without a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import Enlarged, open_generator

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
    generator_option: Annotated[list[str] | None, typer.Option(help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[Path, typer.Option(help="the grid: .png, .jpg or .webp")] = Path("sample.png"),
    each: Annotated[bool, typer.Option("--each", help="every picture on its own as well, with its latent")] = False,
    enlarge: Enlarged = None,
) -> None:
    """Draw pictures of numbered seeds, without a search."""
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.pictures.writing import check_picture_place
    from zeuxis.storage.places import check_folder_place

    size = parse_enlarge(enlarge) if enlarge else None
    check_picture_place(out)
    if each:
        check_folder_place(out.with_suffix(""), "--each")
    from zeuxis.tools import sheets

    numbers = sheets.parse_seeds(seeds)
    made, options = open_generator(generator, truncation, space, classes, device, generator_option)
    for path in sheets.sample(made, numbers, out, each=each, options=options, enlarge=size):
        typer.echo(str(path))
