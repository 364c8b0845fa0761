"""`zeuxis`: the group of commands. Each command's module is imported when it is called, so help needs no networks."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from zeuxis import __version__
from zeuxis.cli.process import INTERRUPTED, Interrupts, run_command
from zeuxis.cli.terminal import plain_output, styled
from zeuxis.compute.threads import busy
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.plugins import blamed
from zeuxis.registry import Entry, Table, nearest
from zeuxis.storage.reading import printable

LONG = ("generate", "resume", "compare", "evaluate", "train")  # commands that take long, and longer on a busy machine
SHORT = ("--quiet", "--dry-run", "--help", "-h")  # what they are asked for then is short, or nothing else
LONGEST = 600  # characters of a message
OUT_OF_MEMORY = (  # the last two are Pillow's and oneDNN's words for it
    r"out of memory|(can't|cannot|not enough).{0,20}memory|quantization error|could not create a (primitive|memory)"
)
PATHS = ("--out", "--save", "--data", "--weights", "--write-config")

COMMANDS = Table(
    "command",
    {
        "generate": Entry("zeuxis.cli.generate:app", "Breed pictures for a phrase."),
        "resume": Entry("zeuxis.cli.resume:app", "Go on with a run that was interrupted, or make it longer."),
        "show": Entry("zeuxis.cli.show:app", "Read a run: figures, history, notes, files."),
        "replay": Entry("zeuxis.cli.replay:app", "Draw a saved picture again and compare the pixels."),
        "list": Entry("zeuxis.cli.listing:app", "List generators, scorers, judges, searches, recipes, configs."),
        "compare": Entry("zeuxis.cli.compare:app", "Compare searches at equal budget: table, figures, page."),
        "experiment": Entry("zeuxis.cli.experiment:app", "Runs, trainings, evaluations of a file, over processes."),
        "bank": Entry("zeuxis.cli.bank:app", "Embed thousands of draws once, so that searches start warm."),
        "models": Entry("zeuxis.cli.models:app", "List, fetch and check the published models of the catalogue."),
        "convert": Entry("zeuxis.cli.convert:app", "Read a published weight file safely; write it as safetensors."),
        "sample": Entry("zeuxis.cli.sample:app", "Draw pictures of numbered seeds, without a search."),
        "mix": Entry("zeuxis.cli.mix:app", "Style mixing of StyleGANs: a table of seeds by seeds."),
        "translate": Entry("zeuxis.cli.translate:app", "Turn pictures into another domain by a CycleGAN or StarGAN."),
        "project": Entry("zeuxis.cli.project:app", "Find the latent of a photo, to breed from it."),
        "describe": Entry("zeuxis.cli.describe:app", "Say in words what a picture shows, as a scorer reads it."),
        "interpolate": Entry("zeuxis.cli.interpolate:app", "An animation from seed to seed."),
        "arithmetic": Entry("zeuxis.cli.arithmetic:app", "Add and subtract the latents of saved pictures."),
        "train": Entry("zeuxis.cli.train:app", "Train one network by a recipe."),
        "demo": Entry("zeuxis.cli.demo:app", "One idea of the literature on GANs, shown on a page."),
        "metrics": Entry("zeuxis.cli.metrics:app", "Compare pictures with real ones: distances, shares, copies."),
        "evaluate": Entry("zeuxis.cli.evaluate:app", "Whole questions, a page each: do pictures fool classifiers?"),
        "studio": Entry("zeuxis.cli.studio:app", "Breed pictures by words and by hand in a local web page."),
        "doctor": Entry("zeuxis.cli.doctor:app", "Check the installation; say what is missing."),
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
        _refuse_empty_paths(args)
        if args[:1] == ["help"]:
            if len(args) == 1:
                typer.echo(ctx.get_help())
                raise typer.Exit
            args = [*args[1:], "--help"]
        if args == ["version"]:
            _version(True)
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not nearest(args[0], list(COMMANDS)):
            raise BadInput(
                f"There is no command {args[0][:60]!r}. Did you mean: {shlex.join(['zeuxis', 'generate', *args])}"
            )
        name, _, rest = super().resolve_command(ctx, args)
        if name in LONG and not set(SHORT) & set(args) and (said := busy()):
            typer.echo(f"note: {said}", err=True)
        return name, typer.main.get_command(COMMANDS[str(name)]), rest

    def main(self, *args: Any, **named: Any) -> Any:
        """All that is printed, by whomever, is without control characters."""
        with plain_output():
            return super().main(*args, **named)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit codes 2 bad input, 3 missing model or extra, 130 interrupted, 1 a fault of ours."""
        Interrupts.over = Interrupts.raised = False  # an earlier command of this process may have left them
        try:
            _check_current_folder()
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("\nInterrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except SystemExit as error:
            if not (place := blamed(error)):
                raise
            typer.echo(f"Error: Code from outside the program ended it: {place}. Let it raise an error.", err=True)
            raise typer.Exit(2) from error
        except Exception as error:
            ours = isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "show")  # of the option parser
            if ours or os.environ.get("ZEUXIS_DEBUG"):
                _say_more(error)
                raise
            if _of_interrupt(error):
                typer.echo("\nInterrupted.", err=True)
                raise typer.Exit(INTERRUPTED) from None
            sentence, code = _in_words(error)
            sentence = printable(sentence)
            typer.secho("Error: ", fg="red", bold=True, nl=False, file=styled(sys.stderr))
            typer.echo(sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST]}…", err=True)
            raise typer.Exit(code) from error


def _say_more(error: Any) -> None:
    """The option parser's own errors with what was expected: the commands of a group, numbers in plain words."""
    said, ctx = str(getattr(error, "message", "")), getattr(error, "ctx", None)
    known = ctx.command.list_commands(ctx) if ctx is not None and hasattr(ctx.command, "list_commands") else []
    if said.startswith("No such command") and known:
        error.message = f"{said.rstrip('.')}. Known: {', '.join(known)}."
    elif found := re.match(r"Input should be a valid (integer|number)", said):
        error.message = f"Expected a {'whole number' if found[1] == 'integer' else 'number'}."


def _of_interrupt(error: BaseException | None) -> bool:
    """Whether a fault came while an interrupt ended the work: torch's own blocks may fail to close half-way."""
    if isinstance(error, ZeuxisError | OSError | MemoryError):  # what could not be saved is to be said
        return False
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None or Interrupts.raised


def _in_words(error: Exception) -> tuple[str, int]:
    """What to tell the user, and the exit code: also for what no command has put into words of its own."""
    if isinstance(error, ZeuxisError):
        return str(error), error.exit_code
    said = " ".join(str(error).split())[:300].rstrip(".")
    if isinstance(error, MemoryError) or re.search(OUT_OF_MEMORY, said, re.I):
        less = "Ask for less at once (--micro-batch, --population, fewer seeds, --enlarge), or close other programs"
        return f"There is not enough memory for this. {less}.", 2
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if place := blamed(error):
        return f"Code from outside the program failed ({place}): {words}. ZEUXIS_DEBUG=1 shows where.", 2
    if isinstance(error, OSError):
        where = f" {str(error.filename)[-120:]}" if error.filename else ""
        reason = error.strerror or said or type(error).__name__
        return f"Cannot read or write{where}: {reason}. Check the path and the disk.", 2
    return f"This should not have happened: {words}. ZEUXIS_DEBUG=1 shows where; please report it.", 1


def _check_current_folder() -> None:
    """BadInput in a folder that was deleted meanwhile, where libraries end the process without a word of ours."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise BadInput("The current folder was deleted. Change into another one and try again.") from None


def _refuse_empty_paths(args: list[str]) -> None:
    """BadInput for `--out ""`: an empty name would be read as the current folder."""
    for word, after in zip(args, [*args[1:], "-"], strict=True):
        if (word in PATHS and after == "") or word in {f"{name}=" for name in PATHS}:
            raise BadInput(f"Expected a path for {word.rstrip('=')}, got an empty one. Give a name.")


app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)  # fmt: skip


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
    """The entry point: SIGTERM and SIGHUP are treated like Ctrl-C."""
    run_command(app)
