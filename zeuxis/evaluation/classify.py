"""What independent classifiers recognise in images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.metrics.intervals import wilson

__all__ = ["predict", "recognised", "wilson"]


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
