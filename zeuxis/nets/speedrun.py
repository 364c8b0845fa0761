"""SpeedrunNet: the judge's network, after airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", arXiv 2404.00498).

A fixed whitening convolution on 2x2 patches, three blocks of two convolutions, GELU, batch norm without gain,
a scaled linear head. It shares neither code path nor weights with the scorer's trunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import bounded


class SpeedrunBlock(nn.Module):
    """Convolution, 2x2 pooling, norm, GELU, convolution, norm, GELU: (N, cin, H, W) -> (N, cout, H/2, W/2)."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(cout, momentum=0.4)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(cout, momentum=0.4)
        for norm in (self.norm1, self.norm2):
            norm.weight.requires_grad_(False)
        for layer in (self.conv1, self.conv2):
            nn.init.dirac_(layer.weight[: layer.in_channels])

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H/2, W/2)."""
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class SpeedrunNet(nn.Module):
    """Images (N, 3, 32, 32) in [-1, 1] -> logits (N, K), the mean over the image and its mirror in eval mode.

    `widths` are the channels of the blocks. BadInput for sizes that no such network has.
    """

    def __init__(self, classes: int = 10, widths: Sequence[int] = (64, 160, 256)) -> None:
        super().__init__()
        bounded("classes", classes, 1, 2**16)
        bounded("the number of widths", len(widths), 1, 4)  # each block halves 32 pixels
        for width in widths:
            bounded("a width", width, 1, 4096)
        self.widths = tuple(widths)
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        sizes = (24, *widths)
        self.blocks = nn.Sequential(*(SpeedrunBlock(a, b) for a, b in pairwise(sizes)))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        self.scale = 1 / 9

    @torch.no_grad()
    def init_whitening(self, images: Tensor, eps: float = 5e-4) -> None:
        """Whiten 2x2 patches of `images` (N, 3, 32, 32).

        Filters are the patches' eigenvectors / sqrt(eigenvalue + eps), and their negatives.
        """
        patches = F.unfold(images.float(), 2).transpose(1, 2).reshape(-1, 12)  # (N * 31 * 31, 12)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        rows = (vectors / (values + eps).sqrt()).T.reshape(12, 3, 2, 2)
        self.whiten.weight.copy_(torch.cat([rows, -rows]))

    def logits(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, K), this view only."""
        h: Tensor = self.head(self.blocks(F.gelu(self.whiten(x))).amax((2, 3)))
        return h * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, K)."""
        if self.training:
            return self.logits(x)
        return (self.logits(x) + self.logits(x.flip(3))) / 2
