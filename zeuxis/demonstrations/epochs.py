"""50 against 200 passes over few pictures: what more training buys, and when it begins to copy."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.demonstrations.base import Picture, Settings, Shown, rows_png
from zeuxis.demonstrations.judged import HEAD, SHOWN, compared, real_row
from zeuxis.demonstrations.toy import on_pictures, pictures
from zeuxis.rng import stream

PICTURES, BATCH, EPOCHS = 400, 64, (5, 50, 200)


def show(settings: Settings) -> Shown:
    """One training on PICTURES pictures, looked at after each of EPOCHS passes."""
    drawn_from, what = pictures(settings)
    few = drawn_from(PICTURES, stream(settings.seed, "few"))
    toy = on_pictures(settings, batch=BATCH)

    def real(count: int, rng: torch.Generator) -> Tensor:
        return few[torch.randint(len(few), (count,), generator=rng)]

    rows, done = [real_row(drawn_from, settings)], 0
    for epochs in EPOCHS:
        steps = settings.count(epochs * PICTURES // BATCH)
        toy.run(real, max(0, steps - done))
        done = max(done, steps)
        rows.append(compared(f"{epochs} passes", toy.draw, drawn_from, settings))
    nearest = few[torch.cdist(toy.draw(SHOWN).flatten(1), few.flatten(1)).argmin(1)] / 2 + 0.5
    images = [(row.name.replace(" ", "\n"), row.images) for row in rows] + [("nearest\nin training", nearest)]
    return Shown(
        "50 or 200 epochs?",
        "After the comparisons of short and long trainings in textbooks on GANs.",
        (
            f"{PICTURES:,} {what} of 16 pixels, so few that 200 passes take a minute; published trainings make as "
            "many passes over fifty thousand. The latents of a column are the same in every row: the pictures "
            "settle early and then change in detail.",
            "The last row has the training picture nearest to each one of the longest training. Where the two are "
            "alike, the generator draws what it has seen; figures are against pictures that it has not.",
        ),
        (Picture("pictures.png", rows_png(images, 48), "The same latents after more and more passes."),),
        HEAD,
        tuple(row.figures for row in rows),
    )
