"""`zeuxis arithmetic`: add and subtract the latents of saved pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import Enlarged, note

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis arithmetic 'a.png - b.png + c.png'\n\n"
    "zeuxis arithmetic 'a.png + 0.5*b.png' --out sum.png"
)
def arithmetic(
    sum_of: Annotated[list[str], typer.Argument(help="pictures with + and - between spaces", show_default=False)],
    generator: Annotated[
        str | None, typer.Option(help="its file or Hub id, when the pictures name none we know")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="the sum: .png, .jpg or .webp; enlarged and with all terms it lands beside it")
    ] = Path("sum.png"),
    enlarge: Enlarged = "256",
) -> None:
    """Add and subtract the latents of saved pictures."""
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.pictures.writing import check_picture_place, metadata_note

    size = parse_enlarge(enlarge or "256")
    check_picture_place(out)
    from zeuxis.tools import arithmetic as latents

    for path in latents.arithmetic(" ".join(sum_of), out, generator, enlarge=size):
        typer.echo(str(path))
    note(metadata_note(out))
