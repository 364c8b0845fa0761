"""CycleGAN: Zhu, Park, Isola and Efros, "Unpaired image-to-image translation using cycle-consistent adversarial
networks" (2017), https://arxiv.org/abs/1703.10593

A generator for each direction, G: X -> Y and F: Y -> X, and a discriminator for each domain (Eq. 1). No pictures are
paired; F(G(x)) = x and G(F(y)) = y (Eq. 2) keep what is shown, and identity, G(y) = y, its colours (section 5.2).
The generators are those of Johnson et al. 2016 with instance norm: c7s1-64, d128, d256, nine blocks R256, u128, u64,
c7s1-3, padded by reflection. The discriminators, C64-C128-C256-C512, judge each patch of 70 x 70 pixels.

Here a generator holds one network for each domain that is drawn, 0: F, 1: G, so more than two domains are possible.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import by_domain, check_numbers
from zeuxis.nets.layers import bounded, dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generators and discriminators."""
    return Generator, Discriminator


def check_domains(resolution: int, classes: Sequence[int], channels: int, **sizes: int) -> tuple[int, ...]:
    """(K,), the number of domains. BadInput unless K is 2 to 64 and R a multiple of 4 from 8 to 512."""
    checked = check_numbers(classes, channels, **sizes)
    if len(checked) != 1 or not 2 <= checked[0] <= 64:
        raise BadInput(f"Expected 2 to 64 domains as one kind of label, got {list(classes)[:8]}.")
    if bounded("resolution", resolution, 8, 512) % 4:
        raise BadInput(f"Expected a resolution that 4 divides, got {resolution}.")
    return checked


def initialise(net: nn.Module) -> None:
    """Section 7.2: weights from N(0, 0.02); biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _unit(conv: nn.Module, width: int) -> list[nn.Module]:
    return [conv, nn.InstanceNorm2d(width), nn.ReLU()]


class Block(nn.Module):
    """R: two convolutions beside the identity, (N, width, H, W) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        one, two = (nn.Conv2d(width, width, 3) for _ in range(2))
        first, second = [nn.ReflectionPad2d(1), *_unit(one, width)], [nn.ReflectionPad2d(1), two]
        self.body = nn.Sequential(*first, *second, nn.InstanceNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return torch.add(x, self.body(x))


def resnet(channels: int, width: int, blocks: int) -> nn.Sequential:
    """One direction: (N, channels, R, R) -> the same, in [-1, 1]."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), *_unit(nn.Conv2d(channels, width, 7), width)]
    for cin in (width, 2 * width):
        layers += _unit(nn.Conv2d(cin, 2 * cin, 3, 2, 1), 2 * cin)
    layers += [Block(4 * width) for _ in range(blocks)]
    for cin in (4 * width, 2 * width):
        layers += _unit(nn.ConvTranspose2d(cin, cin // 2, 3, 2, 1, output_padding=1), cin // 2)
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())


class Generator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and their target domains (N, 1) -> images of these domains."""

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, width: int = 64, blocks: int = 9
    ) -> None:
        super().__init__()
        self.classes = check_domains(resolution, classes, channels, width=width)
        self.resolution = resolution
        bounded("blocks", blocks, 0, 64)
        self.nets = nn.ModuleList(resnet(channels, width, blocks) for _ in range(self.classes[0]))
        initialise(self)

    def forward(self, images: Tensor, y: Tensor) -> Tensor:
        """(N, channels, R, R), (N, 1) -> (N, channels, R, R)."""
        share = nn.functional.one_hot(y[:, 0], self.classes[0])
        return by_domain(self.nets, images.to(dtype_of(self.nets)), share)


def patches(channels: int, width: int, layers: int) -> nn.Sequential:
    """(N, channels, R, R) -> (N, 1, h, w): `layers` halvings, then two convolutions that keep the size but for 1."""
    body: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for k in range(1, layers + 1):
        cin, cout = width * min(2 ** (k - 1), 8), width * min(2**k, 8)
        conv = nn.Conv2d(cin, cout, 4, 2 if k < layers else 1, 1)
        body += [conv, nn.InstanceNorm2d(cout), nn.LeakyReLU(0.2)]
    return nn.Sequential(*body, nn.Conv2d(cout, 1, 4, 1, 1))


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and domains (N, 1) -> a value for each patch (N, P); without domains the
    mean over them. With `layers` 3 a patch has 70 x 70 pixels, with 2 it has 34 x 34.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, width: int = 64, layers: int = 3
    ) -> None:
        super().__init__()
        self.classes = check_domains(resolution, classes, channels, width=width)
        if resolution // 2 ** bounded("layers", layers, 1, 6) < 3:
            raise BadInput(f"Expected fewer layers of the discriminator for {resolution} pixels, got {layers}.")
        self.nets = nn.ModuleList(patches(channels, width, layers) for _ in range(self.classes[0]))
        initialise(self)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, 1) -> (N, P)."""
        images, count = images.to(dtype_of(self.nets)), self.classes[0]
        if y is None:
            return torch.stack([net(images).flatten(1) for net in self.nets]).mean(0)
        return by_domain(self.nets, images, nn.functional.one_hot(y[:, 0], count)).flatten(1)
