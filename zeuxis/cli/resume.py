"""`zeuxis resume RUN`: go on where a run's log ends, with the same output as `generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zeuxis.cli.generators import TopEnlarged
from zeuxis.cli.options import given, option
from zeuxis.config import TOP
from zeuxis.errors import ZeuxisError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def own(name: str) -> Any:
    """The flag with which a user repeats that part of a run which is code of his own."""
    return typer.Option(help=f"as before; to be repeated where the run's {name} is code of your own, module:factory")


@app.command(
    epilog="Examples:\n\nzeuxis resume runs/20260131-140502-a-red-fire-truck-7\n\n"
    "zeuxis resume runs/20260131-140502-a-red-fire-truck-7 --generations 120"
)
def resume(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="the folder of the run", show_default=False)],
    generations: Annotated[int | None, option("generations", default="as before")] = None,
    budget: Annotated[int | None, option("budget", default="as before")] = None,
    target: Annotated[float | None, option("target", default="as before")] = None,
    patience: Annotated[int | None, option("patience", default="as before")] = None,
    generator: Annotated[str | None, own("generator")] = None,
    scorer: Annotated[list[str] | None, own("scorer")] = None,
    judge: Annotated[str | None, own("judge")] = None,
    search: Annotated[str | None, own("search")] = None,
    trust_paths: Annotated[
        bool, typer.Option("--trust-paths", help="read what a run of somebody else names by path: models, pictures")
    ] = False,
    top: Annotated[int, typer.Option(min=0, help="pictures in top/: the best that differ from one another")] = TOP,
    enlarge: TopEnlarged = None,
    gif: Annotated[bool, typer.Option("--gif", help="write best.gif: how the best picture came about")] = False,
    mp4: Annotated[bool, typer.Option("--mp4", help="write best.mp4 (needs the extra `video`)")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="print the folder and nothing else")] = False,
) -> None:
    """Go on with a run that was interrupted, or make it longer."""
    from zeuxis.cli.running import carry_out
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.run import reopen_session
    from zeuxis.workflows import Outputs

    changes = given(ctx.params)
    size = parse_enlarge(enlarge) if enlarge else None
    outputs = Outputs(top=top, gif=gif, mp4=mp4, enlarge=size)
    carry_out(lambda: reopen_session(run, trust_paths=trust_paths, **changes), outputs, quiet)
    _renew_series(run, quiet)


def _renew_series(run: Path, quiet: bool) -> None:
    """The page of the series that the run is one of. Another run of it that cannot be read is no failure of this."""
    from zeuxis.report.series import renew_series
    from zeuxis.storage.reading import printable

    try:
        page = renew_series(run)
    except ZeuxisError as error:
        typer.echo(printable(f"note: the page of the series stays as it was: {error}"), err=True)
        return
    if page is not None and not quiet:
        typer.echo(f"{'series':<14}{printable(str(page))}, written again")
