"""Straight lines and arcs between latents: z of high dimension lies on a shell, and a straight line leaves it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot, rows_png
from zeuxis.demonstrations.trained import SOURCE, Products

NAME, STEPS = "black handbags", 11


def arc(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Shoemake 1985: sin((1 - t) o) / sin o a + sin(t o) / sin o b, o the angle: (D,), (D,), (T,) -> (T, D)."""
    angle = torch.arccos((a @ b / a.norm() / b.norm()).clamp(-1, 1)).clamp(min=1e-4)
    t = share[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def show(settings: Settings) -> Shown:
    """Lines in z, arcs in z and lines in w between the same two latents; lengths of z, and of each step in pixels."""
    model, share = Products(), torch.linspace(0, 1, STEPS)
    z = model.z(2, settings.seed, "ends")
    ways = {"line in z": torch.lerp(z[0], z[1], share[:, None]), "arc in z": arc(z[0], z[1], share)}
    w = {name: model.styles(points, NAME) for name, points in ways.items()}
    w["line in w"] = torch.lerp(w["arc in z"][0], w["arc in z"][-1], share[:, None])
    drawn = {name: model.draw(points) for name, points in w.items()}
    moved = {name: (x[1:] - x[:-1]).square().mean((1, 2, 3)).sqrt() for name, x in drawn.items()}

    pairs = settings.count(300, 8)
    a, b = (model.z(pairs, settings.seed, "pairs", end) for end in "ab")
    middle = {"line in z": (a + b) / 2, "arc in z": torch.stack([arc(p, q, torch.tensor([0.5]))[0]
              for p, q in zip(a, b, strict=True)])}  # fmt: skip
    lengths = {name: float(points.norm(dim=1).mean()) for name, points in middle.items()}

    def curves(left: Any, right: Any) -> None:
        for colour, (name, points) in zip(COLOURS, ways.items(), strict=False):
            left.plot(share.tolist(), points.norm(dim=1).tolist(), color=colour, label=name)
        left.axhline(model.z_dim**0.5, color="#999999", linestyle=":", label="typical")
        for colour, (name, steps) in zip(COLOURS, moved.items(), strict=False):
            right.plot(share[1:].tolist(), steps.tolist(), color=colour, label=name, marker="o", markersize=3)
        left.set_ylabel("length of z")
        right.set_ylabel("change of the picture, RMS")
        left.set_ylim(bottom=0)
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xlabel("share of the way")
            axes.legend(fontsize=8)

    rows = [(name, lengths.get(name, "–"), float(x.sum()), float(x.max() / x.mean())) for name, x in moved.items()]
    return Shown(
        "Between two latents",
        f"White 2016, arXiv 1609.04468; Karras et al. 2019, section 4.1 (paths in w). {SOURCE}",
        (
            f"Normal latents of {model.z_dim} numbers have lengths near {model.z_dim**0.5:.1f}. The middle of a "
            "straight line between two of them has only about 0.7 of that, a length that the generator hardly saw in "
            "training. An arc keeps the length.",
            "A StyleGAN normalises z first, so here lines and arcs pass the same places at different speed; in "
            "generators without that step the middle of a line looks washed out. The mapping network straightens the "
            "way: in w the straight line is the natural one.",
        ),
        (
            Picture("pictures.png", rows_png(list(drawn.items())), f"{NAME.capitalize()}, from one latent to another."),
            Picture("lengths.png", plot(curves, 2), "Length of the latent, and how far each step moves the picture."),
        ),
        ("way", "length of z in the middle, mean", "sum of the steps (RMS)", "largest step / mean step"),
        tuple(rows),
    )
