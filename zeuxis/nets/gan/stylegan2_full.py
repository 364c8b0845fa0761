"""StyleGAN2: Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020),
https://arxiv.org/abs/1912.04958 ; labels as in StyleGAN2-ADA (2020), https://arxiv.org/abs/2006.06676

Complete, as published: modulated and demodulated convolutions (Eqs. 1 to 3), noise at every layer, output skips in the
generator and residual blocks in the discriminator (section 4.1), filtered resampling. Path-length regularisation
(section 3.2), lazy R1 (section 3.1) and style mixing are asked for by the recipe. The networks are those that published
files are read into. The small relative for a processor is `stylegan2`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zeuxis.nets import stylegan2_discriminator
from zeuxis.nets.gan.base import check_size
from zeuxis.nets.gan.styles import StyleGenerator, first_weights, one_hot
from zeuxis.nets.layers import bounded
from zeuxis.nets.stylegan2 import StyleGAN2

LARGEST = 1024


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def widths(resolution: int, channel_base: int, channel_max: int) -> list[int]:
    """Channels at 4, 8, ..., `resolution` pixels: base / pixels, at most `channel_max`. Config f has 32,768 and 512."""
    bounded("channel_base", channel_base, 1, 2**20)
    bounded("channel_max", channel_max, 1, 8192)
    sizes = (4 * 2**k for k in range(resolution.bit_length() - 2))
    return [max(1, min(channel_base // size, channel_max)) for size in sizes]


class Generator(StyleGenerator, StyleGAN2):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1].

    The noise is stored with the weights and drawn anew in training. `architecture` is "skip", or "resnet", "orig".
    """

    published = "stylegan2"  # the family of published files that it may start from

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 512, w_dim: int = 512,
        channel_base: int = 32768, channel_max: int = 512, mapping_layers: int = 8, architecture: str = "skip",
        conv_clamp: float | None = None,
    ) -> None:  # fmt: skip
        known = check_size(resolution, classes, most=LARGEST, channels=channels, mapping_layers=mapping_layers)
        super().__init__(
            z_dim, sum(known), w_dim, widths(resolution, channel_base, channel_max), channels, mapping_layers,
            conv_clamp=conv_clamp, architecture=architecture,
        )  # fmt: skip
        first_weights(self)
        for name, parameter in self.named_parameters():
            if name.endswith("b4.const"):
                torch.nn.init.normal_(parameter)
        self._begin(resolution, known)


class Discriminator(stylegan2_discriminator.Discriminator):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). Without labels: the mean of all classes.

    A batch is cut into groups of `group` pictures, or fewer, for the minibatch deviation.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, channel_base: int = 32768,
        channel_max: int = 512, mapping_layers: int = 8, architecture: str = "resnet", group: int = 4,
        conv_clamp: float | None = None,
    ) -> None:  # fmt: skip
        known = check_size(resolution, classes, most=LARGEST, channels=channels, group=group)
        chosen = widths(resolution, channel_base, channel_max)[::-1]
        super().__init__(
            sum(known), chosen, channels, architecture, conv_clamp, group, cmap_dim=chosen[-1] if known else 0,
            mapping_layers=mapping_layers,
        )  # fmt: skip
        self.classes = known
        self.b4.any_batch = True
        first_weights(self)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        if not self.classes:
            return super().forward(images)[:, 0]
        if y is None:
            shares = torch.cat([torch.full((count,), 1 / count) for count in self.classes])
            return super().forward(images, shares.to(images.device).expand(len(images), -1))[:, 0]
        return super().forward(images, one_hot(y, self.classes))[:, 0]
