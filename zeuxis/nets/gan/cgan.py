"""Conditional GAN, convolutional: Mirza and Osindero, "Conditional generative adversarial nets" (2014),
https://arxiv.org/abs/1411.1784, with the layers of DCGAN, https://arxiv.org/abs/1511.06434

As in the paper's perceptrons, what is conditioned and its condition first have a layer each, then go on together: in
the generator z and the embedding y become half of the 4x4 maps each; in the discriminator the picture, and y as one
constant plane a number, become half of the first maps each. min_G max_D E log D(x | y) + E log(1 - D(G(z | y))), Eq. 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size
from zeuxis.nets.gan.dcgan import downs, initialise, ups
from zeuxis.nets.layers import dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def _check(resolution: int, classes: Sequence[int], width: int, **sizes: int) -> tuple[int, ...]:
    checked = check_size(resolution, classes, width=width, **sizes)
    if not checked:
        raise BadInput('A conditional GAN needs labels: give data with labels, or choose architecture = "dcgan".')
    if width % 2:
        raise BadInput(f"Expected an even width, half for the condition, got {width}.")
    return checked


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1]. `width` channels at R / 2."""

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, z_dim: int = 100, embed_dim: int = 32,
        width: int = 64, upsampling: str = "transposed",
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes = _check(resolution, classes, width, channels=channels, z_dim=z_dim, embed_dim=embed_dim)
        self.resolution, self.z_dim, self.embed_dim = resolution, z_dim, embed_dim
        self.labels = Condition(self.classes, embed_dim)
        steps = int(math.log2(resolution)) - 3  # doublings between 4x4 and R / 2
        first = width * 2**steps
        self.of_z, self.of_y = (nn.ConvTranspose2d(d, first // 2, 4, bias=False) for d in (z_dim, embed_dim))
        self.norm = nn.BatchNorm2d(first)
        self.body = nn.Sequential(*ups(first, steps, channels, upsampling))
        initialise(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        condition, dtype = self.condition(z, y), dtype_of(self.of_z)
        assert condition is not None  # it has labels
        h = [self.of_z(z.to(dtype)[:, :, None, None]), self.of_y(condition.to(dtype)[:, :, None, None])]
        images: Tensor = self.body(F.relu(self.norm(torch.cat(h, dim=1))))
        return images


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). `width` channels at R / 2."""

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, embed_dim: int = 32, width: int = 64
    ) -> None:
        super().__init__()
        self.classes = _check(resolution, classes, width, channels=channels, embed_dim=embed_dim)
        self.embed_dim, self.labels = embed_dim, Condition(self.classes, embed_dim)
        self.of_x, self.of_y = (nn.Conv2d(cin, width // 2, 4, 2, 1) for cin in (channels, embed_dim))
        self.body = nn.Sequential(*downs(width, int(math.log2(resolution)) - 3))
        initialise(self)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,). Without labels their planes are 0."""
        images = images.to(dtype_of(self.of_x))
        known = images.new_zeros(len(images), self.embed_dim) if y is None else self.labels(y).to(images.dtype)
        planes = known[:, :, None, None].expand(-1, -1, *images.shape[2:])
        h = torch.cat([self.of_x(images), self.of_y(planes)], dim=1)
        logits: Tensor = self.body(F.leaky_relu(h, 0.2))
        return logits.flatten()
