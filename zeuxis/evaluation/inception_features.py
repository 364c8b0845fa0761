"""What Inception-v3 sees in pictures, computed so that FID, KID and IS compare with published numbers.

Pictures are rounded to 8 bits, resized to 299 pixels as TensorFlow 1 did, and shifted to (grey level - 128) / 128
(Heusel et al. 2017, arXiv 1706.08500; Obukhov et al. 2020, torch-fidelity). Always float32.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.model_file import build, file_sha256
from zeuxis.nets.inception import SIZE, Inception
from zeuxis.nets.layers import exact_convolutions, placed


def resize_tf1(images: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) float32, any range -> (N, C, height, width). The same size comes back as it was."""
    return _along(_along(images, width, 3), height, 2)


def _along(x: Tensor, size: int, axis: int) -> Tensor:
    """Linear interpolation along one axis."""
    given = x.shape[axis]
    if given == size:
        return x
    # float32 throughout, as the original computed its places: half a grey level may hang on the last bit
    place = torch.arange(size, dtype=torch.float32) * torch.tensor(given / size, dtype=torch.float32)
    low = place.floor().long().clamp(max=given - 1)
    share = (place - low).to(x.device, x.dtype).view([-1 if d == axis else 1 for d in range(x.ndim)])
    low = low.to(x.device)
    below, above = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=given - 1))
    return below + (above - below) * share


class InceptionFeatures:
    """`path` is the converted file of the network of 2015-12-05."""

    def __init__(self, path: Path, device: torch.device | None = None, batch: int = 32) -> None:
        self.device = device or torch.device("cpu")
        net = build(path, "network")
        if not isinstance(net, Inception):
            raise WeightsRefused(
                path, f"holds a {type(net).__name__}, expected Inception: zeuxis models pull inception-fid"
            )
        self.sha256, self.batch = file_sha256(path), batch
        self.net = placed(net.fold(), self.device)

    def __call__(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size, or uint8 -> features `(N, 2048)` float32 on the CPU."""
        return self.taps(images)[2048]

    def logits(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W) -> (N, 1008)` without the bias, as the Inception Score wants them, on the CPU."""
        return self.logits_of(self(images))

    @torch.no_grad()
    def logits_of(self, features: Tensor) -> Tensor:
        """The same from features `(N, 2048)` already at hand."""
        return self.net.logits(features.to(self.device)).cpu()

    @torch.no_grad()
    def taps(self, images: Tensor) -> dict[int, Tensor]:
        """The means over places at each depth: `{64: (N, 64), 192: ..., 768: ..., 2048: ...}`, on the CPU."""
        if images.ndim != 4 or images.shape[1] != 3 or not len(images):
            raise BadInput(f"Expected pictures (N, 3, H, W), at least one, got {tuple(images.shape)}.")
        found = []
        with exact_convolutions():
            for piece in torch.split(images, self.batch):
                x = resize_tf1(grey_levels(piece.to(self.device)), SIZE, SIZE)
                x = ((x - 128) / 128).contiguous(memory_format=torch.channels_last)
                found.append({width: tap.cpu() for width, tap in self.net.taps(x).items()})
        return {width: torch.cat([taps[width] for taps in found]) for width in found[0]}


def grey_levels(images: Tensor) -> Tensor:
    """`(N, 3, H, W)` in [0, 1], or uint8 -> float32 of whole numbers 0 to 255, the values a saved picture has."""
    if images.dtype == torch.uint8:
        return images.float()
    return (images.float().clamp(0, 1) * 255).round()
