"""VQGAN's encoder: Esser, Rombach and Ommer, "Taming transformers for high-resolution image synthesis" (2021).

https://arxiv.org/abs/2012.09841 , section 3.1 and table 7: the mirror image of the decoder in `zeuxis.nets.vqgan`. A
level of residual blocks for each size, halved between levels; the middle; a convolution to the grid, and one to the
width of the codes. Names of tensors are those of the published files. And what is counted of its codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import bounded, conv
from zeuxis.nets.vqgan import GROUPS, Level, Middle, check_levels, norm

MOST_PLACES, MOST_AXES = 64**2, 4096  # of a grid


class Downsample(nn.Module):
    """A convolution of stride 2, padded at the right and below: (N, C, H, W) -> (N, C, H / 2, W / 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H / 2, W / 2)."""
        h: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return h


class Encoder(nn.Module):
    """From the picture to the grid; level 0 is the one at full size."""

    def __init__(
        self, z_channels: int, widths: Sequence[int], blocks: int, attends: Sequence[int], cin: int, groups: int
    ) -> None:
        super().__init__()
        self.conv_in = conv(cin, widths[0])
        befores, last = [widths[0], *widths], len(widths) - 1
        self.down = nn.ModuleList(
            Level(befores[i], width, blocks, i in attends, groups, downsample=Downsample if i < last else None)
            for i, width in enumerate(widths)
        )
        self.mid = Middle(widths[-1], groups)
        self.norm_out, self.conv_out = norm(widths[-1], groups), conv(widths[-1], z_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, z_channels, h, w), h = H / 2^(levels - 1)."""
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        grid: Tensor = self.conv_out(F.silu(self.norm_out(self.mid(h))))
        return grid


class VQGANEncoder(nn.Module):
    """Encoder and the convolution to `embed` numbers a place; options as of `zeuxis.nets.vqgan.VQGAN`. BadInput."""

    def __init__(
        self,
        embed: int,
        z_channels: int,
        widths: Sequence[int],
        blocks: int,
        attention: Sequence[int] = (),
        img_channels: int = 3,
        groups: int = GROUPS,
    ) -> None:
        super().__init__()
        check_levels(embed, z_channels, widths, blocks, attention, img_channels, groups)
        self.factor = 2 ** (len(widths) - 1)
        self.encoder = Encoder(z_channels, widths, blocks, attention, img_channels, groups)
        self.quant_conv = conv(z_channels, embed, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (N, channels, H, W) in [-1, 1] -> vectors (N, embed, H / factor, W / factor), float32."""
        x = images.to(self.quant_conv.weight.dtype).contiguous(memory_format=torch.channels_last)
        grid: Tensor = self.quant_conv(self.encoder(x))
        return grid.float()


class CodeCounts(nn.Module):
    """How often each of K codes stands in each of the places of a grid, in real pictures: `counts` (P, K) int32."""

    counts: Tensor

    def __init__(self, places: int, codes: int) -> None:
        super().__init__()
        bounded("places of a grid", places, 1, MOST_PLACES)
        bounded("codes of a VQGAN", codes, 1, 2**20)
        self.register_buffer("counts", torch.zeros(places, codes, dtype=torch.int32))


class CodeAxes(nn.Module):
    """Mean (P E,) and principal axes (A, P E) of the grids of real pictures, each as long as the deviation along it."""

    mean: Tensor
    axes: Tensor

    def __init__(self, places: int, embed: int, axes: int) -> None:
        super().__init__()
        bounded("places of a grid", places, 1, MOST_PLACES)
        bounded("numbers of a code", embed, 1, 4096)
        bounded("axes of a grid", axes, 1, MOST_AXES)
        self.register_buffer("mean", torch.zeros(places * embed))
        self.register_buffer("axes", torch.zeros(axes, places * embed))
