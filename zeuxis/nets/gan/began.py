"""BEGAN: Berthelot, Schumm and Metz, "BEGAN: boundary equilibrium generative adversarial networks" (2017),
https://arxiv.org/abs/1703.10717

The discriminator is an autoencoder; a picture's loss is its mean absolute reconstruction error L(v) = |v - D(v)|
(Eq. 1, eta = 1). Generator and decoder are the same network (figure 1): a linear layer to 8x8 pixels, two 3x3
convolutions with ELU at each size, doubled by nearest neighbours. In the encoder the width grows by n at each size. The
objectives are "began" (equilibrium gamma, k) and "energy", the margin form of Zhao et al. 2017,
https://arxiv.org/abs/1609.03126.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size
from zeuxis.nets.layers import conv, dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and autoencoder."""
    return Generator, Discriminator


def _twice(cin: int, width: int) -> list[nn.Module]:
    """Two 3x3 convolutions with ELU."""
    return [conv(cin, width), nn.ELU(), conv(width, width), nn.ELU()]


class Decoder(nn.Module):
    """h (N, cin) -> pictures (N, channels, R, R), unbounded."""

    def __init__(self, cin: int, width: int, resolution: int, channels: int) -> None:
        super().__init__()
        self.width = width
        self.start = nn.Linear(cin, width * 64)
        layers = _twice(width, width)
        for _ in range(int(math.log2(resolution)) - 3):
            layers += [nn.Upsample(scale_factor=2.0, mode="nearest"), *_twice(width, width)]
        self.body = nn.Sequential(*layers, conv(width, channels))

    def forward(self, h: Tensor) -> Tensor:
        """(N, cin) -> (N, channels, R, R)."""
        x = self.start(h.to(self.start.weight.dtype)).view(-1, self.width, 8, 8)
        pictures: Tensor = self.body(x.contiguous(memory_format=torch.channels_last))
        return pictures


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1]."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 64, embed_dim: int = 32,
        width: int = 64,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"z_dim": z_dim, "embed_dim": embed_dim, "width": width}
        self.classes = check_size(resolution, classes, channels=channels, **sizes)
        self.resolution, self.z_dim, self.embed_dim = resolution, z_dim, embed_dim
        self.labels = Condition(self.classes, embed_dim)
        self.decoder = Decoder(z_dim + (embed_dim if classes else 0), width, resolution, channels)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        images: Tensor = self.decoder(self.joined(z, y))
        return images


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] -> minus the reconstruction errors (N,), higher is more real.

    `code` numbers stand between encoder and decoder. Labels, which the paper has none of, go behind them.
    """

    output: ClassVar[str] = "energy"

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, code: int = 64, embed_dim: int = 32,
        width: int = 64,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"code": code, "embed_dim": embed_dim, "width": width}
        self.classes = check_size(resolution, classes, channels=channels, **sizes)
        self.labels, self.embed_dim = Condition(self.classes, embed_dim), embed_dim
        layers: list[nn.Module] = [conv(channels, width), nn.ELU(), *_twice(width, width)]
        steps = int(math.log2(resolution)) - 3
        for step in range(1, steps + 1):
            layers += [nn.Conv2d(step * width, (step + 1) * width, 3, 2, 1), nn.ELU()]
            layers += _twice((step + 1) * width, (step + 1) * width)
        self.encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear((steps + 1) * width * 64, code))
        self.decoder = Decoder(code + (embed_dim if classes else 0), width, resolution, channels)

    def reconstruct(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> the same pictures through the code."""
        h: Tensor = self.encoder(images.to(dtype_of(self.encoder)))
        if self.classes:
            known = h.new_zeros(len(h), self.embed_dim) if y is None else self.labels(y).to(h.dtype)
            h = torch.cat([h, known], dim=1)
        pictures: Tensor = self.decoder(h)
        return pictures

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,), in float32."""
        return -(images.float() - self.reconstruct(images, y).float()).abs().mean((1, 2, 3))
