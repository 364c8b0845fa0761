"""Pocket GAN: BigGAN (Brock, Donahue, Simonyan 2019, arXiv 1809.11096) at 32x32, small enough to train on a CPU.

Generator: the whole condition (latent z and a class/term embedding) drives every block, as in BigGAN-deep; the
first convolution of a block runs before the up-sampling, a quarter of the cost. Discriminator: class projection
(Miyato and Koyama 2018, arXiv 1802.05637) on a small RGB branch and on frozen classifier features
(Projected GANs, Sauer et al. 2021, arXiv 2111.01007).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import ConditionalBatchNorm, conv, dtype_of, upsample
from zeuxis.nets.trunk import Trunk


class GeneratorBlock(nn.Module):
    """Residual up-sampling block: (N, cin, H, W) -> (N, cout, 2H, 2W)."""

    def __init__(self, cin: int, cout: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = ConditionalBatchNorm(cin, condition), conv(cin, cout)
        self.norm2, self.conv2 = ConditionalBatchNorm(cout, condition), conv(cout, cout)
        self.skip = conv(cin, cout, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, cin, H, W), (N, condition) -> (N, cout, 2H, 2W)."""
        h = upsample(self.conv1(F.relu(self.norm1(x, y))))
        out: Tensor = self.conv2(F.relu(self.norm2(h, y)))
        return out + upsample(self.skip(x))


class PocketGenerator(nn.Module):
    """z (N, z_dim) and an embedding (N, embed_dim) -> images (N, 3, 32, 32) in [-1, 1].

    `embedding` holds one row per term (fine class), the sum of a class part and a term part, so that rows of one
    class lie together and a point between rows is a mixture.
    """

    def __init__(
        self, classes: int = 10, terms: int = 396, z_dim: int = 64, embed_dim: int = 128,
        widths: tuple[int, ...] = (192, 160, 96, 48),
    ) -> None:  # fmt: skip
        super().__init__()
        condition = z_dim + embed_dim
        self.z_dim, self.embed_dim, self.width = z_dim, embed_dim, widths[0]
        self.class_embedding = nn.Embedding(classes, embed_dim)
        self.term_embedding = nn.Embedding(terms, embed_dim)
        nn.init.normal_(self.class_embedding.weight, std=1.0)
        nn.init.normal_(self.term_embedding.weight, std=0.2)
        self.start = nn.Linear(condition, 16 * widths[0])
        self.blocks = nn.ModuleList(GeneratorBlock(a, b, condition) for a, b in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.colour = conv(widths[-1], 3)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight)

    def embed(self, classes: Tensor, terms: Tensor) -> Tensor:
        """Class and term indices (N,), (N,) -> (N, embed_dim)."""
        of_class: Tensor = self.class_embedding(classes)
        of_term: Tensor = self.term_embedding(terms)
        return of_class + of_term

    def forward(self, z: Tensor, embedding: Tensor) -> Tensor:
        """(N, z_dim), (N, embed_dim) -> (N, 3, 32, 32)."""
        y = torch.cat([z, embedding], dim=1).to(self.start.weight.dtype)  # (N, z_dim + embed_dim)
        x = self.start(y).view(-1, self.width, 4, 4).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, y)  # (N, C, H, W) -> (N, C', 2H, 2W)
        return torch.tanh(self.colour(F.relu(self.norm(x))))


class Activation(nn.Module):
    """Leaky ReLU times a fixed gain.

    A convolution of spectral norm 1 passes on about 0.4 of a typical signal's deviation; without the gain the logits
    of a fresh discriminator would spread by 0.02 and it would hardly learn.
    """

    def __init__(self, gain: float = 2.5) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return F.leaky_relu(x, 0.2) * self.gain


class Head(nn.Module):
    """Convolutions down to 4x4, then D(x, y) = w.h + e(y).h  (projection discriminator, Eq. 3)."""

    def __init__(self, cin: int, size: int, width: int, classes: int, terms: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(cin, width, 1)]
        while size > 4:
            layers += [Activation(), conv(width, width, 4, 2)]
            size //= 2
        self.body = nn.Sequential(*layers, Activation(), conv(width, width), Activation())
        self.real = nn.Linear(width, 1)
        self.classes, self.terms = nn.Embedding(classes, width), nn.Embedding(terms, width)

    def forward(self, x: Tensor, classes: Tensor | None, terms: Tensor | None) -> Tensor:
        """(N, cin, size, size), (N,), (N,) -> (N,)."""
        h = self.body(x).mean((2, 3))  # (N, width)
        logit: Tensor = self.real(h).squeeze(1)
        if classes is not None and terms is not None:
            logit = logit + ((self.classes(classes) + self.terms(terms)) * h).sum(1)
        return logit


class PocketDiscriminator(nn.Module):
    """Images (N, 3, 32, 32) in [-1, 1] with class and term -> one logit per head (N, heads).

    One head sees RGB through its own convolutions, the others see the frozen trunk at 16x16, 8x8 and 4x4.
    """

    def __init__(self, trunk: Trunk, classes: int = 10, terms: int = 396, width: int = 48) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(False).eval()
        self.pixels = nn.Sequential(conv(3, 32, 4, 2), Activation(), conv(32, 64), Activation())
        shapes = [(64, 16), *zip(trunk.widths[1:], (16, 8, 4), strict=True)]
        self.heads = nn.ModuleList(Head(c, size, width, classes, terms) for c, size in shapes)

    def train(self, mode: bool = True) -> PocketDiscriminator:
        """The trunk stays in eval mode: its statistics are frozen."""
        super().train(mode)
        self.trunk.eval()
        return self

    def features(self, images: Tensor) -> list[Tensor]:
        """What the heads look at: RGB features and the frozen ones."""
        return [self.pixels(images.to(dtype_of(self.pixels))), *self.trunk.stages(images)]

    def forward(self, images: Tensor, classes: Tensor | None = None, terms: Tensor | None = None) -> Tensor:
        """(N, 3, 32, 32), (N,), (N,) -> (N, heads). Without labels: realism regardless of class."""
        return self.judge(self.features(images), classes, terms)

    def judge(self, maps: list[Tensor], classes: Tensor | None = None, terms: Tensor | None = None) -> Tensor:
        """Feature maps of `features`, labels (N,) -> logits (N, heads)."""
        return torch.stack([head(x, classes, terms) for head, x in zip(self.heads, maps, strict=True)], dim=1)
