"""Pocket GAN: BigGAN (Brock, Donahue, Simonyan 2019, arXiv 1809.11096) at 32x32, small enough to train on a CPU.

Generator: the whole condition (latent z and a class/term embedding) drives every block, as in BigGAN-deep; the
first convolution of a block runs before the up-sampling, a quarter of the cost. Discriminator: class projection
(Miyato and Koyama 2018, arXiv 1802.05637) on a small RGB branch and on frozen classifier features
(Projected GANs, Sauer et al. 2021, arXiv 2111.01007).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import LatentGenerator, check_size
from zeuxis.nets.layers import ConditionalBatchNorm, bounded, conv, dtype_of, normalise_spectrum, upsample
from zeuxis.nets.trunk import Trunk


def pair() -> tuple[type[PocketGenerator], type[PocketDiscriminator]]:
    """Generator and discriminator."""
    return PocketGenerator, PocketDiscriminator


def _class_and_term(resolution: int, classes: Sequence[int], channels: int, **sizes: int) -> tuple[int, int]:
    """The two label counts; BadInput for any other picture or condition than this architecture knows."""
    check_size(resolution, classes, channels=channels, **sizes)
    if resolution != 32 or channels != 3 or len(classes) != 2:
        raise BadInput(
            "The pocket architecture draws 32x32 colour pictures of two kinds of labels (class and term), got "
            f'{resolution} pixels, {channels} channels, {len(classes)} kinds. Choose architecture = "stylegan2".'
        )
    return classes[0], classes[1]


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


class PocketGenerator(LatentGenerator):
    """z (N, z_dim) and labels (N, 2) or an embedding (N, embed_dim) -> images (N, 3, 32, 32) in [-1, 1].

    An embedding is the sum of a class part and a term part, so that those of one class lie together and a point between
    them is a mixture.
    """

    def __init__(
        self, resolution: int = 32, classes: Sequence[int] = (10, 396), *, channels: int = 3, z_dim: int = 64,
        embed_dim: int = 128, widths: Sequence[int] = (192, 160, 96, 48),
    ) -> None:  # fmt: skip
        super().__init__()
        count, terms = self.classes = _class_and_term(resolution, classes, channels, z_dim=z_dim, embed_dim=embed_dim)
        bounded("the number of widths", len(widths), 4, 4)
        widths = [bounded("a width", width, 1, 4096) for width in widths]
        self.resolution = resolution
        condition = z_dim + embed_dim
        self.z_dim, self.embed_dim, self.width = z_dim, embed_dim, widths[0]
        self.class_embedding = nn.Embedding(count, embed_dim)
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

    def embed(self, y: Tensor) -> Tensor:
        """Class and term (N, 2) -> (N, embed_dim)."""
        of_class: Tensor = self.class_embedding(y[:, 0])
        of_term: Tensor = self.term_embedding(y[:, 1])
        return of_class + of_term

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, 2) or embeddings (N, embed_dim) -> (N, 3, 32, 32)."""
        embedding = self.condition(z, y)
        assert embedding is not None  # it has labels
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

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        """(N, cin, size, size), (N, 2) -> (N,)."""
        h = self.body(x).mean((2, 3))  # (N, width)
        logit: Tensor = self.real(h).squeeze(1)
        if y is not None:
            logit = logit + ((self.classes(y[:, 0]) + self.terms(y[:, 1])) * h).sum(1)
        return logit


class PocketDiscriminator(nn.Module):
    """Images (N, 3, 32, 32) in [-1, 1] with class and term -> one logit per head (N, heads), spectrally normalised.

    One head sees RGB through its own convolutions, the others see the frozen trunk at 16x16, 8x8 and 4x4.
    """

    def __init__(
        self, resolution: int = 32, classes: Sequence[int] = (10, 396), *, channels: int = 3, width: int = 48,
        trunk_widths: Sequence[int] = (32, 64, 128, 192), trunk: Trunk | None = None, normalised: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        count, terms = self.classes = _class_and_term(resolution, classes, channels, width=width)
        trunk = Trunk(tuple(trunk_widths)) if trunk is None else trunk  # type: ignore[arg-type]
        self.trunk = trunk.requires_grad_(False).eval()
        self.pixels = nn.Sequential(conv(3, 32, 4, 2), Activation(), conv(32, 64), Activation())
        shapes = [(64, 16), *zip(trunk.widths[1:], (16, 8, 4), strict=True)]
        self.heads = nn.ModuleList(Head(c, size, width, count, terms) for c, size in shapes)
        if normalised:
            normalise_spectrum(self.pixels)
            normalise_spectrum(self.heads)

    def train(self, mode: bool = True) -> PocketDiscriminator:
        """The trunk stays in eval mode: its statistics are frozen."""
        super().train(mode)
        self.trunk.eval()
        return self

    def frozen(self, images: Tensor) -> list[Tensor]:
        """The trunk's maps, for one batch that serves two updates; gradients flow to `images`."""
        return self.trunk.stages(images)

    def forward(self, images: Tensor, y: Tensor | None = None, frozen: list[Tensor] | None = None) -> Tensor:
        """(N, 3, 32, 32), (N, 2) -> (N, heads). Without labels: whatever the class."""
        maps = self.frozen(images) if frozen is None else frozen
        maps = [self.pixels(images.to(dtype_of(self.pixels))), *maps]
        return torch.stack([head(x, y) for head, x in zip(self.heads, maps, strict=True)], dim=1)
