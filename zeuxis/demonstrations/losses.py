"""Cross entropy against squared error, with all else equal."""

from __future__ import annotations

from typing import Any

import torch

from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot, rows_png
from zeuxis.demonstrations.judged import HEAD, compared, real_row
from zeuxis.demonstrations.toy import on_pictures, pictures
from zeuxis.lab.objectives import OBJECTIVES

NAMES = {"non-saturating": "cross entropy", "least-squares": "squared error"}


def show(settings: Settings) -> Shown:
    """The same networks under both objectives, and both losses of the generator over the discriminator's output."""
    real, what = pictures(settings)
    trained = [(NAMES[name], on_pictures(settings, objective=name).run(real, settings.count(500))) for name in NAMES]
    rows = [real_row(real, settings)] + [compared(name, toy.draw, real, settings) for name, toy in trained]

    def curves(left: Any, right: Any) -> None:
        outputs = torch.linspace(-6, 6, 200)
        for colour, name in zip(COLOURS, NAMES, strict=False):
            of = OBJECTIVES[name]()
            left.plot(
                outputs.tolist(), [float(of.generator(x[None])) for x in outputs], color=colour, label=NAMES[name]
            )
        for colour, (name, toy) in zip(COLOURS, trained, strict=False):
            values = torch.tensor(toy.losses).unfold(0, min(50, len(toy.losses)), 1).mean(2)
            right.plot(values[:, 0].tolist(), color=colour, label=f"{name}, D")
            right.plot(values[:, 1].tolist(), color=colour, linestyle=":", label=f"{name}, G")
        left.set_ylim(0, 12)
        left.set_xlabel("D(G(z))")
        left.set_ylabel("loss of the generator")
        right.set_xlabel("step (means over 50)")
        right.set_ylabel("loss")
        left.legend(fontsize=8)
        right.legend(fontsize=8)

    images = [(row.name.replace(" ", "\n"), row.images) for row in rows]
    return Shown(
        "Cross entropy or squared error?",
        "Goodfellow et al. 2014; Mao et al. 2017, “Least squares generative adversarial networks”, arXiv 1611.04076.",
        (
            f"Two small DCGANs on {what} of 16 pixels, equal but for the objective. Squared error pulls generated "
            "pictures towards the decision boundary from both sides: one that D already takes for real, far beyond 1, "
            "still has a gradient, where cross entropy is flat.",
            "Losses of the two are on different scales and say nothing about which draws better; compare the figures.",
        ),
        (
            Picture("pictures.png", rows_png(images, 48), "Real pictures, and those of both generators."),
            Picture("losses.png", plot(curves, 2), "Left: the generator's loss for one picture. Right: training."),
        ),
        HEAD,
        tuple(row.figures for row in rows),
    )
