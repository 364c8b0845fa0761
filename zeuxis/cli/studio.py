"""`zeuxis studio`: a local web page to breed pictures by words and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Examples:\n\nzeuxis studio --runs pictures\n\nzeuxis studio --port 8000 --no-show")
def studio(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="of the page; 8350, or the next free one, if not given")
    ] = None,
    host: Annotated[
        str, typer.Option(help="address to listen on; beyond this computer a token is asked for")
    ] = "127.0.0.1",
    show: Annotated[bool, typer.Option("--show/--no-show", help="open the page in a browser")] = True,
    runs: Annotated[Path, typer.Option(help="folder of the runs")] = Path("runs"),
) -> None:
    """Breed pictures by words and by hand in a local web page."""
    from zeuxis.studio.server import serve

    serve(runs, host=host, port=port, show=show, say=typer.echo)
