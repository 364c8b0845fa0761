"""Trunk: a small residual convolutional network on 32x32 images, the image features of pocket scorer and discriminator.

In the manner of ResNet-9 (Page 2018, "How to train your ResNet"): convolution and pooling, residuals in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import Residual, bounded, conv_bn, dtype_of


class Trunk(nn.Module):
    """Images (N, 3, 32, 32) in [-1, 1] -> feature maps at 16x16, 8x8 and 4x4. BadInput for other than four widths."""

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 192)) -> None:
        super().__init__()
        bounded("the number of widths", len(widths), 4, 4)
        a, b, c, d = self.widths = tuple(bounded("a width", width, 1, 4096) for width in widths)
        self.stem = conv_bn(3, a)
        self.down1, self.body1 = conv_bn(a, b), Residual(b)
        self.down2 = conv_bn(b, c)
        self.down3, self.body3 = conv_bn(c, d), Residual(d)

    def stages(self, x: Tensor) -> list[Tensor]:
        """(N, 3, 32, 32) -> [(N, b, 16, 16), (N, c, 8, 8), (N, d, 4, 4)]."""
        x = x.to(dtype_of(self.stem))
        one = self.body1(F.max_pool2d(self.down1(self.stem(x)), 2))
        two = F.max_pool2d(self.down2(one), 2)
        three = self.body3(F.max_pool2d(self.down3(two), 2))
        return [one, two, three]

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, 2d): mean and maximum of the last stage."""
        return self.pool(self.stages(x)[-1])

    @staticmethod
    def pool(last: Tensor) -> Tensor:
        """(N, d, 4, 4) -> (N, 2d): mean and maximum over places."""
        return torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1)


class TrunkClassifier(nn.Module):
    """A trunk with two linear heads: classes (N, K) and terms (N, T). Trains the trunk; only the trunk is kept."""

    def __init__(self, classes: int, terms: int, widths: Sequence[int] = (32, 64, 128, 192)) -> None:
        super().__init__()
        bounded("classes", classes, 1, 2**16)
        bounded("terms", terms, 0, 2**20)
        self.trunk = Trunk(widths)
        self.classes = nn.Linear(2 * widths[-1], classes)
        self.terms = nn.Linear(2 * widths[-1], max(terms, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 32, 32) -> (N, K), (N, T)."""
        h = self.trunk(x)
        return self.classes(h), self.terms(h)
