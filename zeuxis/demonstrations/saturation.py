"""The generator's gradient while the discriminator becomes sure of itself, under both of the first paper's losses."""

from __future__ import annotations

from typing import Any

import torch

from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot
from zeuxis.demonstrations.toy import Toy, on_points, ring
from zeuxis.lab.objectives import OBJECTIVES, called_right
from zeuxis.rng import stream

LOSSES = {"minimax": "saturating: log(1 − s(D(G(z))))", "non-saturating": "non-saturating: −log s(D(G(z)))"}
LOOKS = 60


def gradient(toy: Toy, name: str) -> float:
    """The length of the generator's gradient under the objective of that name."""
    fake = toy.discriminator(toy.generator(toy.z(512, stream(toy.seed, "gradient"))))
    weights = list(toy.generator.parameters())
    slopes = torch.autograd.grad(OBJECTIVES[name]().generator(fake), weights)
    return float(torch.stack([slope.norm() for slope in slopes]).norm())


def show(settings: Settings) -> Shown:
    """Only the discriminator is trained; both gradients and its accuracy along the way."""
    toy = on_points(settings)
    looks, each = settings.count(LOOKS, 3), 10
    steps, accuracy, found = [], [], {name: list[float]() for name in LOSSES}
    for look in range(looks + 1):
        steps.append(look * each)
        for name, values in found.items():
            values.append(gradient(toy, name))
        with torch.no_grad():
            on_real = toy.discriminator(ring(512, stream(settings.seed, "real")))
            accuracy.append(float(called_right(toy.of, on_real, toy.discriminator(toy.draw(512)))))
        for step in range(each * (look < looks)):
            rng = stream(settings.seed, "alone", look, step)
            toy.discriminate(ring(toy.batch, rng), rng)

    def curves(left: Any, right: Any) -> None:
        for colour, (name, values) in zip(COLOURS, found.items(), strict=False):
            left.plot(steps, values, color=colour, label=LOSSES[name])
        left.set_yscale("log")
        left.set_ylabel("length of the generator's gradient")
        right.plot(steps, accuracy, color=COLOURS[2])
        right.set_ylabel("accuracy of the discriminator")
        left.set_xlabel("steps of the discriminator alone")
        right.set_xlabel("steps of the discriminator alone")
        left.legend(fontsize=7)

    rows = [(LOSSES[name], values[0], values[-1], values[-1] / values[0]) for name, values in found.items()]
    return Shown(
        "Why the first paper has a second loss",
        "Goodfellow et al. 2014, section 3; Arjovsky and Bottou 2017, arXiv 1701.04862, figures 2 and 3.",
        (
            "A generator that is not trained yet draws points that a discriminator soon tells from those of a ring of "
            "eight. Here the generator waits; after every few steps of the discriminator its gradient is measured "
            "under both losses, zeuxis.lab.objectives Minimax and NonSaturating.",
            "Minimax fades just when the generator is worst: with D(G(z)) far below 0 the slope of log(1 − s) is "
            "s, almost 0. The second loss has slope s − 1, almost −1, and the gradient grows with the slope of D.",
        ),
        (Picture("gradients.png", plot(curves, 2, (4.6, 3.4)), "Gradients and accuracy."),),
        ("loss", "gradient at the start", "at the end", "ratio"),
        tuple(rows),
    )
