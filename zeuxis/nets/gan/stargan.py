"""StarGAN: Choi et al., "StarGAN: unified generative adversarial networks for multi-domain image-to-image translation"
(2018), https://arxiv.org/abs/1711.09020

One generator for every pair of domains: the target is put behind the picture as planes of 0 and 1. The discriminator
also says which domain a picture is of. Losses: Wasserstein with a gradient penalty (Eq. 8), the domain of real pictures
(Eq. 2, D) and of generated ones (Eq. 3, G), and |x - G(G(x, c'), c)| (Eq. 4); the sums are Eqs. 5 and 6. The networks
are those of tables 4 and 5, the generator CycleGAN's with six blocks and instance norm with gain and bias.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Classified, check_size
from zeuxis.nets.gan.cyclegan import check_domains
from zeuxis.nets.layers import bounded, dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def _unit(conv: nn.Module, width: int) -> list[nn.Module]:
    return [conv, nn.InstanceNorm2d(width, affine=True), nn.ReLU()]


class Block(nn.Module):
    """Two convolutions beside the identity, (N, width, H, W) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        one, two = (nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2))
        self.body = nn.Sequential(*_unit(one, width), two, nn.InstanceNorm2d(width, affine=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return torch.add(x, self.body(x))


class Generator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and their target domains (N, 1) -> images of these domains.

    The target may also be shares (N, K) float32: between two domains there are mixtures.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, width: int = 64, blocks: int = 6
    ) -> None:
        super().__init__()
        self.classes = check_domains(resolution, classes, channels, width=width)
        self.resolution = resolution
        bounded("blocks", blocks, 0, 64)
        layers = _unit(nn.Conv2d(channels + self.classes[0], width, 7, 1, 3, bias=False), width)
        for cin in (width, 2 * width):
            layers += _unit(nn.Conv2d(cin, 2 * cin, 4, 2, 1, bias=False), 2 * cin)
        layers += [Block(4 * width) for _ in range(blocks)]
        for cin in (4 * width, 2 * width):
            layers += _unit(nn.ConvTranspose2d(cin, cin // 2, 4, 2, 1, bias=False), cin // 2)
        self.body = nn.Sequential(*layers, nn.Conv2d(width, channels, 7, 1, 3, bias=False), nn.Tanh())

    def forward(self, images: Tensor, y: Tensor) -> Tensor:
        """(N, channels, R, R), domains (N, 1) or shares (N, K) -> (N, channels, R, R)."""
        share = y if y.is_floating_point() else F.one_hot(y[:, 0], self.classes[0])
        planes = share.to(images.dtype)[:, :, None, None].expand(-1, -1, *images.shape[2:])
        out: Tensor = self.body(torch.cat([images, planes], dim=1).to(dtype_of(self.body)))
        return out


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] -> the critic's value of each patch (N, 4), and with `classify` logits of
    the domains too. `width` channels at R / 2, twice as many at each half of the size, down to 2 x 2.
    """

    classifies: ClassVar[bool] = True

    def __init__(self, resolution: int, classes: Sequence[int], *, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        self.classes = check_domains(resolution, classes, channels, width=width)
        check_size(resolution, classes, channels=channels)  # a power of two
        steps = int(math.log2(resolution)) - 1
        if width * 2**steps > 2**15:
            raise BadInput(f"Expected a smaller width of the discriminator for {resolution} pixels, got {width}.")
        layers: list[nn.Module] = []
        cin = channels
        for k in range(steps):
            layers += [nn.Conv2d(cin, width * 2**k, 4, 2, 1), nn.LeakyReLU(0.01)]
            cin = width * 2**k
        self.body = nn.Sequential(*layers)
        self.source = nn.Conv2d(cin, 1, 3, 1, 1, bias=False)
        self.domain = nn.Conv2d(cin, self.classes[0], 2, bias=False)

    def forward(self, images: Tensor, y: Tensor | None = None, classify: bool = False) -> Tensor | Classified:
        """(N, channels, R, R), (N, 1) -> (N, 4), or `Classified` with `y` in it. The domain does not change values."""
        h = self.body(images.to(dtype_of(self.source)))
        values: Tensor = self.source(h).flatten(1)
        if not classify:
            return values
        assert y is not None
        return Classified(values, (self.domain(h).flatten(1),), y)
