"""AC-GAN: Odena, Olah and Shlens, "Conditional image synthesis with auxiliary classifier GANs" (2017),
https://arxiv.org/abs/1610.09585

The generator is a DCGAN whose z has the label behind it. The discriminator is told no label: one trunk has two heads,
the source P(S | x) and the class P(C | x). D maximises L_S + L_C, G maximises L_C - L_S (Eqs. 2 and 3); the objective
is "auxiliary-class". The trunk is that of the appendix for CIFAR-10: six 3x3 convolutions, every other one of stride
2, widths w, 2w, 4w, 8w, 16w, 32w, leaky ReLU, dropout 0.5, batch norm but in the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from zeuxis.nets.gan import dcgan
from zeuxis.nets.gan.base import Classified, check_size
from zeuxis.nets.layers import checked_dropout, conv, dtype_of

STRIDES = (2, 1, 2, 1, 2, 1)


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


class Generator(dcgan.Generator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1]; see zeuxis.nets.gan.dcgan."""


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] -> logits (N,), and with `classify` those of the classes too."""

    classifies: ClassVar[bool] = True

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, width: int = 16, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.classes = check_size(resolution, classes, channels=channels, width=width)
        layers: list[nn.Module] = []
        cin, cout, share = channels, width, checked_dropout(dropout)
        for place, stride in enumerate(STRIDES):
            norm = [nn.BatchNorm2d(cout)] if place else []
            layers += [nn.Conv2d(cin, cout, 3, stride, 1, bias=not norm), *norm, nn.LeakyReLU(0.2), nn.Dropout(share)]
            cin, cout = cout, 2 * cout
        self.body = nn.Sequential(*layers, conv(cin, cin, 3, 2) if resolution >= 64 else nn.Identity())
        size = -(-resolution // 8) // (2 if resolution >= 64 else 1)
        self.source = nn.Linear(cin * size * size, 1)
        self.heads = nn.ModuleList(nn.Linear(cin * size * size, count) for count in self.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, images: Tensor, y: Tensor | None = None, classify: bool = False) -> Tensor | Classified:
        """(N, channels, R, R), (N, L) -> (N,), or `Classified` with `y` in it. Labels do not change the logits."""
        h = self.body(images.to(dtype_of(self.source))).flatten(1)  # (N, D)
        logits: Tensor = self.source(h).squeeze(1)
        if not classify:
            return logits
        assert y is not None
        return Classified(logits, tuple(head(h) for head in self.heads), y)
