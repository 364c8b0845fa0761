"""`zeuxis replay PNG`: draw a saved picture again from its metadata and say whether the pixels agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import note

app = typer.Typer(add_completion=False, rich_markup_mode=None)

DIFFERS = 2


@app.command(
    epilog="Examples:\n\nzeuxis replay runs/20260131-140502-a-red-fire-truck-7/images/best.png\n\n"
    "zeuxis replay top/03.png --save again.png"
)
def replay(
    png: Annotated[Path, typer.Argument(help="a picture that a run has saved", show_default=False)],
    generator: Annotated[
        str | None, typer.Option(help="the file or Hub id of its generator, when the picture names none we know")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="write the picture as drawn now: .png, .jpg or .webp")] = None,
) -> None:
    """Draw a saved picture again and compare the pixels. Exit code 0 if not one differs, else 2."""
    from zeuxis.pictures.writing import check_picture_place, encoded, metadata_note
    from zeuxis.storage.files import atomic_write, make_folder
    from zeuxis.storage.places import check_no_input
    from zeuxis.storage.reading import printable

    if save is not None:
        check_picture_place(save, "--save")
        check_no_input([save], [png], "--save")
    from zeuxis.tools.replay import replay as draw_again

    result = draw_again(png, generator)
    info = result.info
    typer.echo(f"{printable(info.prompt)}  ({info.generator}, seed {info.seed}, generation {info.generation})")
    for said in result.notes:
        note(said)
    if save is not None:
        make_folder(save.parent)
        atomic_write(save, encoded(result.pixels, save, info))
        note(metadata_note(save))
    height, width = result.pixels.shape[:2]
    if not result.agrees:
        typer.echo(
            f"different: {100 * result.different:.2f} % of {width} x {height} pixels, "
            f"by at most {result.max_difference} of 255 steps"
        )
        raise typer.Exit(DIFFERS)
    typer.echo(f"identical: all {width} x {height} pixels agree")
