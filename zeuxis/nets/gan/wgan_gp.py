"""WGAN-GP: Gulrajani et al., "Improved training of Wasserstein GANs" (2017), https://arxiv.org/abs/1704.00028

The residual networks of its appendix F for CIFAR-10: pre-activation blocks, nearest up-sampling, mean down-sampling,
batch norm in the generator only (section 4: a penalty per picture allows no norm over the batch in the critic).
The critic is told labels by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637), not in the paper, or
with `classify` has to find them as in its supervised runs: AC-GAN's second head (https://arxiv.org/abs/1610.09585).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Classified, Condition, LatentGenerator, check_size
from zeuxis.nets.layers import conv, upsample


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and critic."""
    return Generator, Discriminator


class Up(nn.Module):
    """(N, width, H, W) -> (N, width, 2H, 2W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(width), conv(width, width)
        self.norm2, self.conv2 = nn.BatchNorm2d(width), conv(width, width)
        self.skip = conv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, 2H, 2W)."""
        h = self.conv1(upsample(F.relu(self.norm1(x))))
        h = self.conv2(F.relu(self.norm2(h)))
        return torch.add(upsample(self.skip(x)), h)  # a 1x1 convolution before doubling: the same, for a quarter


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1]."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 128, embed_dim: int = 32,
        width: int = 128,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"z_dim": z_dim, "embed_dim": embed_dim, "width": width}
        self.classes = check_size(resolution, classes, channels=channels, **sizes)
        self.resolution, self.z_dim, self.embed_dim, self.width = resolution, z_dim, embed_dim, width
        self.labels = Condition(self.classes, embed_dim)
        self.start = nn.Linear(z_dim + (embed_dim if classes else 0), 16 * width)
        self.blocks = nn.Sequential(*(Up(width) for _ in range(int(math.log2(resolution)) - 2)))
        self.norm, self.colours = nn.BatchNorm2d(width), conv(width, channels)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        x = self.joined(z, y)
        h = self.start(x.to(self.start.weight.dtype)).view(-1, self.width, 4, 4)
        h = self.blocks(h.contiguous(memory_format=torch.channels_last))
        return torch.tanh(self.colours(F.relu(self.norm(h))))


class Down(nn.Module):
    """(N, cin, H, W) -> (N, width, H / 2, W / 2), or the same size; `first` has no activation before it."""

    def __init__(self, cin: int, width: int, *, down: bool, first: bool = False) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(cin, width), conv(width, width)
        self.skip = conv(cin, width, 1) if down else nn.Identity()
        self.down, self.first = down, first

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, width, H', W')."""
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if not self.down:
            return torch.add(x, h)
        return torch.add(self.skip(F.avg_pool2d(x, 2)), F.avg_pool2d(h, 2))


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> the critic's values (N,).

    With `classify` it sees no label: heads give logits of the classes, for the objective "auxiliary-class".
    """

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, width: int = 128,
        classify: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes = check_size(resolution, classes, channels=channels, width=width)
        if not isinstance(classify, bool):
            raise BadInput(f"Expected classify to be true or false, got {repr(classify)[:40]}.")
        self.classifies = classify
        downs = int(math.log2(resolution)) - 3  # to 8x8 pixels
        blocks = [Down(channels if i == 0 else width, width, down=True, first=i == 0) for i in range(downs)]
        same = [Down(width, width, down=False) for _ in range(2)]
        self.blocks = nn.Sequential(*blocks, *same) if blocks else nn.Sequential(conv(channels, width), *same)
        self.real = nn.Linear(width, 1)
        if classify:
            self.heads = nn.ModuleList(nn.Linear(64 * width, count) for count in self.classes)
        else:
            self.labels = Condition(self.classes, width, fine=1.0)

    def forward(self, images: Tensor, y: Tensor | None = None, classify: bool = False) -> Tensor | Classified:
        """(N, channels, R, R), (N, L) -> (N,); with `classify`, of one that does, `Classified` with `y` in it."""
        maps = F.relu(self.blocks(images.to(self.real.weight.dtype)))
        h = maps.mean((2, 3))  # (N, width)
        values: Tensor = self.real(h).squeeze(1)
        if classify:
            assert y is not None
            return Classified(values, tuple(head(maps.flatten(1)) for head in self.heads), y)
        return values if y is None or not self.classes or self.classifies else values + (self.labels(y) * h).sum(1)
