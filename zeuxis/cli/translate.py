"""`zeuxis translate`: pictures as another domain, by a trained CycleGAN or StarGAN."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import Enlarged

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis translate shoe.png --generator runs/recipe-cyclegan-shoes/export/shoes.safetensors "
    "--to brown\n\nzeuxis translate *.jpg --generator bags.safetensors --to red --to blue --out bags.png"
)
def translate(
    pictures: Annotated[list[Path], typer.Argument(help="files; their middle squares are taken", show_default=False)],
    generator: Annotated[str, typer.Option(help="model file of a CycleGAN or StarGAN", show_default=False)],
    to: Annotated[
        list[str] | None, typer.Option(help="name of a domain, several times for several; all if not given")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[
        Path, typer.Option(help="the sheet: .png, .jpg or .webp; single pictures land in the folder of that name")
    ] = Path("translated.png"),
    enlarge: Enlarged = None,
) -> None:
    """Turn pictures into another domain, as black shoes into brown ones."""
    from zeuxis.compute.device import choose_device
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.pictures.writing import check_picture_place
    from zeuxis.storage.places import check_folder_place

    size = parse_enlarge(enlarge) if enlarge else None
    check_picture_place(out)
    check_folder_place(out.with_suffix(""), "--out")
    from zeuxis.tools import translate as tool

    for path in tool.translate(generator, pictures, to or (), out, device=choose_device(device), enlarge=size):
        typer.echo(str(path))
