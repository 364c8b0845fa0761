"""The toy generator: a disc, square or triangle in one colour on a ground of another, drawn by formula.

No weights and no download: the offline seam for tests and examples. Edges are soft, so images have a gradient.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from zeuxis.spaces import Normal, check

SHAPES = ("disc", "square", "triangle")
GENES = 12  # shape's RGB (3), ground's RGB (3), centre (2), size (1), one vote per shape (3)
COLOURS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.7, 0.1),
    "blue": (0.1, 0.1, 0.9),
    "yellow": (0.9, 0.9, 0.1),
    "cyan": (0.1, 0.9, 0.9),
    "magenta": (0.9, 0.1, 0.9),
    "black": (0.05, 0.05, 0.05),
    "white": (0.95, 0.95, 0.95),
    "grey": (0.5, 0.5, 0.5),
}


class ToyGenerator:
    """12 genes -> one shape on one ground, `(N, 3, 32, 32)` in [0, 1]. Deterministic on every device."""

    name = "toy"
    sha256 = hashlib.sha256(b"zeuxis toy generator, drawing 1").hexdigest()  # raise the number when a pixel changes
    resolution = 32

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.dtype = torch.float32
        self.space = Normal(GENES, bound=4.0)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Draw in `dtype`; images come out as float32 either way."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, 12) -> (N, 3, 32, 32)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        x = check(self.space, x).to("cpu", torch.float64)  # so that rounding never depends on the row's place
        shape, ground = torch.sigmoid(1.5 * x[:, 0:3]), torch.sigmoid(1.5 * x[:, 3:6])
        centre, size = 0.4 * torch.tanh(x[:, 6:8]), 0.35 + 0.2 * torch.tanh(x[:, 8:9])
        share = torch.softmax(3 * x[:, 9:12], dim=1)
        shape, ground, centre, size, share = (
            part.to(self.device, self.dtype) for part in (shape, ground, centre, size, share)
        )
        mask = _mask(centre, size, share)  # -> (N, 1, H, W)
        shape, ground = shape[:, :, None, None], ground[:, :, None, None]  # (N, 3) -> (N, 3, 1, 1)
        return (ground + mask * (shape - ground)).float().clamp(0, 1)

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W) -> (N,)`: contrast (deviation of the pixels, 0..0.5) as a logit; flat is not real."""
        contrast = images.float().flatten(2).std(dim=2, correction=0).mean(dim=1)
        return 40 * (contrast - 0.1)

    def describe(self, x: Tensor) -> str:
        """One latent `(12,)` in words: "a red disc on a white ground"."""
        shape = SHAPES[int(x[9:12].argmax())]
        colour, ground = (nearest_colour(torch.sigmoid(1.5 * rgb)) for rgb in (x[0:3], x[3:6]))
        return f"a {colour} {shape} on a {ground} ground"


def nearest_colour(rgb: Tensor) -> str:
    """The name of the colour nearest to `rgb` `(3,)` in [0, 1]."""
    names = list(COLOURS)
    distance = (torch.tensor([COLOURS[n] for n in names]) - rgb.detach().float().cpu()).norm(dim=1)
    return names[int(distance.argmin())]


def _mask(centre: Tensor, size: Tensor, share: Tensor, resolution: int = 32) -> Tensor:
    """How much of each pixel the shape covers: `(N, 2), (N, 1), (N, 3) -> (N, 1, H, W)`; lengths in half images."""
    line = (torch.arange(resolution, device=centre.device, dtype=centre.dtype) + 0.5) * (2 / resolution) - 1
    across = line[None, None, :] - centre[:, 0, None, None]  # (N, 1, W)
    down = line[None, :, None] - centre[:, 1, None, None]  # (N, H, 1)
    size = size[:, :, None]
    # signed distance to each outline, negative inside; the factors make the three areas alike
    disc = torch.sqrt(across**2 + down**2 + 1e-6) - size
    square = torch.maximum(across.abs(), down.abs()) - 0.886 * size
    triangle = torch.maximum(down, math.sqrt(0.75) * across.abs() - 0.5 * down) - 0.67 * size
    cover = torch.sigmoid(-16 * torch.stack((disc, square, triangle), dim=1))  # (N, 3, H, W)
    return (share[:, :, None, None] * cover).sum(dim=1, keepdim=True)
