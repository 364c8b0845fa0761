"""`zeuxis train RECIPE --data PATH`: one network by one recipe. The same command again goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.process import INTERRUPTED
from zeuxis.errors import BadInput

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis train pocket-judge --data cifar-10-python.tar.gz\n\n"
    "zeuxis train my-recipe.toml --data pictures/ --out runs/mine --images 100000"
)
def train(
    recipe: Annotated[str, typer.Argument(help="see `zeuxis list recipes`, or a .toml file", show_default=False)],
    data: Annotated[Path, typer.Option(help="the data set: a file or a folder", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="folder of the training; runs/recipe-NAME if not given")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="folder with networks that the recipe builds on, in place of the package's")
    ] = None,
    variant: Annotated[str, typer.Option(help="cpu, the recipe as it is, or another that it has, as gpu")] = "cpu",
    images: Annotated[int | None, typer.Option(min=1, help="images shown in total, in place of the recipe's")] = None,
    trust_paths: Annotated[
        bool, typer.Option("--trust-paths", help="use the folder that a recipe names by path, for its features")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="train with so many seeds, one after another; a panel with intervals")
    ] = 1,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="processes of this machine that share each batch (GANs, on the CPU)")
    ] = 1,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="write scalars and sample grids for TensorBoard as well")
    ] = False,
) -> None:
    """Train one network by a recipe. The same command again goes on where it stopped."""
    if not _there(data):
        raise BadInput(f"Expected a data set at {data}, found nothing there. Give its place with --data PATH.")
    from zeuxis import workflows
    from zeuxis.cli.process import Interrupts
    from zeuxis.cli.training import TrainingProgress
    from zeuxis.lab.recipe_files import default_folder

    folder = out or default_folder(recipe, variant)
    with Interrupts() as interrupts:
        progress = TrainingProgress(lambda: interrupts.asked)

        def stop() -> bool:
            interrupts.gentle = True  # the loop has begun: from here on a first signal waits for the step under way
            return interrupts.asked

        try:
            files = workflows.train(
                recipe, data, out=folder, weights=weights, variant=variant, images=images, device=device,
                say=progress.say, trust_paths=trust_paths, seeds=seeds, processes=processes, tensorboard=tensorboard,
                listener=progress, stop=stop,
            )  # fmt: skip
        except KeyboardInterrupt:
            progress.close()
            progress.say(_interrupted(folder, seeds))
            raise typer.Exit(INTERRUPTED) from None
        finally:
            progress.close()
    for file in files:
        typer.echo(str(file))


def _interrupted(folder: Path, seeds: int) -> str:
    """What is there now, and how it goes on."""
    if seeds > 1:
        return f"\nInterrupted. {folder} holds what there is of {seeds} trainings; the same command again goes on."
    from zeuxis.lab.checkpoint import images_in

    done = images_in(folder)
    if done is None:
        return "\nInterrupted before the first checkpoint: nothing is kept. The same command again starts afresh."
    return f"\nInterrupted. {folder} holds a checkpoint of {done:,} images; the same command again goes on from there."


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
