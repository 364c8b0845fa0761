"""Truncation: styles drawn nearer to their mean are more alike and more typical."""

from __future__ import annotations

from typing import Any

import torch

from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot, rows_png
from zeuxis.demonstrations.trained import SOURCE, Products
from zeuxis.metrics.diversity import vendi_score
from zeuxis.metrics.health import descriptors
from zeuxis.scorers.imagenet_judge import MobileNetJudge

NAME, SHARES, SHOWN = "black handbags", (0.0, 0.25, 0.5, 0.75, 1.0, 1.5), 10


def show(settings: Settings) -> Shown:
    """One name's pictures at each share; different pictures, the discriminator's opinion, spread in features."""
    model, count, judge = Products(), settings.count(160, 8), MobileNetJudge()
    w = model.styles(model.z(count, settings.seed, "w"), NAME)
    mean = model.styles(model.z(settings.count(2000, 16), settings.seed, "mean"), NAME).mean(0)
    rows, table = [], []
    for share in SHARES:
        images = model.draw(mean + share * (w - mean))
        shown = descriptors(images)
        different = vendi_score(torch.cdist(shown, shown) / shown.shape[1] ** 0.5)
        features = judge.embed(images)
        spread = float((features - features.mean(0)).square().sum(1).mean().sqrt())
        table.append((f"{share:g}", different, float(model.logits(images).mean()), spread))
        rows.append((f"psi = {share:g}", images[:SHOWN]))

    def curves(left: Any, right: Any) -> None:
        left.plot(SHARES, [row[1] for row in table], color=COLOURS[0], marker="o")
        right.plot(SHARES, [row[2] for row in table], color=COLOURS[1], marker="o")
        left.set_ylabel(f"different pictures of {count} (Vendi score)")
        right.set_ylabel("mean logit of the discriminator")
        for axes in (left, right):
            axes.set_xlabel("psi")

    return Shown(
        "Truncation",
        f"Brock et al. 2019, section 3.1; Karras et al. 2019, appendix B: w' = mean + psi (w − mean). {SOURCE}",
        (
            f"The mean is of {NAME} alone. At psi = 0 every latent draws the same picture; up to 1 variety grows; "
            "beyond 1 styles lie further out than any of the training's.",
            "Published pictures of StyleGANs are often of psi = 0.7, published distances of psi = 1: figures of the "
            "two do not compare. The discriminator was trained at psi = 1, so its opinion of others is a hint only.",
        ),
        (
            Picture("pictures.png", rows_png(rows), f"{NAME.capitalize()}: the same latents at each psi."),
            Picture("curves.png", plot(curves, 2), "Variety and the discriminator's opinion."),
        ),
        ("psi", f"different pictures of {count}", "mean logit of D", "spread of MobileNet v1's features"),
        tuple(table),
    )
