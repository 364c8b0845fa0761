"""Frozen picture features for a small scorer: MobileNet v2 maps, a small trunk's last stage, colours by place.

MobileNet v2: Sandler et al. 2018, arXiv 1801.04381. Nothing here is trained; everything is differentiable with respect
to the pictures, so that a search may follow the gradient. The colour histogram is soft (hat functions on a lattice in
RGB), because mean features alone keep the kind of a thing and lose its colour.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.mobilenet import MobileNetV2
from zeuxis.nets.trunk import Trunk

SMALL = 32  # pixels a side of what the trunk and the colour histogram see
LEVELS = 4  # of each of R, G, B in the histogram
BLOCKS = {"early": 216, "middle": 288, "late": 192, "last": 320, "pooled": 1280, "colours": 128, "places": 48}


def resized(images: Tensor, size: int) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 3, size, size) in [0, 1]: bicubic, antialiased."""
    if images.shape[-2:] == (size, size):
        return images
    rows, columns = (_bicubic(n, size).to(images.device, images.dtype) for n in images.shape[-2:])
    # As products with two small matrices: on a CPU two to four times as fast as torch's own loop.
    return (rows.mT @ (images @ columns)).clamp(0, 1)


@lru_cache(64)
def _bicubic(length: int, size: int) -> Tensor:
    """(length, size): how much a pixel of a row counts for each pixel of the resized one, antialiased."""
    wide = F.interpolate(torch.eye(length)[None, None], (length, size), mode="bicubic", antialias=True)
    return wide[0, 0]


def colour_histogram(small: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 2 * 64): soft counts on a 4 x 4 x 4 lattice in RGB, of middle and border.

    Each pixel shares itself among the eight nearest points by trilinear weights, so both halves sum to 1.
    """
    levels = torch.linspace(0, 1, LEVELS, device=small.device)
    far = (small[:, :, None] - levels[:, None, None]).abs() * (LEVELS - 1)
    hats = (1 - far).clamp(min=0).flatten(3)  # (N, 3, L, P)
    place = torch.linspace(-1, 1, small.shape[-1], device=small.device)
    middle = torch.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 0.45**2)).flatten()
    weights = torch.stack([middle / middle.sum(), (1 - middle) / (1 - middle).sum()])  # (2, P)
    red, green, blue = hats.unbind(1)
    pairs = (red[:, :, None] * green[:, None]).flatten(1, 2)  # (N, L * L, P)
    return torch.cat([(pairs * w) @ blue.transpose(1, 2) for w in weights], 1).flatten(1)


class PictureFeatures(nn.Module):
    """Images (N, 3, H, W) in [0, 1], any size -> features (N, D) float32, not normalised.

    `size` pixels a side is what MobileNet sees. `trunk` (a pocket scorer's, at 32 px) adds twice its last width. The
    blocks in order, and how long they are: BLOCKS, then "trunk".
    """

    def __init__(self, mobilenet: MobileNetV2, trunk: Trunk | None = None, size: int = 96) -> None:
        super().__init__()
        self.mobilenet, self.trunk, self.size = mobilenet, trunk, size
        self.blocks = BLOCKS | ({"trunk": 2 * trunk.widths[-1]} if trunk else {})
        self.requires_grad_(False)

    @property
    def width(self) -> int:
        """D."""
        return sum(self.blocks.values())

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, D)."""
        large = resized(images, self.size).contiguous(memory_format=torch.channels_last)
        small = resized(images, SMALL)
        four, eight, sixteen, last = self.mobilenet.taps(large * 2 - 1)
        pooled = F.relu6(self.mobilenet.last(last))
        found = [
            F.adaptive_avg_pool2d(four, 3).flatten(1),
            F.adaptive_avg_pool2d(eight, 3).flatten(1),
            torch.cat([sixteen.mean((2, 3)), sixteen.amax((2, 3))], 1),
            last.mean((2, 3)),
            pooled.mean((2, 3)),
            colour_histogram(small.float()),
            F.adaptive_avg_pool2d(small, 4).flatten(1),
        ]
        if self.trunk is not None:
            found.append(self.trunk(small.contiguous(memory_format=torch.channels_last) * 2 - 1))
        return torch.cat([block.float() for block in found], 1)
