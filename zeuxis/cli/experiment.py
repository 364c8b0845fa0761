"""`zeuxis experiment FILE|show FOLDER`: jobs of a TOML file, carried out on one core, on many, or on many machines."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from zeuxis.cli.process import INTERRUPTED

if TYPE_CHECKING:
    from zeuxis.experiments.jobs import Job
    from zeuxis.experiments.results import Result

FAILED = 2  # the exit code when a job has failed
ROWS = 20  # of the table on the terminal
WIDTH = 18  # of a column


class OneOrShow(TyperGroup):
    """`experiment FILE` is `experiment run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The command's name before its words, where it is left out."""
        if not args or args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=OneOrShow,
    add_completion=False,
    rich_markup_mode=None,
    help="Jobs of a TOML file: runs, trainings, evaluations. `zeuxis experiment FILE` carries them out; its flags: "
    "`zeuxis experiment run --help`.",
    epilog="Examples:\n\nzeuxis experiment grid.toml --out runs/grid --executor processes --workers 4\n\n"
    "zeuxis experiment show runs/grid",
)


def own(what: str) -> Any:
    """The flag with which a user names code of his own that the file uses."""
    return typer.Option(help=f"to be repeated where the file names {what} code of your own, module:name")


@app.command(
    epilog="Examples:\n\nzeuxis experiment grid.toml --out runs/grid --executor processes --workers 4\n\n"
    "zeuxis experiment grid.toml --out runs/grid --job 7"
)
def run(
    file: Annotated[Path, typer.Argument(help="the experiment, a TOML file", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="folder of the experiment, runs/NAME if not given; a begun one goes on"),
    ] = None,
    executor: Annotated[str | None, typer.Option(help="local, processes or ray (default: by --workers)")] = None,
    workers: Annotated[int, typer.Option(min=0, max=4096, help="jobs at a time; 0 takes one for each core")] = 1,
    job: Annotated[
        int | None, typer.Option(min=0, help="only this job, counted from 0, in this process: a task of an array job")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="print how many jobs there are, and exit")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try jobs again that have failed")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="insist on Parquet (needs the extra `parquet`)")] = False,
    trust_paths: Annotated[
        bool, typer.Option("--trust-paths", help="read what the file names by path: data sets, models, pictures")
    ] = False,
    search: Annotated[list[str] | None, own("search")] = None,
    generator: Annotated[list[str] | None, own("generator")] = None,
    scorer: Annotated[list[str] | None, own("scorer")] = None,
    judge: Annotated[list[str] | None, own("judge")] = None,
    evaluation: Annotated[list[str] | None, own("evaluation")] = None,
) -> None:
    """Carry out the jobs of a file. The same command goes on after any interruption."""
    from zeuxis.compute.threads import cores
    from zeuxis.experiments.driver import Settings, run_experiment, run_one
    from zeuxis.experiments.jobs import read_plan
    from zeuxis.plugins import trust

    plan = read_plan(file)
    if count:
        typer.echo(str(len(plan.all_jobs())))
        return
    out = out or Path("runs") / plan.name.replace(" ", "-")
    trust(search, generator, scorer, judge, evaluation)
    workers = workers or cores()
    executor = executor or ("local" if workers == 1 else "processes")
    own_code = {"search": search, "generator": generator, "scorer": scorer, "judge": judge, "evaluation": evaluation}
    more = [f"--{name}={one}" for name, said in own_code.items() for one in said or ()]
    more += ["--trust-paths"] * trust_paths + ["--parquet"] * parquet
    how = ["--executor", executor, "--workers", str(workers)]
    command = shlex.join(["zeuxis", "experiment", str(file), "--out", str(out), *how, *more])
    settings = Settings(executor, workers, retry_failed, trust_paths, parquet, command)
    with _gently(out) as stop:
        if job is not None:
            one, result = run_one(plan, out, job, settings, stop)
            _say(1, 1, one, result)
            if result.status == "failed":
                raise typer.Exit(FAILED)
            return
        done = run_experiment(plan, out, settings, report=_say, say=_note, stop=stop)
    for path in done.files:
        typer.echo(str(path))
    if done.failed:
        one, result = done.failed[0]
        typer.echo(
            f"{len(done.failed)} of {done.done + len(done.failed)} jobs failed, the first of them {one.title}: "
            f"{result.reason} `zeuxis experiment show {out}` lists them; --retry-failed tries them again.",
            err=True,
        )
        raise typer.Exit(FAILED)


@app.command(epilog="Examples:\n\nzeuxis experiment show runs/grid\n\nzeuxis experiment show runs/grid | head")
def show(
    folder: Annotated[Path, typer.Argument(help="the folder of an experiment", show_default=False)],
) -> None:
    """Read an experiment: how far, failures, first rows."""
    from zeuxis.experiments.results import TABLES, JobFolder, Results, table_records
    from zeuxis.storage.reading import printable

    results = Results(folder, _note)
    plan = results.plan()
    jobs, known = plan.all_jobs(), results.index()
    known |= results.beside(known)  # of array jobs that no driver has collected yet
    if others := len(set(known) - {job.key for job in jobs}):
        _note(f"{others} results here are of jobs that experiment.json has not, or not any more.")
    typer.echo(printable(f"{plan.name}{': ' if plan.about else ''}{plan.about}") + "\n")
    for group in plan.jobs:
        here = [known.get(job.key) for job in jobs if job.group == group.name]
        done, bad = (sum(r is not None and r.status == status for r in here) for status in ("done", "failed"))
        seconds = sum(r.seconds for r in here if r is not None)
        left = f", {len(here) - done - bad} left" if done + bad < len(here) else ""
        typer.echo(
            f"{group.name}: {group.kind}, {done} of {len(here)} done, {bad} failed{left}, {seconds:,.0f} s of work"
        )
    for job in jobs:
        tries = JobFolder(results.root, job.key).tries() if job.key not in known else []
        if (result := known.get(job.key)) is not None and result.status == "failed":
            typer.echo(f"failed: {printable(job.title)} ({job.key}): {printable(result.reason)}")
        elif tries:
            typer.echo(f"tried {len(tries)} times: {printable(job.title)} ({job.key}): {printable(tries[-1])}")
    _table(table_records(jobs, known))
    for name in (*TABLES, "report.html"):
        if (folder / name).exists():
            typer.echo(str(folder / name))


@contextmanager
def _gently(out: Path) -> Iterator[Any]:
    """The question whether a signal has asked for an end. A first one waits for the jobs' state to be saved."""
    from zeuxis.cli.process import Interrupts

    with Interrupts() as interrupts:
        interrupts.gentle = True
        try:
            yield lambda: interrupts.asked
        except KeyboardInterrupt:
            typer.echo(f"\nInterrupted; what is done is in {out}. The same command goes on.", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _table(records: list[dict[str, Any]]) -> None:
    """The first rows, with what varies and the numbers."""
    from zeuxis.storage.reading import printable

    if not records:
        return
    names = [name for name in records[0] if name not in ("job", "kind", "reason")]
    rows = [names, *([_cell(record[name]) for name in names] for record in records[:ROWS])]
    widths = [max(min(WIDTH, len(row[k])) for row in rows) for k in range(len(names))]
    typer.echo("")
    for row in rows:
        cells = (f"{printable(cell)[:WIDTH]:{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
    if len(records) > ROWS:
        typer.echo(f"and {len(records) - ROWS:,} more rows in table.csv")
    typer.echo("")


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _say(done: int, count: int, job: Job, result: Result) -> None:
    numbers = ", ".join(f"{name} {_cell(value)}" for name, value in list(result.numbers.items())[:3])
    said = numbers if result.status == "done" else f"failed: {result.reason}"
    typer.echo(f"{done} of {count}  {job.title}  {said}  {result.seconds:.1f} s", err=True)


def _note(sentence: str) -> None:
    typer.echo(f"note: {sentence}", err=True)
