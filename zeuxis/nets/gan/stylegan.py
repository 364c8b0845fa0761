"""StyleGAN: Karras, Laine and Aila, "A style-based generator architecture for generative adversarial networks" (2019),
https://arxiv.org/abs/1812.04948

A mapping network z -> w, a learned constant in place of an input, noise and a style at every layer by adaptive instance
normalisation (Eq. 1). The generator is the one that published files are read into: trained at its full size, where the
paper grows it (see `progan` for growing), and with labels as in StyleGAN2-ADA. Mixing regularisation (section 3.1) is
asked for by the recipe. The discriminator is the paper's, without skips, with StyleGAN2's filtered down-sampling.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from zeuxis.nets.gan import stylegan2_full
from zeuxis.nets.gan.base import check_size
from zeuxis.nets.gan.styles import StyleGenerator, first_weights
from zeuxis.nets.stylegan import StyleGAN


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


class Generator(StyleGenerator, StyleGAN):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1].

    The noise is stored with the weights and drawn anew in training. The constant input begins as in StyleGAN2, normal.
    """

    published = "stylegan"  # the family of published files that it may start from

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 512, w_dim: int = 512,
        channel_base: int = 16384, channel_max: int = 512, mapping_layers: int = 8,
    ) -> None:  # fmt: skip
        known = check_size(resolution, classes, most=stylegan2_full.LARGEST, channels=channels)
        chosen = stylegan2_full.widths(resolution, channel_base, channel_max)
        super().__init__(z_dim, w_dim, chosen, mapping_layers, img_channels=channels, c_dim=sum(known))
        first_weights(self, affine_bias=0.0)  # a style multiplies by 1 more than its numbers
        const = self.synthesis.get_submodule("b4").const
        if not const.is_meta:  # of ones, instance normalisation would leave rounding errors only
            nn.init.normal_(const)  # type: ignore[arg-type]
        assert self.synthesis.torgb.bias is not None
        nn.init.zeros_(self.synthesis.torgb.bias)
        self._begin(resolution, known)


class Discriminator(stylegan2_full.Discriminator):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). Without labels: the mean class."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, channel_base: int = 16384,
        channel_max: int = 512, mapping_layers: int = 8, group: int = 4,
    ) -> None:  # fmt: skip
        super().__init__(
            resolution, classes, channels=channels, channel_base=channel_base, channel_max=channel_max,
            mapping_layers=mapping_layers, architecture="orig", group=group,
        )  # fmt: skip
