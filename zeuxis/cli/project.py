"""`zeuxis project`: the latent of a picture, found by gradient descent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeuxis.cli.generators import Enlarged, note, open_generator

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples:\n\nzeuxis project shoe.jpg --out shoe\n\nzeuxis project cat.jpg --generator stylegan2-cat"
)
def project(
    photo: Annotated[Path, typer.Argument(help="a picture; its middle square is taken", show_default=False)],
    generator: Annotated[str, typer.Option(help="as for `zeuxis generate`")] = "pocket-products",
    truncation: Annotated[float | None, typer.Option(help="as for `zeuxis generate`; 1 for StyleGANs")] = None,
    space: Annotated[str | None, typer.Option(help="as for `zeuxis generate`; w+ where there are styles")] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", help="as for `zeuxis generate`")] = None,
    steps: Annotated[int, typer.Option(min=0, max=100_000, help="of Adam")] = 200,
    starts: Annotated[int, typer.Option(min=1, max=64, help="latents that are improved side by side")] = 4,
    draws: Annotated[int, typer.Option(min=1, max=100_000, help="random draws, of which the best are starts")] = 256,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="the same seed gives the same latent")] = 0,
    generator_option: Annotated[list[str] | None, typer.Option(help="as for `zeuxis generate`")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    out: Annotated[Path, typer.Option(help="a folder, or a .png; the comparison lies beside it")] = Path("projected"),
    enlarge: Enlarged = "256",
    quiet: Annotated[bool, typer.Option("--quiet", help="print the files and nothing else")] = False,
) -> None:
    """Find the latent whose picture is nearest to a photo; a start for `zeuxis generate --start-from`."""
    from zeuxis.generators.base import layer_sizes
    from zeuxis.pictures.enlarge import parse_enlarge
    from zeuxis.tools import project as projection

    size = parse_enlarge(enlarge or "256")
    projection.places(out, photo)
    if starts > draws:
        draws = starts
    projection.read_target(photo, 8)  # what is no picture is said before a model is loaded
    made, options = open_generator(generator, truncation, space, classes, device, generator_option)
    styled = bool(layer_sizes(made))
    if space is None and styled:
        open_up = truncation is None and hasattr(made, "truncation")
        psi = 1.0 if open_up else truncation
        made, options = open_generator(generator, psi, "w+", classes, device, generator_option)
        note("" if quiet else "The generator has styles, so the latent is sought in its space w+.")

    def heard(step: int, distance: float) -> None:
        if not quiet:
            typer.echo(f"step {step} of {steps}: distance {distance:.4f}", err=True)

    found, files = projection.project(
        photo, made, out, options=options, seed=seed, enlarge=size, steps=steps, starts=starts, draws=draws, heard=heard
    )
    if not quiet:
        typer.echo(found.in_words())
    for path in files:
        typer.echo(str(path))
