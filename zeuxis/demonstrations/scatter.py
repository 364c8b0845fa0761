"""Points in the plane on matplotlib axes."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor, nn

from zeuxis.demonstrations.base import COLOURS, INK

EDGE, CELLS = 1.75, 60
REAL_OR_NOT = LinearSegmentedColormap.from_list("said", ["#e9c9bb", "#fbfaf8", "#bcd9c7"])


def frame(axes: Any, title: str) -> None:
    """A square view of the plane."""
    axes.set_xlim(-EDGE, EDGE)
    axes.set_ylim(-EDGE, EDGE)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])


def cloud(axes: Any, points: Tensor, title: str, centres: Tensor | None = None) -> None:
    """Points (N, 1, 1, 2), over rings around centres (K, 2)."""
    frame(axes, title)
    if centres is not None:
        axes.scatter(*centres.T.numpy(), s=260, facecolors="none", edgecolors="#b9bdc4", linewidths=1.2)
    axes.scatter(*points.flatten(1).T.numpy(), s=3, color=COLOURS[0], alpha=0.5, linewidths=0)


@torch.no_grad()
def surface(axes: Any, discriminator: nn.Module) -> None:
    """The probability that each place is real, green for yes."""
    line = torch.linspace(-EDGE, EDGE, CELLS)
    x, y = torch.meshgrid(line, line, indexing="xy")
    said = discriminator(torch.stack([x, y], 2).view(-1, 1, 1, 2)).sigmoid().view(CELLS, CELLS).numpy()
    axes.imshow(
        said, extent=(-EDGE, EDGE, -EDGE, EDGE), origin="lower", cmap=REAL_OR_NOT, vmin=0, vmax=1,
        interpolation="bilinear", aspect="equal",
    )  # fmt: skip
