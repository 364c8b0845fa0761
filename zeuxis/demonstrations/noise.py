"""Noise on latents, which moves pictures smoothly, and noise on pictures, which networks mind more than people do."""

from __future__ import annotations

from typing import Any

import torch

from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot, rows_png
from zeuxis.generators.pocket import Pocket
from zeuxis.rng import stream
from zeuxis.scorers.classifier import PocketJudge

LEVELS, SHOWN = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8), 10


@torch.no_grad()
def show(settings: Settings) -> Shown:
    """The shipped CIFAR-10 generator and judge at each level of both noises."""
    model, judge, count = Pocket(torch.device("cpu")), PocketJudge(), settings.count(400, 12)
    x = model.space.sample(count, stream(settings.seed, "latents"))
    z = x.shape[1] - model.space.spaces[1].dim  # type: ignore[attr-defined]
    plain, noise = _drawn(model, x), torch.randn(count, z, generator=stream(settings.seed, "noise"))
    label = judge.probabilities(plain).argmax(1)
    grain = torch.randn(plain.shape, generator=stream(settings.seed, "grain"))
    table, latents, pictures = [], [], []
    for level in LEVELS:
        moved = x.clone()
        moved[:, :z] = ((x[:, :z] + level * noise) / (1 + level**2) ** 0.5).clamp(-3, 3)
        drawn, noisy = _drawn(model, moved), (plain + level * grain).clamp(0, 1)
        latents.append((f"latents {level:g}", drawn[:SHOWN]))
        pictures.append((f"pixels {level:g}", noisy[:SHOWN]))
        same = [float((judge.probabilities(images).argmax(1) == label).double().mean()) for images in (drawn, noisy)]
        change = float((drawn - plain).square().mean((1, 2, 3)).sqrt().mean())
        table.append((f"{level:g}", change, same[0], same[1], float(model.realism(noisy).mean())))

    def curves(left: Any, right: Any) -> None:
        left.plot(LEVELS, [row[2] for row in table], color=COLOURS[0], marker="o", label="noise on latents")
        left.plot(LEVELS, [row[3] for row in table], color=COLOURS[1], marker="o", label="noise on pixels")
        right.plot(LEVELS, [row[4] for row in table], color=COLOURS[1], marker="o", label="noise on pixels")
        left.set_ylabel("share that the judge calls the same")
        left.set_ylim(0, 1.02)
        right.set_ylabel("mean logit of the discriminator")
        for axes in (left, right):
            axes.set_xlabel("deviation of the noise")
            axes.legend(fontsize=8)

    return Shown(
        "Noise on latents, noise on pixels",
        "By the shipped generator `pocket` (CIFAR-10, 32 pixels), its discriminator and the pocket judge.",
        (
            "Latents of deviation 1 get normal noise and are scaled back to deviation 1, labels stay: pictures change "
            "pose and background and remain what they are. A generator that had learnt pictures by heart would jump.",
            "The same numbers on pixels (0 to 1) hardly hinder a person at 0.1, while the judge, which was trained on "
            "clean pictures, calls almost nothing by its name any more, and the discriminator, which never saw noise, "
            "may find it more real. A search by such networks alone can use this: it finds patterns, not pictures.",
        ),
        (
            Picture("latents.png", rows_png(latents), "Noise on latents."),
            Picture("pixels.png", rows_png(pictures), "Noise on pixels."),
            Picture("curves.png", plot(curves, 2), "Answers of the networks."),
        ),
        ("noise", "change by noise on latents, RMS", "same class, latents", "same class, pixels", "logit of D, pixels"),
        tuple(table),
    )


def _drawn(model: Pocket, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([model.render(piece) for piece in torch.split(x, 50)])
