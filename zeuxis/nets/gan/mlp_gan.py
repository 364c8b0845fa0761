"""Perceptron GAN: Goodfellow et al., "Generative adversarial nets" (2014), https://arxiv.org/abs/1406.2661

Fully connected layers only. The generator has rectifiers and a last layer for the pixels; the discriminator has maxout
units (Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389) and dropout in the authors' code, or, with `pieces = 1`,
leaky rectifiers. Labels, which the paper has none of, are put behind z and behind the pixels (Mirza and Osindero 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.gan.base import Condition, LatentGenerator, check_numbers
from zeuxis.nets.layers import bounded, checked_dropout, dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def widths_of(widths: Sequence[int]) -> list[int]:
    """One to eight widths; BadInput for anything else."""
    bounded("the number of widths", len(widths), 1, 8)
    return [bounded("a width", width, 1, 2**14) for width in widths]


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1] by layers of `widths`."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 100, embed_dim: int = 32,
        widths: Sequence[int] = (1200, 1200),
    ) -> None:  # fmt: skip
        super().__init__()
        bounded("a resolution", resolution, 8, 256)
        self.classes = check_numbers(classes, channels, z_dim=z_dim, embed_dim=embed_dim)
        self.resolution, self.z_dim, self.embed_dim, self.channels = resolution, z_dim, embed_dim, channels
        self.labels = Condition(self.classes, embed_dim)
        sizes = [z_dim + (embed_dim if classes else 0), *widths_of(widths)]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.body = nn.Sequential(*layers, nn.Linear(sizes[-1], channels * resolution**2), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        pixels: Tensor = self.body(self.joined(z, y).to(dtype_of(self.body)))
        return pixels.view(len(z), self.channels, self.resolution, self.resolution)


class Maxout(nn.Module):
    """The largest of `pieces` linear functions, h_j = max_k (x W_jk + b_jk): (N, cin) -> (N, cout)."""

    def __init__(self, cin: int, cout: int, pieces: int) -> None:
        super().__init__()
        self.linear, self.pieces = nn.Linear(cin, cout * pieces), pieces

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin) -> (N, cout)."""
        if self.pieces == 1:
            return F.leaky_relu(self.linear(x), 0.2)
        return torch.as_tensor(self.linear(x).unflatten(1, (-1, self.pieces)).amax(2))


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). `pieces` of each maxout unit."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, embed_dim: int = 32,
        widths: Sequence[int] = (240, 240), pieces: int = 5, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        bounded("a resolution", resolution, 8, 256)
        self.classes = check_numbers(classes, channels, embed_dim=embed_dim, pieces=pieces)
        self.embed_dim, self.labels = embed_dim, Condition(self.classes, embed_dim)
        inputs = channels * resolution**2 + (embed_dim if classes else 0)
        pairs = pairwise([inputs, *widths_of(widths)])
        layers = [layer for a, b in pairs for layer in (Maxout(a, b, pieces), nn.Dropout(checked_dropout(dropout)))]
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,). Without labels their embedding is 0."""
        x = images.to(dtype_of(self.body)).flatten(1)
        if self.classes:
            known = x.new_zeros(len(x), self.embed_dim) if y is None else self.labels(y).to(x.dtype)
            x = torch.cat([x, known], dim=1)
        logits: Tensor = self.body(x)
        return logits.squeeze(1)
