"""`zeuxis metrics`: one set of pictures against another, every figure beside its floor and its interval."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeuxis.cli.terminal import rewrite_line
from zeuxis.storage.reading import printable

if TYPE_CHECKING:
    from zeuxis.evaluation.embedding import Embedded
    from zeuxis.evaluation.report import Compared

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis metrics samples/ photos/\n\n"
    "zeuxis metrics samples/ cifar10 --data ~/data/cifar10.npz --reference test --out compared"
)
def metrics(
    generated: Annotated[Path, typer.Argument(help="folder of generated pictures; sub-folders are classes")],
    real: Annotated[str, typer.Argument(help="folder of real pictures, a saved reference, or a data set with --data")],
    data: Annotated[Path | None, typer.Option(help="where the data set lies: a file or its folder")] = None,
    reference: Annotated[str, typer.Option(help="split of the real pictures: train or test")] = "train",
    held_out: Annotated[
        Path | None, typer.Option(help="other real pictures, for the floor and for memorisation; else the other split")
    ] = None,
    wanted: Annotated[
        list[str] | None,
        typer.Option("--metrics", help="of `zeuxis list metrics`, several or with commas (default: usual ones)"),
    ] = None,
    features: Annotated[
        str, typer.Option(help="mobilenet-v1, mobilenet-v2, inception, dinov2:PLACE, or a classifier's file")
    ] = "mobilenet-v1",
    scorer: Annotated[
        str | None, typer.Option(help="for clip-score, which reads NAME.txt beside NAME.png, else the class")
    ] = None,
    count: Annotated[int | None, typer.Option(min=2, help="generated pictures taken, at random (default: all)")] = None,
    most: Annotated[
        int | None, typer.Option(min=4, help="real pictures taken of each set, at random (default: all)")
    ] = None,
    draws: Annotated[int, typer.Option(min=0, help="parts drawn for the intervals; 0 for none")] = 10,
    strict: Annotated[bool, typer.Option("--strict", help="refuse a set with a broken file")] = False,
    save_reference: Annotated[
        Path | None, typer.Option(help="write the real pictures' features to a file to use as REAL later")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[Path | None, typer.Option(help="folder for metrics.json and metrics.csv")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Compare generated pictures with real ones."""
    given = dict(locals())
    from zeuxis.evaluation.compare import compare_sets
    from zeuxis.storage.places import check_empty, check_file_place, check_folder_place

    if out is not None:
        check_folder_place(out, own="metrics.json")
        if not (out / "metrics.json").exists():
            check_empty(out, "a table of metrics")
    if save_reference is not None:
        check_file_place(save_reference, "--save-reference")
    names = [name.strip() for word in wanted or () for name in word.split(",") if name.strip()]
    found = compare_sets(
        generated, real, data=data, reference=reference, held_out=held_out, most=most, metrics=names, features=features,
        scorer=scorer, count=count, draws=draws, strict=strict, save=save_reference, device=device,
        report=None if quiet else _say,
    )  # fmt: skip
    for embedded in (found.generated, found.real, found.held_out):
        if embedded is not None:
            _left_out(embedded)
    for note in found.notes():
        typer.echo(f"note: {note}", err=True)
    _table(found)
    if out is not None:
        from zeuxis.experiments.metrics_page import write_metrics

        for path in write_metrics(out, found, _command(given)):
            typer.echo(str(path))


def _command(given: dict[str, Any]) -> str:
    """The words that make the same again: what is not as it is without a flag."""
    words = ["zeuxis", "metrics", str(given["generated"]), str(given["real"])]
    for name, parameter in inspect.signature(metrics).parameters.items():
        value = given[name]
        if name in ("generated", "real", "quiet") or value == parameter.default or value == []:
            continue
        flag = "--metrics" if name == "wanted" else f"--{name.replace('_', '-')}"
        words += (
            [flag]
            if value is True
            else [w for v in (value if isinstance(value, list) else [value]) for w in (flag, str(v))]
        )
    return shlex.join(words)


def _say(what: str, done: int, of: int) -> None:
    rewrite_line(f"{printable(what)}: {done:,} of {of:,}", done >= of)


def _left_out(found: Embedded) -> None:
    """Names the files that were left out, the first five one by one."""
    if not found.left_out:
        return
    typer.echo(f"{found.name}: {len(found.left_out)} files could not be read and are left out:", err=True)
    for line in found.left_out[:5]:
        typer.echo(f"  {line}", err=True)
    if len(found.left_out) > 5:
        typer.echo(f"  and {len(found.left_out) - 5} more", err=True)


def _table(found: Compared) -> None:
    """Name, value, interval, floor; refused metrics with their reason below."""
    shown = [result for result in found.results if result.value is not None]
    width = max([len(result.name) for result in shown] + [6])
    typer.echo(f"{'metric':{width}}  {'value':>10}  {'95 % interval':>22}  {'floor':>10}  better")
    for result in shown:
        interval = f"{_number(result.interval[0])} to {_number(result.interval[1])}" if result.interval else "-"
        n = result.settings["n"]
        floor = "-" if result.floor is None else _number(result.floor)
        fewer = f"  floor of {result.floor_n:,} pictures" if 0 < result.floor_n < n else ""
        line = (
            f"{result.name:{width}}  {_number(result.value):>10}  {interval:>22}  {floor:>10}  {result.better or '-'}"
        )
        typer.echo(line + fewer)
    for result in found.results:
        if result.refused:
            typer.echo(f"refused: {result.refused}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"
