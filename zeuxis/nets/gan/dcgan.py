"""DCGAN: Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional generative
adversarial networks" (2016), https://arxiv.org/abs/1511.06434

Strided convolutions up and down, batch norm everywhere but at the pictures, ReLU up, leaky ReLU down, tanh at the end.
Labels, which the paper has none of, are put behind z, and behind the picture as planes of one number each. With
`upsampling = "nearest"` each transposed convolution is a doubling of the pixels and a 3x3 convolution, which leaves no
chequered pattern (Odena, Dumoulin and Olah 2016, https://distill.pub/2016/deconv-checkerboard).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size
from zeuxis.nets.layers import dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def initialise(net: nn.Module) -> None:
    """Section 4: weights from N(0, 0.02); gains of batch norm around 1 (from the authors' code)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


def ups(width: int, steps: int, channels: int, upsampling: str) -> list[nn.Module]:
    """Layers from (N, width, 4, 4) to pictures: `steps` doublings that halve the width, then one to `channels`."""
    if upsampling not in ("transposed", "nearest"):
        raise BadInput(f'Expected upsampling "transposed" or "nearest", got {str(upsampling)[:40]!r}.')

    def double(cin: int, cout: int, bias: bool) -> list[nn.Module]:
        if upsampling == "transposed":
            return [nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=bias)]
        return [nn.Upsample(scale_factor=2.0, mode="nearest"), nn.Conv2d(cin, cout, 3, 1, 1, bias=bias)]

    layers: list[nn.Module] = []
    for _ in range(steps):
        layers += [*double(width, width // 2, False), nn.BatchNorm2d(width // 2), nn.ReLU()]
        width //= 2
    return [*layers, *double(width, channels, True), nn.Tanh()]


def downs(width: int, steps: int) -> list[nn.Module]:
    """Layers from (N, width, R / 2, R / 2) to (N, 1, 1, 1): `steps` halvings that double the width, then a 4x4."""
    layers: list[nn.Module] = []
    for _ in range(steps):
        layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)]
        width *= 2
    return [*layers, nn.Conv2d(width, 1, 4)]


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1]. `width` channels at R / 2."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 100, embed_dim: int = 32,
        width: int = 64, upsampling: str = "transposed",
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"z_dim": z_dim, "embed_dim": embed_dim, "width": width}
        self.classes = check_size(resolution, classes, channels=channels, **sizes)
        self.resolution, self.z_dim, self.embed_dim = resolution, z_dim, embed_dim
        self.labels = Condition(self.classes, embed_dim)
        steps = int(math.log2(resolution)) - 3  # doublings between 4x4 and R / 2
        cin, cout = z_dim + (embed_dim if classes else 0), width * 2**steps
        first = [nn.ConvTranspose2d(cin, cout, 4, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]
        self.body = nn.Sequential(*first, *ups(cout, steps, channels, upsampling))
        initialise(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        x = self.joined(z, y)
        images: Tensor = self.body(x.to(dtype_of(self.body))[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). `width` channels at R / 2."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, embed_dim: int = 32, width: int = 64
    ) -> None:
        super().__init__()
        self.classes = check_size(resolution, classes, channels=channels, embed_dim=embed_dim, width=width)
        self.embed_dim, self.labels = embed_dim, Condition(self.classes, embed_dim)
        first = [nn.Conv2d(channels + (embed_dim if classes else 0), width, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*first, *downs(width, int(math.log2(resolution)) - 3))
        initialise(self)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,). Without labels their planes are 0."""
        if self.classes:
            planes = images.new_zeros(len(images), self.embed_dim) if y is None else self.labels(y).to(images.dtype)
            images = torch.cat([images, planes[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)
        logits: Tensor = self.body(images.to(dtype_of(self.body)))
        return logits.flatten()
