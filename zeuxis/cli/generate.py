"""`zeuxis generate PROMPT ...`: one run, from the phrase to the report."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from zeuxis.cli.generators import TopEnlarged
from zeuxis.cli.options import Grouped, given, run_flags
from zeuxis.config import TOP, RunConfig
from zeuxis.errors import BadInput

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
    trust_paths: Annotated[
        bool, typer.Option("--trust-paths", help="read what a file or folder of somebody else names by path")
    ] = False,
    prompts: Annotated[
        Path | None, typer.Option(help="a text file with a prompt on each line: one run each, one report")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the run; a new one under runs/ if not given")] = None,
    top: Annotated[int, typer.Option(min=0, help="pictures in top/: the best that differ from one another")] = TOP,
    enlarge: TopEnlarged = None,
    gif: Annotated[bool, typer.Option("--gif", help="write best.gif: how the best picture came about")] = False,
    mp4: Annotated[bool, typer.Option("--mp4", help="write best.mp4 (needs the extra `video`)")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="print the folder and nothing else")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the configuration as JSON and exit")] = False,
    write_config: Annotated[
        Path | None, typer.Option(help="write the configuration to a TOML file for --config, and exit")
    ] = None,
    **fields: Any,
) -> None:
    """Breed pictures for a phrase; for several, one run each: "a {red|green} shoe", or a file of --prompts."""
    chosen = resolve(given(ctx.params), config, out, trust_paths)
    from zeuxis.prompts.series import expanded, read_prompts

    if prompts is not None and chosen.prompt:
        raise BadInput("Expected a prompt or --prompts FILE, got both. Put the prompt into the file, or leave one out.")
    several = expanded(chosen.prompt) if prompts is None else read_prompts(prompts)
    if len(several) == 1:
        chosen = chosen.model_copy(update={"prompt": several[0]})
    if dry_run or write_config is not None:
        if write_config is not None and len(several) > 1:
            raise BadInput(f"Expected one prompt for --write-config, got {len(several)}. Write one of them.")
        for prompt in several:
            _check(chosen.model_copy(update={"prompt": prompt}), write_config)
        return
    from zeuxis.cli.running import carry_out
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.run import open_session
    from zeuxis.workflows import Outputs

    size = parse_enlarge(enlarge) if enlarge else None
    outputs = Outputs(top=top, gif=gif, mp4=mp4, enlarge=size)
    if len(several) > 1:
        from zeuxis.cli.series import carry_out_all

        carry_out_all(chosen, several, out, outputs, quiet, trust_paths)
        return
    carry_out(lambda: open_session(chosen, out, trust_paths), outputs, quiet)


def _check(chosen: RunConfig, file: Path | None) -> None:
    """Say what the run would be, in a file or on standard output, without loading a large model."""
    from zeuxis.configs import write_config
    from zeuxis.prompts.advice import preview
    from zeuxis.prompts.auto import settle
    from zeuxis.prompts.series import escaped
    from zeuxis.run import check_config
    from zeuxis.trust import mark_of

    asked = chosen.model_copy(update={"prompt": tuple(map(escaped, chosen.prompt))})
    chosen, notes = settle(chosen)
    notes += preview(chosen, check_config(chosen))
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if file is None:
        typer.echo(chosen.model_dump_json(indent=2))
    else:
        # as it was asked for: what is chosen for this phrase would be told to every other one
        typer.echo(str(write_config(asked, file, mark_of(asked.model_dump()))))


def resolve(fields: dict[str, Any], config: str | None, out: Path | None, trust_paths: bool = False) -> RunConfig:
    """Defaults, then the named configuration, then single flags. Seed: that of the run in `out`, else a new one."""
    from zeuxis import configs
    from zeuxis.config import make_config
    from zeuxis.storage.places import check_folder_place

    if out is not None:
        check_folder_place(out, own="run.json")
    from zeuxis.run import RunFolder

    named, mark = configs.named(config) if config else ({}, None)
    from zeuxis.trust import check_files

    check_files(named, config or "", said=fields, given=mark, allowed=trust_paths)
    if config in configs.names() and "judge" in named and named["judge"] is None and "judge" not in fields:
        judge = configs.THESIS_JUDGES[0]
        typer.echo(f"note: no judge is here to check the result. For one: zeuxis models pull {judge}", err=True)
    if config in configs.PROGRAMS and named["scorer"] != (configs.CLIP_MODEL,) and "scorer" not in fields:
        said = f"note: {config} is guided by CLIP where it is here; {configs.WITHOUT_CLIP} stands in for it. For CLIP: "
        typer.echo(f"{said}zeuxis models pull {configs.CLIP_MODEL}", err=True)
    # of the run in `out`, or of the first of a series there
    places = map(RunFolder, (out, *sorted((*out.glob("1-*"), *out.glob("0*1-*")))) if out is not None else ())
    known = next((place for place in places if place.exists()), None)
    seed = secrets.randbelow(2**31) if known is None else known.config.seed
    if fields.get("search", named.get("search")) == named.get("search"):
        fields = {**fields, **_merged("options", named, fields)}
    fields = {**fields, **_merged("generator_options", named, fields)}
    return make_config(**{"seed": seed, **named, **fields})


def _merged(name: str, named: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Where both give options as key=value: those of the flags over those of the configuration."""
    of_config, of_flags = named.get(name), fields.get(name)
    if isinstance(of_config, dict) and isinstance(of_flags, dict):
        return {name: {**of_config, **of_flags}}
    return {}
