"""Projected GAN: Sauer et al. 2021, https://arxiv.org/abs/2111.01007, on the features of MobileNet v2.

The generator is StyleGAN2's. The discriminator is a set of small heads on frozen features of an ImageNet network, at
the picture's own size, and one head on the pixels themselves: fixed features do not see every artefact. Each head
knows the labels by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637) and the deviation of its
batch. The paper mixes features across scales by random layers; the pixel head and the deviation take their place here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, check_size, minibatch_deviation
from zeuxis.nets.gan.pocket import Activation
from zeuxis.nets.gan.stylegan2 import Generator
from zeuxis.nets.layers import conv, dtype_of, normalise_spectrum
from zeuxis.nets.mobilenet import MobileNetV2, load_pocket

STRIDES, CHANNELS = (4, 8, 16, 32), (24, 32, 96, 320)  # of the four feature maps
SCALES = (7.0, 7.0, 5.5, 2.0)  # root mean squares of the maps, alike for photos of products and of things


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


class Head(nn.Module):
    """Convolutions down to 4x4 pixels, then w.h + e(y).h: (N, cin, S, S), (N, L) -> (N,)."""

    def __init__(self, cin: int, size: int, width: int, classes: Sequence[int], group: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(cin, width, 1), Activation()]
        while size > 4:
            layers += [conv(width, width, 4, 2), Activation()]
            size //= 2
        self.body, self.group = nn.Sequential(*layers), group
        self.last = nn.Sequential(conv(width + 1, width), Activation())
        self.real = nn.Linear(width, 1)
        self.labels = Condition(classes, width, fine=1.0)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        """(N, cin, S, S), (N, L) or None -> (N,)."""
        h = self.last(minibatch_deviation(self.body(x), self.group)).mean((2, 3))  # (N, width)
        logit: Tensor = self.real(h).squeeze(1)
        return logit if y is None or not self.labels.tables else logit + (self.labels(y) * h).sum(1)


class Discriminator(nn.Module):
    """Images (N, 3, R, R) in [-1, 1] and labels (N, L) -> one logit a head (N, 5), spectrally normalised.

    The frozen network is part of the package, not of this one's weights.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, width: int = 48,
        pixel_width: int = 32, group: int = 8, normalised: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        numbers = {"width": width, "pixel_width": pixel_width, "group": group}
        self.classes = check_size(resolution, classes, least=32, **numbers)
        if channels != 3:
            raise BadInput(f"The projected discriminator sees colour pictures: expected 3 channels, got {channels}.")
        self._eyes: list[MobileNetV2] = []  # in a list: no part of the state
        self.pixels = nn.Sequential(conv(3, pixel_width, 4, 2), Activation(), conv(pixel_width, 64), Activation())
        shapes = [(64, resolution // 2), *((c, resolution // s) for c, s in zip(CHANNELS, STRIDES, strict=True))]
        self.heads = nn.ModuleList(Head(c, size, width, self.classes, group) for c, size in shapes)
        if normalised:
            normalise_spectrum(self)

    def frozen(self, images: Tensor) -> list[Tensor]:
        """The feature maps that never change, for one batch that serves two updates; gradients flow to `images`."""
        if not self._eyes:
            self._eyes.append(load_pocket("v2").to(images.device))
        maps = self._eyes[0].taps(images, STRIDES)
        return [x / scale for x, scale in zip(maps, SCALES, strict=True)]

    def forward(self, images: Tensor, y: Tensor | None = None, frozen: list[Tensor] | None = None) -> Tensor:
        """(N, 3, R, R), (N, L) -> (N, heads). `frozen` are the maps of these images, where they are at hand."""
        maps = self.frozen(images) if frozen is None else frozen
        images = images.to(dtype_of(self.pixels)).contiguous(memory_format=torch.channels_last)
        maps = [self.pixels(images), *maps]
        return torch.stack([head(x.to(dtype_of(head)), y) for head, x in zip(self.heads, maps, strict=True)], dim=1)
