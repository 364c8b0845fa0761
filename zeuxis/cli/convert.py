"""`zeuxis convert FILE`: a published weight file, read without running it, as one safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis convert stylegan2-car-config-f.pkl\n\nzeuxis convert biggan/ --out biggan.safetensors"
)
def convert(
    file: Annotated[
        Path, typer.Argument(help="a .pkl, .pt, .bin, .safetensors, or a folder with config.json", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="where to write; beside the file if not given")] = None,
    licence: Annotated[str, typer.Option(help="a note on the terms, where the file's layout tells none")] = "",
) -> None:
    """Read a published weight file safely and write it as safetensors. Nothing in it is run."""
    from zeuxis.hub.convert import convert as rewrite
    from zeuxis.hub.model_file import count_values, read_model

    written = rewrite(file, out, licence=licence)
    model = read_model(written)
    source = model.source
    typer.echo(f"family    {model.family} ({model.about.get('layout', '')})")
    for part in model.parts:
        typer.echo(f"part      {part}: {count_values(written, part):,} values")
    typer.echo(f"source    {source['file']}, {source['bytes']:,} bytes, sha256 {source['sha256']}")
    typer.echo(f"licence   {model.licence}")
    typer.echo(f"written   {written}")
