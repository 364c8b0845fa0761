"""R3GAN: Huang, Gokaslan, Kuleshov and Tompkin, "The GAN is dead; long live the GAN! A modern baseline GAN" (2024),
https://arxiv.org/abs/2501.05441

No normalisation anywhere. A stage is a transition and `blocks` residual blocks (section 4): 1x1 to `expansion` times
the width, a 3x3 in groups of `group_width` channels, 1x1 back; a bias and leaky ReLU 0.2 after the first two. Weights
start as N(0, gain / sqrt(fan in)), the gain that of leaky ReLU times (blocks in all)^(-1/4); the last 1x1 of a block
starts at 0. Resampling is by the filter [1, 2, 1]. The generator starts from a learned 4x4 basis times a linear map of
[z, embedding]; the discriminator ends in a depthwise 4x4 and a linear map, multiplied with the embedding of the class.
Trained by the objective "relativistic" with the penalties "r1" and "r2" (Eqs. 2 to 4).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size

GAIN = math.sqrt(2 / (1 + 0.2**2))


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def widths_of(resolution: int, widths: Sequence[int], group_width: int, expansion: int) -> list[int]:
    """Channels at 4, 8, ..., `resolution` pixels, 768 each if none are given. BadInput for what makes no groups."""
    stages = int(math.log2(resolution)) - 1
    chosen = list(widths) or [768] * stages
    if len(chosen) != stages or not all(type(w) is int and 1 <= w <= 4096 for w in chosen):
        raise BadInput(f"Expected {stages} widths of 1 to 4096, from 4 pixels up, got {str(chosen)[:60]}.")
    if any(w * expansion % group_width for w in chosen):
        raise BadInput(f"Expected widths times {expansion} that are multiples of group_width {group_width}.")
    return chosen


def weighted(layer: nn.Module, gain: float = 1.0) -> nn.Module:
    """`layer` with fresh weights N(0, gain / sqrt(fan in))."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    nn.init.normal_(weight, std=gain / math.sqrt(weight[0].numel())) if gain else nn.init.zeros_(weight)
    return layer


class Biased(nn.Module):
    """A bias and leaky ReLU: (N, C, H, W) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return F.leaky_relu(x + self.bias.to(x.dtype)[:, None, None], 0.2)


class Block(nn.Module):
    """x + f(x): (N, width, H, W) -> the same; `gain` of the first two convolutions."""

    def __init__(self, width: int, expansion: int, group_width: int, gain: float) -> None:
        super().__init__()
        inner = width * expansion
        self.body = nn.Sequential(
            weighted(nn.Conv2d(width, inner, 1, bias=False), gain), Biased(inner),
            weighted(nn.Conv2d(inner, inner, 3, 1, 1, groups=inner // group_width, bias=False), gain), Biased(inner),
            weighted(nn.Conv2d(inner, width, 1, bias=False), 0.0),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return torch.add(x, self.body(x))


@functools.cache
def _halving(size: int) -> Tensor:
    """[1, 2, 1] / 4 about every other of `size` pixels, 0 beyond the edge: (size / 2, size)."""
    apart = (torch.arange(size) - 2 * torch.arange(size // 2)[:, None]).abs()
    return torch.tensor([0.5, 0.25, 0.0])[apart.clamp(max=2)]


def _resampled(x: Tensor, matrix: Tensor) -> Tensor:
    """Along both axes, (N, C, H, H) by (K, H) -> (N, C, K, K); products of matrices are quicker than such filters."""
    matrix = matrix.to(x.device, x.dtype)
    return (matrix @ x @ matrix.T).contiguous(memory_format=torch.channels_last)


class Up(nn.Module):
    """1x1 convolution where the width changes, then twice the size: (N, cin, H, W) -> (N, cout, 2H, 2W)."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.width = nn.Identity() if cin == cout else weighted(nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, 2H, 2W)."""
        return _resampled(self.width(x), 2 * _halving(2 * x.shape[-1]).T)


class Down(nn.Module):
    """Half the size, then a 1x1 convolution where the width changes: (N, cin, H, W) -> (N, cout, H / 2, W / 2)."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.width = nn.Identity() if cin == cout else weighted(nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H / 2, W / 2)."""
        return torch.as_tensor(self.width(_resampled(x, _halving(x.shape[-1]))))


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1]."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 64, embed_dim: int = 64,
        widths: Sequence[int] = (), group_width: int = 16, expansion: int = 2, blocks: int = 2,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"z_dim": z_dim, "embed_dim": embed_dim, "group_width": group_width, "expansion": expansion}
        self.classes = check_size(resolution, classes, channels=channels, blocks=blocks, **sizes)
        chosen = widths_of(resolution, widths, group_width, expansion)
        self.resolution, self.z_dim, self.embed_dim = resolution, z_dim, embed_dim
        self.labels = embedding(self.classes, embed_dim)
        gain = GAIN * (blocks * len(chosen)) ** -0.25
        self.basis = nn.Parameter(torch.randn(chosen[0], 4, 4))
        self.start = weighted(nn.Linear(z_dim + (embed_dim if classes else 0), chosen[0], bias=False))
        layers: list[nn.Module] = []
        for cin, width in pairwise([chosen[0], *chosen]):
            layers += [Up(cin, width)] if layers else []
            layers += [Block(width, expansion, group_width, gain) for _ in range(blocks)]
        self.body = nn.Sequential(*layers, weighted(nn.Conv2d(chosen[-1], channels, 1, bias=False)))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        h: Tensor = self.start(self.joined(z, y).to(torch.as_tensor(self.start.weight).dtype))
        x = self.basis.to(h.dtype) * h[:, :, None, None]  # (N, C, 4, 4)
        images: Tensor = self.body(x.contiguous(memory_format=torch.channels_last))
        return images


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). Without labels: their mean embedding."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, embed_dim: int = 64,
        widths: Sequence[int] = (), group_width: int = 16, expansion: int = 2, blocks: int = 2,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"embed_dim": embed_dim, "group_width": group_width, "expansion": expansion, "blocks": blocks}
        self.classes = check_size(resolution, classes, channels=channels, **sizes)
        chosen = widths_of(resolution, widths, group_width, expansion)[::-1]  # from the picture down
        gain = GAIN * (blocks * len(chosen)) ** -0.25
        layers: list[nn.Module] = [weighted(nn.Conv2d(channels, chosen[0], 1, bias=False))]
        for cin, width in pairwise([chosen[0], *chosen]):
            layers += [Down(cin, width)] if len(layers) > 1 else []
            layers += [Block(width, expansion, group_width, gain) for _ in range(blocks)]
        last = chosen[-1]
        self.body = nn.Sequential(*layers, weighted(nn.Conv2d(last, last, 4, groups=last, bias=False)), nn.Flatten())
        self.real = weighted(nn.Linear(last, embed_dim if classes else 1, bias=False))
        self.labels = embedding(self.classes, embed_dim, 1 / math.sqrt(embed_dim))

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        images = images.to(torch.as_tensor(self.real.weight).dtype).contiguous(memory_format=torch.channels_last)
        h: Tensor = self.real(self.body(images))  # (N, embed_dim)
        if not self.classes:
            return h.squeeze(1)
        tables = [torch.as_tensor(table.weight) for table in self.labels.tables]
        known = torch.stack([w.mean(0) for w in tables]).sum(0) if y is None else self.labels(y)
        return (h * known.to(h.dtype)).sum(1)


def embedding(classes: Sequence[int], dim: int, gain: float = 1.0) -> Condition:
    """A linear map of one-hot labels, with weights of N(0, gain / sqrt(classes))."""
    condition = Condition(classes, dim)
    for count, table in zip(classes, condition.tables, strict=True):
        nn.init.normal_(torch.as_tensor(table.weight), std=gain / math.sqrt(count))
    return condition
