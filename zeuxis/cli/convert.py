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
    from zeuxis.hub.convert import converted_facts
    from zeuxis.hub.weights import count_values

    written = rewrite(file, out, licence=licence)
    facts = converted_facts(written)
    typer.echo(f"family    {facts['family']} ({facts['about'].get('layout', '')})")
    for part in facts["parts"]:
        typer.echo(f"part      {part}: {count_values(written, f'{part}.'):,} values")
    typer.echo(
        f"source    {facts['source']['file']}, {facts['source']['bytes']:,} bytes, sha256 {facts['source']['sha256']}"
    )
    typer.echo(f"licence   {facts['licence']}")
    typer.echo(f"written   {written}")
