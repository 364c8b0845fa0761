"""SNGAN: Miyato et al., "Spectral normalization for generative adversarial networks" (2018),
https://arxiv.org/abs/1802.05957

The residual networks for CIFAR-10 (appendix B.4, table 4): a generator of 256 channels with batch norm, as that of
WGAN-GP; a discriminator of 128 with every weight divided by its largest singular value (Eq. 8), a sum over the last
8x8 pixels and a linear layer. Trained by the hinge loss, five steps of the discriminator each. Labels, if there are,
enter by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637) and behind z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.gan import wgan_gp
from zeuxis.nets.gan.base import Condition, check_size
from zeuxis.nets.layers import conv, dtype_of, normalise_spectrum


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def _initialise(net: nn.Module) -> None:
    """Glorot uniform; convolutions of 3x3 in the blocks with gain sqrt(2), from the authors' code."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            gain = math.sqrt(2) if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) else 1.0
            nn.init.xavier_uniform_(module.weight, gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Generator(wgan_gp.Generator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1]."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 128, embed_dim: int = 32,
        width: int = 256,
    ) -> None:  # fmt: skip
        super().__init__(resolution, classes, channels=channels, z_dim=z_dim, embed_dim=embed_dim, width=width)
        _initialise(self)


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,), spectrally normalised."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, width: int = 128,
        normalised: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes = check_size(resolution, classes, channels=channels, width=width)
        downs = int(math.log2(resolution)) - 3  # to 8x8 pixels
        blocks = [wgan_gp.Down(channels if i == 0 else width, width, down=True, first=i == 0) for i in range(downs)]
        same = [wgan_gp.Down(width, width, down=False) for _ in range(2)]
        self.blocks = nn.Sequential(*blocks, *same) if blocks else nn.Sequential(conv(channels, width), *same)
        self.real = nn.Linear(width, 1)
        self.labels = Condition(self.classes, width, fine=1.0)
        _initialise(self)
        if normalised:
            normalise_spectrum(self)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        h = F.relu(self.blocks(images.to(dtype_of(self.blocks)))).sum((2, 3))  # (N, width)
        logits: Tensor = self.real(h).squeeze(1)
        return logits if y is None or not self.classes else logits + (self.labels(y) * h).sum(1)
