"""`zeuxis train RECIPE --data PATH`: one network by one recipe. The same command again goes on where it stopped."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.main import INTERRUPTED
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
    images: Annotated[int | None, typer.Option(min=1, help="images shown in total, in place of the recipe's")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
) -> None:
    """Train one network by a recipe. The same command again goes on where it stopped."""
    from zeuxis.lab.recipe_files import load

    config = load(recipe)
    if images is not None:
        config = config.model_copy(update={"images": images})
    if not _there(data):
        raise BadInput(f"Expected a data set at {data}, found nothing there. Give its place with --data PATH.")
    folder = out or Path("runs") / f"recipe-{Path(recipe).stem}"
    from zeuxis.cli.running import Interrupts
    from zeuxis.compute.device import choose_device
    from zeuxis.lab.train import train as run_recipe

    _note(f"{config.about or recipe}: {config.images:,} images, folder {folder}")
    with Interrupts() as interrupts:

        def stop() -> bool:
            interrupts.gentle = True  # the loop has begun: from here on a first signal waits for the step under way
            return interrupts.asked

        try:
            files = run_recipe(
                config, data, folder, device=choose_device(device), weights=weights, report=_say, say=_note, stop=stop
            )
        except KeyboardInterrupt:
            _note(_interrupted(folder))
            raise typer.Exit(INTERRUPTED) from None
    for file in files:
        typer.echo(str(file))


def _interrupted(folder: Path) -> str:
    """What is there now, and how it goes on."""
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


def _note(text: str) -> None:
    with contextlib.suppress(OSError):  # of a terminal that was closed: the training goes on, or ends with a checkpoint
        typer.echo(text, err=True)


def _say(line: dict[str, float]) -> None:
    figures = "  ".join(f"{name} {value:,.4g}" for name, value in line.items() if name != "images")
    with contextlib.suppress(OSError):
        typer.echo(f"images {int(line['images']):>10,}  {figures}")
    if line.get("collapse_signs", 0) >= 2:
        _note(
            "warning: signs of collapse (few different pictures, a discriminator that is always right), usual in the "
            "first images. Look at samples/; what is exported is the best so far."
        )
