"""`zeuxis generate PROMPT ...`: one run, from the phrase to the report."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from zeuxis.cli.options import Grouped, given, run_flags
from zeuxis.config import TOP, RunConfig

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    cls=Grouped,
    epilog='Examples:\n\nzeuxis generate "a red fire truck"\n\n'
    'zeuxis generate "a tabby cat on grass:1.5" "at night:0.5" --config pocket-de --generations 100 --gif',
)
@run_flags
def generate(
    ctx: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(help="a configuration by name (`zeuxis list configs`) or a TOML or JSON file; flags change it"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the run; a new one under runs/ if not given")] = None,
    top: Annotated[int, typer.Option(min=0, help="pictures in top/: the best that differ from one another")] = TOP,
    gif: Annotated[bool, typer.Option("--gif", help="write best.gif: how the best picture came about")] = False,
    mp4: Annotated[bool, typer.Option("--mp4", help="write best.mp4 (needs the extra `video`)")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="print the folder and nothing else")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the configuration as JSON and exit")] = False,
    write_config: Annotated[
        Path | None, typer.Option(help="write the configuration to a TOML file for --config, and exit")
    ] = None,
    **fields: Any,
) -> None:
    """Breed pictures for a phrase."""
    chosen = resolve(given(ctx.params), config, out)
    if dry_run or write_config is not None:
        _check(chosen, write_config)
        return
    from zeuxis.cli.running import carry_out
    from zeuxis.run import open_session
    from zeuxis.workflows import Outputs

    carry_out(lambda: open_session(chosen, out), Outputs(top=top, gif=gif, mp4=mp4), quiet)


def _check(chosen: RunConfig, file: Path | None) -> None:
    """Say what the run would be, in a file or on standard output, without loading a large model."""
    from zeuxis.configs import write_config
    from zeuxis.run import check_config
    from zeuxis.run.auto import preview, settle

    chosen, notes = settle(chosen)
    notes += preview(chosen, check_config(chosen))
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if file is None:
        typer.echo(chosen.model_dump_json(indent=2))
    else:
        typer.echo(str(write_config(chosen, file)))


def resolve(fields: dict[str, Any], config: str | None, out: Path | None) -> RunConfig:
    """Defaults, then the named configuration, then single flags. Seed: that of the run in `out`, else a new one."""
    from zeuxis import configs
    from zeuxis.config import make_config
    from zeuxis.storage.files import check_folder_place

    if out is not None:
        check_folder_place(out)
    from zeuxis.run import RunFolder

    named = configs.fields(config) if config else {}
    if "judge" in named and named["judge"] is None and "judge" not in fields:
        judge = configs.THESIS_JUDGES[0]
        typer.echo(f"note: no judge is here to check the result. For one: zeuxis models pull {judge}", err=True)
    known = RunFolder(out) if out is not None else None
    seed = known.config.seed if known is not None and known.exists() else secrets.randbelow(2**31)
    return make_config(**{"seed": seed, **named, **fields})
