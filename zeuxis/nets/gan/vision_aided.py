"""Vision-aided StyleGAN2: Kumari et al., "Ensembling off-the-shelf models for GAN training" (2022),
https://arxiv.org/abs/2112.09130

Beside StyleGAN2's discriminator, which is trained whole, stand small heads on the frozen features of a network that
already sees: each gives a logit of its own and the losses are averaged (Eq. 2). Frozen features alone, as in Projected
GAN, miss artefacts and drop modes; pixels alone need far more pictures before a class can be told. The features are
those of the `trunk` of a trained classifier (32 pixels), else MobileNet v2's at the picture's own size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan import stylegan2
from zeuxis.nets.gan.projected import CHANNELS, STRIDES, Head, mobilenet_maps
from zeuxis.nets.layers import bounded, dtype_of, normalise_spectrum
from zeuxis.nets.mobilenet import MobileNetV2
from zeuxis.nets.trunk import Trunk


def pair() -> tuple[type[stylegan2.Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return stylegan2.Generator, Discriminator


class Discriminator(stylegan2.Discriminator):
    """Images (N, 3, R, R) in [-1, 1] and labels (N, L) -> logits (N, 1 + heads): StyleGAN2's own, then the heads'.

    `heads` is the width of the heads, spectrally normalised. The trunk is part of the weights, MobileNet v2 is not.
    A training may start from a file of StyleGAN2's, as the paper's do (section 3.3): then the heads are new.
    """

    extends = ("stylegan2", ("heads.", "trunk."))

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, widths: Sequence[int] = (),
        group: int = 8, heads: int = 48, trunk: Trunk | None = None, trunk_widths: Sequence[int] = (),
        normalised: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(resolution, classes, channels=channels, widths=widths, group=group)
        if channels != 3 or resolution < 32:
            raise BadInput(
                "The frozen features are of colour pictures of 32 pixels or more: expected 3 channels, got "
                f'{channels} at {resolution} pixels. Choose architecture = "stylegan2".'
            )
        bounded("heads", heads, 1, 4096)
        if trunk is None and trunk_widths:
            trunk = Trunk(tuple(trunk_widths))
        if trunk is not None and resolution != 32:
            raise BadInput(f"The trunk sees pictures of 32 pixels, these have {resolution}: leave out the trunk.")
        self.trunk = None if trunk is None else trunk.requires_grad_(False).eval()
        self._trunks: list[MobileNetV2] = []
        of_trunk = [] if trunk is None else [*zip(trunk.widths[1:], (16, 8, 4), strict=True)]
        shapes = of_trunk or [(c, resolution // s) for c, s in zip(CHANNELS, STRIDES, strict=True)]
        self.heads = nn.ModuleList(Head(c, size, heads, self.classes, group) for c, size in shapes)
        if normalised:
            normalise_spectrum(self.heads)

    def train(self, mode: bool = True) -> Discriminator:
        """The trunk stays in eval mode: its statistics are frozen."""
        super().train(mode)
        if self.trunk is not None:
            self.trunk.eval()
        return self

    def frozen(self, images: Tensor) -> list[Tensor]:
        """The feature maps that never change, for one batch that serves two updates; gradients flow to `images`."""
        if self.trunk is not None:
            return self.trunk.stages(images.contiguous(memory_format=torch.channels_last))
        return mobilenet_maps(self._trunks, images)

    def forward(  # type: ignore[override]
        self, images: Tensor, y: Tensor | None = None, frozen: list[Tensor] | None = None
    ) -> Tensor:
        """(N, 3, R, R), (N, L) -> (N, 1 + heads). `frozen` are the maps of these images, where they are at hand."""
        maps = self.frozen(images) if frozen is None else frozen
        logits = [super().forward(images, y)]
        logits += [head(x.to(dtype_of(head)), y).float() for head, x in zip(self.heads, maps, strict=True)]
        return torch.stack(logits, dim=1)
