"""`zeuxis`: the group of commands. Each command's module is imported when it is called, so help needs no networks."""

from __future__ import annotations

import shlex
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from zeuxis import __version__
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.registry import Entry, Table

INTERRUPTED = 130  # 128 + SIGINT, as the shell says it

COMMANDS = Table(
    "command",
    {
        "generate": Entry("zeuxis.cli.generate:app", "Breed pictures for a phrase."),
        "resume": Entry("zeuxis.cli.resume:app", "Go on with a run that was interrupted, or make it longer."),
        "show": Entry("zeuxis.cli.show:app", "Read a run: figures, history, notes, files."),
        "replay": Entry("zeuxis.cli.replay:app", "Draw a saved picture again and compare the pixels."),
        "list": Entry("zeuxis.cli.listing:app", "List generators, scorers, judges, searches, recipes or configs."),
        "compare": Entry("zeuxis.cli.compare:app", "Compare searches at equal budget: table, figures, page."),
        "bank": Entry("zeuxis.cli.bank:app", "Render and embed thousands of draws once, so that searches start warm."),
        "models": Entry("zeuxis.cli.models:app", "List, fetch and check the published models of the catalogue."),
        "convert": Entry("zeuxis.cli.convert:app", "Read a published weight file safely; write it as safetensors."),
        "sample": Entry("zeuxis.cli.sample:app", "Draw pictures of numbered seeds, without a search."),
        "mix": Entry(
            "zeuxis.cli.mix:app", "Style mixing: rows give the picture, columns coarse, middle or fine styles."
        ),
        "interpolate": Entry("zeuxis.cli.interpolate:app", "A film from seed to seed."),
        "arithmetic": Entry("zeuxis.cli.arithmetic:app", "Add and subtract the latents of saved pictures."),
        "train": Entry("zeuxis.cli.train:app", "Train one network by a recipe."),
    },
)


class Commands(TyperGroup):
    """Lists commands by their table, loads the one that is called, turns errors into a sentence and an exit code."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, about in COMMANDS.about().items():
            self.commands[name] = TyperCommand(name, help=about)

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The command itself in place of its line in the list."""
        if args and " " in args[0].strip() and not args[0].startswith("-"):
            raise BadInput(
                f"There is no command {args[0][:60]!r}. Did you mean: {shlex.join(['zeuxis', 'generate', *args])}"
            )
        name, _, rest = super().resolve_command(ctx, args)
        return name, typer.main.get_command(COMMANDS[str(name)]), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit codes 2 bad input, 3 missing model or extra, 130 interrupted."""
        try:
            return super().invoke(ctx)
        except ZeuxisError as error:
            typer.secho("Error: ", fg="red", bold=True, nl=False, err=True)
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from error
        except OSError as error:  # what no command has put into words of its own
            typer.secho("Error: ", fg="red", bold=True, nl=False, err=True)
            where = f"{error.filename}: " if error.filename else ""
            typer.echo(f"Cannot read or write {where}{error.strerror or error}. Check the path.", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            typer.echo("\nInterrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zeuxis {__version__}")
        raise typer.Exit


@app.callback()
def zeuxis(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A phrase in, a bred population of pictures out.

    zeuxis generate "a red fire truck"
    """


def main() -> None:
    """The entry point: SIGTERM is treated like Ctrl-C, and a terminal without Unicode gets '?' instead of an error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
