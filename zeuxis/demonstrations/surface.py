"""Both players in the plane, moving: three shapes of points, and the discriminator's opinion of every place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zeuxis.demonstrations.base import Picture, Settings, Shown, gif, plotted
from zeuxis.demonstrations.scatter import frame, surface
from zeuxis.demonstrations.toy import moons, on_points, ring, spiral
from zeuxis.pictures.writing import sheet_png
from zeuxis.rng import stream

PLACES: dict[str, Callable[[int, torch.Generator], Tensor]] = {"ring": ring, "moons": moons, "spiral": spiral}
FRAMES, SHOWN = 40, 400


def show(settings: Settings) -> Shown:
    """One small GAN for each of PLACES; a picture of all three after equal numbers of steps."""
    toys = {name: on_points(settings, width=96, r1=0.1, batch=96) for name in PLACES}
    real = {name: place(SHOWN, stream(settings.seed, "shown")).flatten(1) for name, place in PLACES.items()}
    frames, each = settings.count(FRAMES), settings.count(45)
    pages = []
    for number in range(frames):
        for name, toy in toys.items():
            toy.run(PLACES[name], 5 if number < 8 else each)  # slowly at first, where most happens

        def draw(*axes: Any) -> None:
            for panel, (name, toy) in zip(axes, toys.items(), strict=True):
                surface(panel, toy.discriminator)
                panel.scatter(*real[name].T.numpy(), s=4, color="#2f6f9f", alpha=0.45, linewidths=0)
                panel.scatter(*toy.draw(SHOWN).flatten(1).T.numpy(), s=4, color="#b4552d", alpha=0.7, linewidths=0)
                frame(panel, f"{name}, step {len(toy.losses):,}")

        pages.append(plotted(draw, len(PLACES), (2.6, 2.85), 90))
    return Shown(
        "The game in the plane",
        "Goodfellow et al. 2014, figure 1, in two dimensions; what GAN Lab (Kahng et al. 2018) shows in a browser.",
        (
            "Blue points are real, red ones generated from normal latents of 8 numbers. The ground is the "
            "discriminator's opinion of each place: green where it says real, red where it says generated, pale where "
            "it cannot tell. Red points move up the slope of the ground, and the ground changes under them.",
            "In the end the ground is pale: D(x) = p(x) / (p(x) + q(x)) is 1/2 where both have as many points. The "
            "spiral is the hardest: its outline comes first, its arms much later than this training ends.",
        ),
        (
            Picture("surface.gif", gif(pages), "Three trainings, one frame after equal steps of all."),
            Picture("last.png", sheet_png(pages[-1]), "The last frame."),
        ),
        ("", "steps", "loss of D (2 log 2 = 1.386 when it cannot tell)", "loss of G (log 2 = 0.693)"),
        tuple((name, len(toy.losses), *toy.losses[-1]) for name, toy in toys.items()),
    )
