"""What the trained StyleGANs share: first weights, labels as one-hot rows, the mean style, noise that is drawn anew.

Each is a subclass of the network that published files are read into, so that weights go from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.compute.split import batch_size
from zeuxis.nets.gan.base import LatentGenerator
from zeuxis.nets.stylegan_layers import EqualLinear, Mapping

BINOMIAL = (1.0, 3.0, 3.0, 1.0)  # the filter of StyleGAN2, Karras et al. 2020, appendix B
AVERAGED_IMAGES = 10_000  # half-life of the mean style


def one_hot(y: Tensor, classes: Sequence[int]) -> Tensor:
    """Labels of several kinds (N, L) int64 -> (N, sum of `classes`): a single 1 for each kind, side by side."""
    return torch.cat([F.one_hot(y[:, k], count) for k, count in enumerate(classes)], dim=1).float()


def first_weights(net: nn.Module, affine_bias: float = 1.0) -> None:
    """Weights of deviation 1 after the equalised rate, styles that start at `affine_bias`, filters, stored noise.

    Equalised learning rate: Karras et al. 2018, section 4.1. The published networks are made of zeros for files to
    fill. Without memory there is nothing to do.
    """
    if next(net.parameters()).is_meta:
        return
    affine = {module for name, module in net.named_modules() if name.endswith(("affine", "style"))}
    for module in net.modules():
        if isinstance(module, EqualLinear):
            nn.init.normal_(module.weight, std=1 / module.bias_gain)
            nn.init.constant_(module.bias, affine_bias if module in affine else 0.0)
        elif isinstance(weight := getattr(module, "weight", None), nn.Parameter):
            nn.init.normal_(weight)
        if isinstance(taps := getattr(module, "resample_filter", None), Tensor):
            taps.copy_(binomial(taps.ndim))
        if isinstance(noise := getattr(module, "noise_const", None), Tensor):
            nn.init.normal_(noise)


def binomial(dimensions: int) -> Tensor:
    """BINOMIAL in one or two dimensions, its sum 1."""
    f = torch.tensor(BINOMIAL) / sum(BINOMIAL)
    return f if dimensions == 1 else torch.outer(f, f)


class StyleGenerator(LatentGenerator):
    """The part of a trained StyleGAN that is the same in all of them; to be mixed in before the published class."""

    mapping: Mapping
    num_ws: int
    w_dim: int
    classes: tuple[int, ...]

    def _begin(self, resolution: int, classes: tuple[int, ...]) -> None:
        self.resolution, self.classes = resolution, classes
        embed = self.mapping.embed if classes else None
        self.embed_dim = len(embed.bias) if isinstance(embed, EqualLinear) else 0

    def embed(self, y: Tensor) -> Tensor:
        """Labels (N, L) -> (N, embed_dim): the sum of one learned vector for each."""
        embedded: Tensor = self.mapping.embed(one_hot(y, self.classes))
        return embedded

    def map(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, z_dim) and labels (N, L) or embeddings (N, embed_dim) -> w (N, w_dim). Training follows its mean."""
        w = self.mapping.joined(z.float(), self.condition(z, y))
        if self.training:
            with torch.no_grad():
                self.mapping.w_avg.lerp_(w.float().mean(0), 1 - 0.5 ** (batch_size(w) / AVERAGED_IMAGES))
        return w

    def layer_sizes(self) -> list[int]:
        """For each style the pixels of the layer that it steers: 4, 4, 8, 8, ..."""
        return [4 * 2 ** (k // 2) for k in range(self.num_ws)]

    def synthesise(self, ws: Tensor, noise: Any = True) -> Tensor:
        """w (N, w_dim), or one for each of `layer_sizes` (N, num_ws, w_dim) -> images (N, channels, R, R).

        In training the noise is drawn anew; else it is the stored one, so that a latent is one picture.
        """
        ws = ws if ws.ndim == 3 else ws[:, None].expand(-1, self.num_ws, -1)
        images: Tensor = super().synthesise(ws, seeded(ws) if self.training and noise else noise)  # type: ignore[misc]
        return images

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R), nominally in [-1, 1]."""
        return self.synthesise(self.map(z, y))


def seeded(ws: Tensor) -> torch.Generator:
    """A source of noise on the device of the styles, seeded by their bits: a resumed training draws the same again."""
    bits = ws.detach()[:, 0].float().contiguous().view(torch.int32).sum(dtype=torch.int64)
    return torch.Generator(ws.device).manual_seed(int(bits) % 2**63)
