"""`zeuxis arithmetic`: add and subtract the latents of saved pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis arithmetic 'a.png - b.png + c.png'\n\n"
    "zeuxis arithmetic 'a.png + 0.5*b.png' --out sum.png"
)
def arithmetic(
    sum_of: Annotated[str, typer.Argument(help="pictures with + and - between spaces", show_default=False)],
    generator: Annotated[
        str | None, typer.Option(help="its file or Hub id, when the pictures name none we know")
    ] = None,
    out: Annotated[Path, typer.Option(help="the picture of the sum; a sheet of all lands beside it")] = Path("sum.png"),
) -> None:
    """Add and subtract the latents of saved pictures."""
    from zeuxis.tools import arithmetic as latents

    typer.echo(str(latents.arithmetic(sum_of, out, generator)))
    typer.echo(str(out))
