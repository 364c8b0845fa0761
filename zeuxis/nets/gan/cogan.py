"""CoGAN: Liu and Tuzel, "Coupled generative adversarial networks" (2016), https://arxiv.org/abs/1606.07536

Domains that show the same things in different ways, as digits and their edges, have a GAN each. The generators share
their first layers, which decide what is drawn, the discriminators their last (Eqs. 3 and 4); so one z is the same
thing in every domain, although training shows no pair (Eq. 5: the sum of the GANs' own losses). The layers are those of
the paper's appendix for digits of 28 pixels: maps of 4, 7, 13, 25, 28 pixels. Other sizes double, 4, 8, ..., R.

The domain is the last label. Labels before it, which the paper has none of, are put behind z, and enter the
discriminator by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, by_domain, check_numbers, check_size
from zeuxis.nets.gan.dcgan import initialise
from zeuxis.nets.layers import bounded, dtype_of

DIGITS = 28  # pixels a side in the paper


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generators and discriminators."""
    return Generator, Discriminator


def _check(resolution: int, classes: Sequence[int], channels: int, **sizes: int) -> tuple[int, ...]:
    if resolution != DIGITS:
        check_size(resolution, classes, 16, 64)
    checked = check_numbers(classes, channels, **sizes)
    if not checked:
        raise BadInput(
            'CoGAN needs a label that is the domain: set second_domain = "edges", or choose architecture = "dcgan".'
        )
    return checked


class PReLU(nn.PReLU):
    """With a slope in the type of what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> the same."""
        return F.prelu(x, self.weight.to(x.dtype))


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1].

    `width` channels before the last layer, which each domain has for itself. An embedding ends with the share of each
    domain: between two domains the picture is a mixture of both.
    """

    shares_latents: ClassVar[bool] = True  # one z is the same thing in every domain

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, z_dim: int = 100, embed_dim: int = 32,
        width: int = 128,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes = _check(resolution, classes, channels, z_dim=z_dim, embed_dim=embed_dim, width=width)
        *others, self.domains = self.classes
        self.resolution, self.z_dim = resolution, z_dim
        self.labels = Condition(others, embed_dim)
        known = embed_dim if others else 0
        self.embed_dim = known + self.domains
        paper = resolution == DIGITS
        steps = 3 if paper else int(math.log2(resolution)) - 2
        cout = width * 2**steps
        layers: list[nn.Module] = [nn.ConvTranspose2d(z_dim + known, cout, 4, bias=False)]
        for _ in range(steps):
            up = nn.ConvTranspose2d(cout, cout // 2, 3, 2, 1, output_padding=0 if paper else 1, bias=False)
            layers += [nn.BatchNorm2d(cout), PReLU(), up]
            cout //= 2
        self.shared = nn.Sequential(*layers, nn.BatchNorm2d(cout), PReLU())
        size, pad = (6, 1) if paper else (5, 2)
        self.own = nn.ModuleList(nn.ConvTranspose2d(cout, channels, size, 1, pad) for _ in range(self.domains))
        initialise(self)

    def embed(self, y: Tensor) -> Tensor:
        """Labels (N, L) -> (N, embed_dim): the others' embedding, then 1 for the domain and 0 for the rest."""
        share = F.one_hot(y[:, -1], self.domains).float()
        return share if len(self.classes) == 1 else torch.cat([self.labels(y[:, :-1]), share], dim=1)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        condition = self.condition(z, y)
        assert condition is not None  # it has labels
        known, share = condition[:, : -self.domains], condition[:, -self.domains :]
        h = self.shared(torch.cat([z, known], dim=1).to(dtype_of(self.shared))[:, :, None, None])
        return torch.tanh(by_domain(self.own, h, share))


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,); without labels the mean over domains.

    `widths` of the first layer, which each domain has for itself, of the second and of the third.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, widths: Sequence[int] = (20, 50, 500)
    ) -> None:
        super().__init__()
        self.classes = _check(resolution, classes, channels)
        if len(widths) != 3:
            raise BadInput(f"Expected 3 widths, got {str(list(widths))[:60]}.")
        one, two, three = (bounded("widths", width, 1, 2**14) for width in widths)
        *others, self.domains = self.classes
        self.own = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, one, 5), nn.MaxPool2d(2)) for _ in range(self.domains)
        )
        size = ((resolution - 4) // 2 - 4) // 2  # pixels a side after the second layer
        second = nn.Sequential(nn.Conv2d(one, two, 5), nn.MaxPool2d(2), nn.Flatten())
        self.shared = nn.Sequential(second, nn.Linear(two * size * size, three), PReLU())
        self.real = nn.Linear(three, 1)
        self.labels = Condition(others, three, fine=1.0)
        initialise(self)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        if y is None:
            every = [self._say(images, images.new_full((len(images),), k).long()) for k in range(self.domains)]
            return torch.stack(every).mean(0)
        return self._say(images, y[:, -1], y[:, :-1])

    def _say(self, images: Tensor, domain: Tensor, others: Tensor | None = None) -> Tensor:
        """Of pictures of the domains (N,), with other labels (N, L - 1) -> (N,)."""
        share = F.one_hot(domain, self.domains).float()
        dtype = dtype_of(self.own)
        h = self.shared(by_domain(self.own, images.to(dtype), share).to(dtype))  # (N, D)
        logits: Tensor = self.real(h).squeeze(1)
        return logits if others is None or not others.shape[1] else logits + (self.labels(others) * h).sum(1)
