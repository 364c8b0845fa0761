"""`zeuxis evaluate fooling|...`: whole questions about bred pictures, each one command, one folder, one page."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from zeuxis.cli.options import on_the_line
from zeuxis.cli.process import INTERRUPTED
from zeuxis.studies.questions import QUESTIONS, STUDIES
from zeuxis.studies.settings import Settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog="Examples:\n\nzeuxis evaluate fooling --repetitions 1 --budget 1280\n\nzeuxis evaluate searches --help",
)
EXAMPLES = {
    "searches": "zeuxis evaluate searches --phrase 'a photo of a cat' --repetitions 5 --generations 100",
    "similarity": "zeuxis evaluate similarity --phrase 'a photo of a cat'",
    "leakage": "zeuxis evaluate leakage --phrase 'a red shoe' --search default --search 'cma-ga augment=0'",
    "generators": "zeuxis evaluate generators --generator pocket --generator pocket-products --phrase 'a red shoe'",
    "fooling": "zeuxis evaluate fooling --real cifar10 --data cifar10.npz",
}


def _command(kind: type[Settings]) -> None:
    """A command whose flags are the fields of its settings."""

    def evaluate(out: Path, parquet: bool, quiet: bool, **given: Any) -> None:
        from zeuxis.prompts.series import every
        from zeuxis.storage.places import check_folder_place

        check_folder_place(out, own="evaluation.json")
        if given.get("phrase"):
            given["phrase"] = every(given["phrase"])
        settings = kind.made(given)
        _carry_out(settings, out, parquet, quiet)

    parameters = [_flag(name, kind) for name in kind.model_fields]
    more = {
        "out": (Path, Path(f"runs/evaluate-{kind.kind}"), "folder of the study; where it holds one, it goes on"),
        "parquet": (bool, False, "insist on Parquet (needs the extra `parquet`)"),
        "quiet": (bool, False, "no progress"),
    }
    for name, (of, default, about) in more.items():
        option = typer.Option(f"--{name}", help=about)
        parameters.append(_parameter(name, Annotated[of, option], default))
    evaluate.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    evaluate.__annotations__ = {p.name: p.annotation for p in parameters}
    epilog = f"Example:\n\n{EXAMPLES[kind.kind]}"
    app.command(kind.kind, help=STUDIES.rows[kind.kind].about, epilog=epilog)(evaluate)


def _flag(name: str, kind: type[Settings]) -> inspect.Parameter:
    field = kind.model_fields[name]
    value = field.get_default(call_default_factory=True)
    default = ", ".join(f"'{v}'" if " " in str(v) else str(v) for v in value) if isinstance(value, tuple) else value
    about = field.description or ""
    if default not in (None, "") and "default" not in about.rpartition(";")[0]:
        about += f" (default: {default})"
    option = typer.Option(f"--{name.replace('_', '-')}", help=about, show_default=False)
    return _parameter(name, Annotated[on_the_line(field.annotation), option], None)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _carry_out(settings: Settings, out: Path, parquet: bool, quiet: bool) -> None:
    """Do it, print its tables and where it lies."""
    from zeuxis.report.evaluation import as_text
    from zeuxis.storage.reading import printable
    from zeuxis.studies.carry import carry_out

    def report(done: int, count: int, cell: tuple[str, ...], words: str) -> None:
        if not quiet:
            typer.echo(printable(f"{done} of {count}  {', '.join(cell)}: {words}"), err=True)

    def say(sentence: str) -> None:
        typer.echo(f"note: {sentence}", err=True)

    try:
        found = carry_out(STUDIES[settings.kind](settings), out, report=report, say=say, parquet=parquet)
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted; what is done is in {out}. The same command goes on.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if found.before and not quiet:
        typer.echo(f"{out} holds this evaluation, finished before:", err=True)
    for table in found.tables:
        typer.echo(printable(as_text(table["title"], table["columns"], table["rows"]), lines=True) + "\n")
    typer.echo(str(out / "report.html"))


@app.callback()
def evaluate() -> None:
    """Whole questions about bred pictures: each one command, one folder, one page."""


for _kind in QUESTIONS:
    _command(_kind)
