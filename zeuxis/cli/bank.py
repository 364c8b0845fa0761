"""`zeuxis bank build|warm|list|verify`: start banks, rendered and embedded once, from which later searches start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.terminal import rewrite_line
from zeuxis.errors import BadInput
from zeuxis.plugins import trust

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Start banks.",
    epilog="Examples:\n\nzeuxis bank build pocket\n\nzeuxis bank list",
)


@app.command(
    epilog="Examples:\n\nzeuxis bank build pocket\n\n"
    "zeuxis bank build stylegan2-car --scorer clip-vit-b-32 --images 20000"
)
def build(
    generator: Annotated[str, typer.Argument(help="as for `zeuxis generate`", show_default=False)],
    scorer: Annotated[str, typer.Option(help="as for `zeuxis generate`; one with image embeddings")] = "pocket",
    images: Annotated[int, typer.Option(help="draws of the prior; more than before makes a bank larger")] = 10_000,
    truncation: Annotated[float | None, typer.Option(help="as for `zeuxis generate`")] = None,
    space: Annotated[str | None, typer.Option(help="as for `zeuxis generate`")] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    micro_batch: Annotated[int, typer.Option(min=1, help="images rendered at once")] = 16,
) -> None:
    """Render and embed draws of the prior once. The same command again goes on where it stopped."""
    from zeuxis.cli.generators import open_generator
    from zeuxis.hub.cache import check_writable
    from zeuxis.scorers.bank import build_bank
    from zeuxis.scorers.choose import make_scorer

    check_writable()
    trust(scorer)
    made, options = open_generator(generator, truncation, space, classes, device)
    told = make_scorer(scorer, made.device)
    bank = build_bank(made, told, images, options, micro_batch=micro_batch, report=_say, say=_note)
    typer.echo(f"{bank.done:,} images of {made.name} for the scorer {told.name}", err=True)
    typer.echo(str(bank.folder))


@app.command(
    epilog="Examples:\n\nzeuxis bank warm pocket\n\n"
    "zeuxis bank warm pocket-products --scorer pocket-64 --run runs/a-red-shoe --out shoes.safetensors"
)
def warm(
    generator: Annotated[str, typer.Argument(help="as for `zeuxis generate`; one with a bank", show_default=False)],
    scorer: Annotated[str, typer.Option(help="as for `zeuxis bank build`")] = "pocket",
    run: Annotated[list[str] | None, typer.Option(help="folder of a run to learn from as well")] = None,
    out: Annotated[Path | None, typer.Option(help="file to write; default: warm.safetensors beside the bank")] = None,
    truncation: Annotated[float | None, typer.Option(help="as for `zeuxis generate`")] = None,
    space: Annotated[str | None, typer.Option(help="as for `zeuxis generate`")] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
) -> None:
    """Train a network from prompts to good latents.

    On a bank and on runs, for `zeuxis generate --warm`.
    """
    from zeuxis.cli.generators import open_generator
    from zeuxis.scorers.bank import embedding_scorer, open_bank
    from zeuxis.scorers.choose import make_scorer
    from zeuxis.scorers.warm import FILE, fit
    from zeuxis.storage.places import check_file_place
    from zeuxis.tools.winners import winners

    if out is not None:
        check_file_place(out)
    trust(scorer)
    made, options = open_generator(generator, truncation, space, classes, device)
    told = embedding_scorer(make_scorer(scorer, made.device))
    bank = open_bank(made, told, options)
    path = out or bank.folder / FILE
    found = winners(run or (), made, options)
    typer.echo(str(fit(made, told, options, bank, path, winners=found, report=_say)))


@app.command("list", epilog="Examples:\n\nzeuxis bank list\n\nzeuxis bank list | wc -l")
def list_banks() -> None:
    """The banks in the cache, one to a line."""
    from zeuxis.scorers.bank import all_banks

    for bank in all_banks():
        f = bank.facts
        options = "".join(f"  {name}={value}" for name, value in f["options"].items())
        state = "" if bank.done == bank.count else f" of {bank.count:,}, not finished"
        typer.echo(f"{f['generator']}  {f['scorer']}  {bank.done:,} images{state}{options}  {bank.folder}")


@app.command(epilog="Examples:\n\nzeuxis bank verify\n\nzeuxis bank verify && echo fine")
def verify() -> None:
    """Check every row of every bank by its sha256."""
    from zeuxis.scorers.bank import all_banks

    banks = all_banks()
    if not banks:
        raise BadInput("There is no bank in the cache. Build one: zeuxis bank build pocket")
    for bank in banks:
        bank.check()
        typer.echo(f"whole  {bank.folder}")


def _note(said: str) -> None:
    typer.echo(f"note: {said}", err=True)


def _say(done: int, count: int) -> None:
    rewrite_line(f"{done:,} of {count:,}", done >= count)
