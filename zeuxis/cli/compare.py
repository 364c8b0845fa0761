"""`zeuxis compare`: searches side by side on the same phrases, seeds and images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.process import INTERRUPTED

app = typer.Typer(add_completion=False, rich_markup_mode=None)

DEFAULT = ("ga-thesis", "de-rand", "de-best", "best-of-n", "cma-ga", "sep-cma-es")


@app.command(
    epilog="Examples:\n\nzeuxis compare --search ga --search sep-cma-es --phrase 'a photo of a cat' --seeds 3\n\n"
    "zeuxis compare --search 'ga augment=4' --population 16 --out runs/augment --workers 2"
)
def compare(
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="a search with settings, e.g. 'ga augment=4 tournament=4'; default: as `zeuxis generate` does for the "
            "generator; several times"
        ),
    ] = None,
    phrase: Annotated[
        list[str] | None, typer.Option(help="several times; twenty for the pocket models if none", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="seeds for each phrase")] = 5,
    first_seed: Annotated[int, typer.Option(min=0, help="the first of them")] = 0,
    population: Annotated[list[int] | None, typer.Option(help="images per generation; several times")] = None,
    generations: Annotated[int, typer.Option(min=1, help="the budget is population x generations images")] = 200,
    baseline: Annotated[str, typer.Option(help="whose final score is the target")] = "ga-thesis",
    generator: Annotated[str, typer.Option(help="as for `zeuxis generate`")] = "pocket",
    scorer: Annotated[
        list[str] | None, typer.Option(help="what guides all searches; if none, what suits the generator")
    ] = None,
    judge: Annotated[
        str, typer.Option(help="as for `zeuxis generate`; auto: as suits the generator; none for no judge")
    ] = "auto",
    held_out: Annotated[
        list[str] | None, typer.Option(help="scorers or classifiers that guide no search; several times")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16, the same for all runs")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="runs at a time; 0 takes one for each core")] = 1,
    executor: Annotated[str | None, typer.Option(help="local, processes or ray (default: by --workers)")] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="insist on Parquet (needs the extra `parquet`)")] = False,
    trust_paths: Annotated[
        bool, typer.Option("--trust-paths", help="read what an experiment of somebody else names by path")
    ] = False,
    out: Annotated[Path, typer.Option(help="folder of the experiment; where it holds one, it goes on")] = Path(
        "runs/compare"
    ),
) -> None:
    """Compare searches: the same phrases, seeds and images for all; table, figures and page."""
    from zeuxis.storage.places import check_folder_place

    check_folder_place(out, own="design.json")
    from zeuxis import workflows
    from zeuxis.experiments.phrases import TWENTY
    from zeuxis.prompts.series import every

    try:
        files = workflows.compare(
            out,
            workers=workers,
            executor=executor,
            parquet=parquet,
            listener=_say,
            say=lambda sentence: typer.echo(f"note: {sentence}", err=True),
            variants=tuple(search or DEFAULT),
            phrases=every(phrase) if phrase else TWENTY,
            seeds=seeds,
            first_seed=first_seed,
            populations=tuple(population or (16, 64)),
            generations=generations,
            baseline=baseline,
            generator=generator,
            scorer=tuple(scorer or ("auto",)),
            judge=None if judge == "none" else judge,
            held_out=tuple(held_out or ()),
            precision=precision,
            device=device,
            trust_paths=trust_paths,
        )
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted; what is done is in {out}. The same command goes on.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    for path in files:
        typer.echo(str(path))


def _say(done: int, count: int, row: dict[str, object]) -> None:
    curve = row["curve"]
    best = curve[-1] if isinstance(curve, list) else curve
    about = f"{row['variant']}, population {row['population']}, seed {row['seed']}, {row['phrase']}"
    typer.echo(f"{done} of {count}  {best:.4f}  {about}  {row['seconds']} s", err=True)
