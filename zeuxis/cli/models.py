"""`zeuxis models list|info|pull|path|verify`: the catalogue of published checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zeuxis.cli.terminal import styled
from zeuxis.errors import BadInput, Missing, MissingModel
from zeuxis.hub.catalogue import MODELS, Model, find, size_in_words
from zeuxis.storage.reading import printable

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Published models.",
    epilog="Examples:\n\nzeuxis models list\n\nzeuxis models pull clip-vit-b-32",
)


def _find(name: str) -> Model:
    """The model of the catalogue. BadInput for what is part of the package, UnknownName for any other name."""
    from zeuxis.generators import GENERATORS
    from zeuxis.scorers import JUDGES, SCORERS

    if name not in MODELS and any(name in table for table in (GENERATORS, SCORERS, JUDGES)):
        raise BadInput(f"{name[:80]} comes with the package: there is nothing to fetch or to check.")
    return find(name)


def _here(model: Model) -> bool:
    from zeuxis.hub.locate import locate

    try:
        return locate(model.name, model.kind).exists()
    except Missing:
        return False


def _licence(model: Model) -> str:
    return f"{model.licence}{' [non-commercial]' if model.noncommercial else ''}"


@app.command("list", epilog="Examples:\n\nzeuxis models list\n\nzeuxis models list --kind generator --json")
def list_models(
    kind: Annotated[str | None, typer.Option(help="generator, scorer, judge or features")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Every model: name, size, use, * where it is here."""
    chosen = [model for model in MODELS.values() if kind in (None, model.kind)]
    if not chosen:
        raise BadInput(f"Expected --kind generator, scorer, judge or features, got {kind!r}.")
    if as_json:
        rows = [
            {"name": m.name, "kind": m.kind, "bytes": m.bytes, "licence": m.licence, "here": _here(m)} for m in chosen
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    width = max(len(model.name) for model in chosen)
    for model in chosen:
        mark, terms = "*" if _here(model) else " ", " [non-commercial]" if model.noncommercial else ""
        typer.echo(
            f"{mark} {model.name:<{width}}  {model.kind:<9}  {size_in_words(model.bytes):>14}  {model.about}{terms}"
        )


@app.command(epilog="Example:\n\nzeuxis models info stylegan2-car")
def info(name: Annotated[str, typer.Argument(show_default=False)]) -> None:
    """One model: where it lies, its size, hash, licence and use."""
    model = _find(name)
    typer.echo(f"{model.name}: {model.about}\nkind      {model.kind}\nlicence   {_licence(model)}")
    typer.echo(f"size      {size_in_words(model.bytes)}\nhere      {'yes' if _here(model) else 'no'}")
    if model.hub:
        typer.echo(f"hub       {model.hub}{f' at {model.revision}' if model.revision else ''}")
    for file in model.files:
        known = file.sha256 or (
            f"{file.prefix}... (first digits)" if file.prefix else "not published: the first pull records it"
        )
        typer.echo(f"file      {file.name}  {size_in_words(file.bytes)}  sha256 {known}\n          {file.url}")


@app.command(
    epilog="Examples:\n\nzeuxis models pull clip-vit-b-32\n\nzeuxis models pull stylegan2-car --accept-licence"
)
def pull(
    names: Annotated[list[str], typer.Argument(help="names of the catalogue, or Hub ids", show_default=False)],
    accept: Annotated[bool, typer.Option("--accept-licence", help="accept non-commercial terms")] = False,
    changed: Annotated[
        bool, typer.Option("--accept-changed", help="accept files that differ from the first pull")
    ] = False,
) -> None:
    """Fetch models into the cache. What was cut goes on; what is wrong is refused."""
    from zeuxis.hub.download import pull as fetch
    from zeuxis.hub.download import pull_hub

    for name in names:
        if name not in MODELS and "/" in name:
            typer.echo(str(pull_hub(name)))
            continue
        model = _find(name)
        typer.echo(f"{model.name}: {size_in_words(model.bytes)}, {_licence(model)}", err=True)
        _accept(model, accept)
        with _Bar() as bar:
            folder = fetch(model, bar.update, accept_changed=changed)
        typer.echo(str(folder))


@app.command(epilog="Example:\n\nzeuxis models path clip-vit-b-32")
def path(name: Annotated[str, typer.Argument(show_default=False)]) -> None:
    """Where a model lies, and nothing else."""
    from zeuxis.hub.locate import locate

    typer.echo(str(locate(name, _find(name).kind)))


@app.command(
    epilog="Examples:\n\nzeuxis models verify\n\nzeuxis models verify biggan-deep-256"
    "\n\nzeuxis models verify clip-vit-b-32 --numeric"
)
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="of the catalogue; without any: all", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="everything in the cache, as without names")] = False,
    numeric: Annotated[
        bool, typer.Option("--numeric", help="compare what they compute with published numbers")
    ] = False,
    file: Annotated[Path | None, typer.Option(help="with --numeric: this file in place of the fetched one")] = None,
    picture: Annotated[
        list[Path] | None, typer.Option(help="with --numeric: a picture that numbers are published for")
    ] = None,
) -> None:
    """Hash the models' files anew; say what has changed."""
    from zeuxis.hub.verify import verify_all, verify_model

    if numeric:
        _verify_numbers([] if every else names or [], file, picture or [])
        return
    if file is not None or picture:
        raise BadInput("Expected --numeric with --file and --picture. Add it, or leave them out.")

    chosen = [] if every else [_find(name) for name in names or []]
    findings = (row for model in chosen for row in verify_model(model)) if chosen else verify_all()
    count, changed = 0, []
    for row in findings:
        count += 1
        changed += [row.name] if row.problem else []
        typer.echo(f"{row.name}  {row.problem or f'{row.sha256}  as it should be'}")
    if changed:
        raise BadInput(
            f"{len(changed)} of {count} files changed since they came: {', '.join(changed[:5])}. Get them again."
        )
    if not count and not chosen:
        typer.echo("The cache is empty.")


def _verify_numbers(names: list[str], file: Path | None, pictures: list[Path]) -> None:
    """Published numbers against those of the models here; without names of all that have any and are here."""
    from zeuxis.scorers.reference import REFERENCES, compare, report

    if file is not None and len(names) != 1:
        raise BadInput(f"Expected one name with --file, such as {next(iter(REFERENCES))}, got {len(names)}.")
    chosen = names or [name for name in REFERENCES if _here(_find(name))]
    if not chosen:
        raise MissingModel(
            f"None of {', '.join(REFERENCES)} is here. Fetch one: zeuxis models pull {next(iter(REFERENCES))}"
        )
    made = [report(_find(name).name, list(compare(name, pictures, file)), typer.echo) for name in chosen]
    if not any(made):
        raise BadInput("Nothing was compared: give the pictures named above with --picture FILE.")


def _accept(model: Model, accepted: bool) -> None:
    """Non-commercial terms are accepted once, by name, and remembered."""
    from zeuxis.hub import cache

    if not model.noncommercial:
        return
    known: dict[str, Any] = cache.read_json("licences.json")
    if known.get(model.name) == model.licence:
        return
    if not accepted and sys.stdin.isatty():
        accepted = typer.confirm(f"{model.licence}. Do you accept these terms?")
    if not accepted:
        raise BadInput(
            f"{model.name}: {model.licence}. To accept these terms: zeuxis models pull {model.name} --accept-licence"
        )
    cache.write_json("licences.json", known | {model.name: model.licence})


class _Bar:
    """A progress bar on stderr, where there is a terminal."""

    def __enter__(self) -> _Bar:
        from rich.console import Console
        from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}", markup=False), DownloadColumn(), TransferSpeedColumn())
        self.progress = Progress(*columns, console=Console(file=styled(sys.stderr)), disable=not sys.stderr.isatty())
        self.tasks: dict[str, Any] = {}
        self.progress.start()
        return self

    def update(self, name: str, done: int, total: int | None) -> None:
        """What a download reports."""
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(printable(Path(name).name), total=total)
        self.progress.update(self.tasks[name], completed=done)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
