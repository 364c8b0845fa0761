"""What independent classifiers recognise in images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput


@torch.no_grad()
def predict(net: nn.Module, images: Tensor, batch: int = 250) -> Tensor:
    """Images (N, 3, 32, 32) in [0, 1] -> class numbers (N,)."""
    return torch.cat([net(piece).argmax(1) for piece in torch.split(images, batch)])


def recognised(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images (N, ...) that `net` takes for their labels (N,)."""
    if not len(images) or labels.shape != (len(images),):
        raise BadInput(
            f"Expected a label for each of at least one picture, got {len(images)} and {len(labels)} labels."
        )
    return float((predict(net, images) == labels).float().mean())


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share of `count` independent trials (Wilson 1927)."""
    if count < 1 or not 0 <= share <= 1:
        raise BadInput(f"Expected a share from 0 to 1 of at least one trial, got {share} of {count}.")
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return centre - half, centre + half
