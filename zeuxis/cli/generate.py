"""`zeuxis generate PROMPT ...`: one run, from the phrase to the report."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from zeuxis.cli.options import given, option
from zeuxis.config import RunConfig

app = typer.Typer(add_completion=False, rich_markup_mode=None)

TOP = 16  # pictures on the sheet of the best different ones


@app.command(
    epilog='Examples:\n\nzeuxis generate "a red fire truck"\n\n'
    'zeuxis generate "a tabby cat on grass:1.5" "at night:0.5" --config pocket-de --generations 100 --gif'
)
def generate(
    ctx: typer.Context,
    prompt: Annotated[
        list[str] | None, typer.Argument(help=RunConfig.model_fields["prompt"].description, show_default=False)
    ] = None,
    negative: Annotated[list[str] | None, option("negative")] = None,
    image_prompt: Annotated[list[str] | None, option("image_prompt")] = None,
    config: Annotated[
        str | None,
        typer.Option(help="generator, scorer, judge and search in one name; see `zeuxis list configs`"),
    ] = None,
    generator: Annotated[str | None, option("generator")] = None,
    truncation: Annotated[float | None, option("truncation")] = None,
    truncation_cutoff: Annotated[int | None, option("truncation_cutoff")] = None,
    exact_truncation: Annotated[bool | None, option("exact_truncation")] = None,
    space: Annotated[str | None, option("space")] = None,
    classes: Annotated[list[str] | None, option("classes")] = None,
    ban: Annotated[list[str] | None, option("ban")] = None,
    scorer: Annotated[list[str] | None, option("scorer")] = None,
    judge: Annotated[str | None, option("judge")] = None,
    search: Annotated[str | None, option("search")] = None,
    options: Annotated[list[str] | None, option("options")] = None,
    start: Annotated[str | None, option("start")] = None,
    start_images: Annotated[int | None, option("start_images")] = None,
    measures: Annotated[list[str] | None, option("measures")] = None,
    population: Annotated[int | None, option("population")] = None,
    generations: Annotated[int | None, option("generations")] = None,
    view_every: Annotated[int | None, option("view_every")] = None,
    seed: Annotated[int | None, option("seed", default="a new one, printed")] = None,
    budget: Annotated[int | None, option("budget")] = None,
    target: Annotated[float | None, option("target")] = None,
    patience: Annotated[int | None, option("patience")] = None,
    augment: Annotated[int | None, option("augment")] = None,
    realism: Annotated[float | None, option("realism")] = None,
    norm_prior: Annotated[float | None, option("norm_prior")] = None,
    unique: Annotated[bool | None, option("unique")] = None,
    on_collapse: Annotated[str | None, option("on_collapse")] = None,
    collapse_below: Annotated[float | None, option("collapse_below")] = None,
    stop_on_exploitation: Annotated[int | None, option("stop_on_exploitation")] = None,
    device: Annotated[str | None, option("device")] = None,
    precision: Annotated[str | None, option("precision")] = None,
    micro_batch: Annotated[int | None, option("micro_batch")] = None,
    templates: Annotated[bool | None, option("templates")] = None,
    strict: Annotated[bool | None, option("strict")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the run; a new one under runs/ if not given")] = None,
    top: Annotated[int, typer.Option(min=0, help="pictures in top/: the best that differ from one another")] = TOP,
    gif: Annotated[bool, typer.Option("--gif", help="write best.gif: how the best picture came about")] = False,
    mp4: Annotated[bool, typer.Option("--mp4", help="write best.mp4 (needs the extra `video`)")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="print the folder and nothing else")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the configuration as JSON and exit")] = False,
) -> None:
    """Breed pictures for a phrase."""
    chosen = resolve(given(ctx.params), config, out)
    from zeuxis.run import check_config, open_session
    from zeuxis.run.auto import settle

    if dry_run:
        chosen, notes = settle(chosen)
        check_config(chosen)
        for note in notes:
            typer.echo(f"note: {note}", err=True)
        typer.echo(chosen.model_dump_json(indent=2))
        return
    from zeuxis.cli.running import carry_out
    from zeuxis.workflows import Outputs

    carry_out(lambda: open_session(chosen, out), Outputs(top=top, gif=gif, mp4=mp4), quiet)


def resolve(fields: dict[str, Any], config: str | None, out: Path | None) -> RunConfig:
    """Defaults, then the named configuration, then single flags. Seed: that of the run in `out`, else a new one."""
    from zeuxis import configs
    from zeuxis.config import make_config
    from zeuxis.run import RunFolder

    named = configs.fields(config) if config else {}
    if "judge" in named and named["judge"] is None and "judge" not in fields:
        judge = configs.THESIS_JUDGES[0]
        typer.echo(f"note: no judge is here to check the result. For one: zeuxis models pull {judge}", err=True)
    known = RunFolder(out) if out is not None else None
    seed = known.config.seed if known is not None and known.exists() else secrets.randbelow(2**31)
    return make_config(**{"seed": seed, **named, **fields})
