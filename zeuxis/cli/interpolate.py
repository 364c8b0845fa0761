"""`zeuxis interpolate`: an animation from seed to seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import Enlarged, note, open_generator

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis interpolate --seeds 1,5,9 --loop\n\nzeuxis interpolate --seeds 0-3 --out animation.mp4"
)
def interpolate(
    seeds: Annotated[str, typer.Option(help="numbers and ranges, in the order of the animation")] = "0-3",
    frames: Annotated[int, typer.Option(min=1, help="pictures from each seed to the next")] = 30,
    rate: Annotated[int, typer.Option(min=1, max=120, help="pictures per second")] = 30,
    loop: Annotated[bool, typer.Option("--loop", help="back to the first seed at the end")] = False,
    generator: Annotated[str, typer.Option(help="as for `zeuxis generate`")] = "pocket",
    truncation: Annotated[float | None, typer.Option(help="as for `zeuxis generate`")] = None,
    space: Annotated[str | None, typer.Option(help="as for `zeuxis generate`")] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="as for `zeuxis generate`")] = None,
    generator_option: Annotated[list[str] | None, typer.Option(help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[Path, typer.Option(help=".gif, .webp, or .mp4 (needs the extra `video`)")] = Path("animation.gif"),
    enlarge: Enlarged = "256",
) -> None:
    """An animation from seed to seed."""
    from zeuxis.pictures.animation import check_animation_place, rate_note
    from zeuxis.pictures.enlarge import parse_enlarge

    size = parse_enlarge(enlarge or "256")
    check_animation_place(out)
    from zeuxis.tools import interpolation
    from zeuxis.tools.sheets import parse_seeds

    numbers = parse_seeds(seeds)
    made, _ = open_generator(generator, truncation, space, classes, device, generator_option)
    animation = interpolation.interpolate(made, numbers, out, frames=frames, rate=rate, loop=loop, enlarge=size)
    note(rate_note(out, rate))
    typer.echo(str(animation))
