"""BigGAN, the shallow one: Brock, Donahue and Simonyan, "Large scale GAN training for high fidelity natural image
synthesis" (2019), https://arxiv.org/abs/1809.11096 , appendix B, tables 4 to 6 and figure 15.

What BigGAN-PyTorch and PyTorch-StudioGAN train: a block of two convolutions for each doubling, conditional batch norms
with one set of statistics, and z whole at the bottom or in one piece for each block ("hierarchical", section 3.1).
Spectral normalisation is folded into the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.biggan_layers import Attention, Conv, Linear, Norm, added
from zeuxis.nets.layers import bounded

MOST_BLOCKS = 8


class Block(nn.Module):
    """Two normalised 3x3 convolutions beside a 1x1 one, at twice the size: (N, in, H, W) -> (N, out, 2H, 2W)."""

    def __init__(self, cin: int, cout: int, condition: int, eps: float) -> None:
        super().__init__()
        self.bn_0, self.bn_1 = Norm(cin, 1, eps, condition), Norm(cout, 1, eps, condition)
        self.conv_0, self.conv_1, self.conv_sc = Conv(cin, cout, 3), Conv(cout, cout, 3), Conv(cin, cout, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x (N, in, H, W), condition (N, D)."""
        h = self.conv_0.doubled(self.bn_0.relu(x, self.bn_0.factors(condition), fresh=True))
        h = self.conv_1(self.bn_1.relu(h, self.bn_1.factors(condition)))
        return added(h, self.conv_sc(x), True)  # a 1x1 convolution and nearest neighbours may change places


class BigGANClassic(nn.Module):
    """z (N, z_dim) and a class embedding (N, class_embed_dim) -> images (N, img_channels, R, R) in [-1, 1].

    `first` and `widths` are the channels before the first block and after each. `hierarchical`: z is cut into one equal
    piece for the bottom and one for each block. `attention` numbers the blocks that self-attention follows. R is
    bottom * 2^blocks.
    """

    def __init__(
        self,
        z_dim: int,
        class_embed_dim: int,
        num_classes: int,
        first: int,
        widths: Sequence[int],
        attention: Sequence[int] = (),
        hierarchical: bool = True,
        bottom: int = 4,
        eps: float = 1e-5,
        img_channels: int = 3,
    ) -> None:
        super().__init__()
        if not isinstance(widths, list | tuple) or not isinstance(attention, list | tuple):
            raise BadInput("Expected the widths and the places of attention of a BigGAN as lists.")
        blocks = bounded("the number of blocks", len(widths), 1, MOST_BLOCKS)
        for name, value, low, high in (
            ("z_dim", z_dim, 1, 4096),
            ("class_embed_dim", class_embed_dim, 1, 100_000),
            ("num_classes", num_classes, 1, 100_000),
            ("first", first, 1, 16_384),
            ("bottom", bottom, 1, 64),
            ("img_channels", img_channels, 1, 3),
            *((f"widths[{i}]", width, 1, 16_384) for i, width in enumerate(widths)),
            *((f"attention[{i}]", place, 0, blocks - 1) for i, place in enumerate(attention)),
        ):
            bounded(name, value, low, high)
        if not isinstance(eps, float) or not 0 < eps < 1:
            raise BadInput(f"Expected 0 < eps < 1, got {repr(eps)[:40]}.")
        self.hierarchical = bool(hierarchical)
        if self.hierarchical and z_dim % (blocks + 1):
            raise BadInput(f"Expected z_dim as {blocks + 1} equal pieces, got {z_dim}.")
        self.z_dim, self.num_classes, self.bottom, self.first = z_dim, num_classes, bottom, first
        self.img_resolution = bottom * 2**blocks
        self.piece = z_dim // (blocks + 1) if self.hierarchical else z_dim
        condition = class_embed_dim + (self.piece if self.hierarchical else 0)
        self.embeddings = Linear(num_classes, class_embed_dim, bias=False)
        self.linear = Linear(self.piece, first * bottom**2)
        widths_in = (first, *widths[:-1])
        self.blocks = nn.ModuleList(Block(a, b, condition, eps) for a, b in zip(widths_in, widths, strict=True))
        self.attention = nn.ModuleDict({str(place): Attention(widths[place]) for place in attention})
        self.bn = Norm(widths[-1], 1, eps, None)
        self.conv_to_rgb = Conv(widths[-1], img_channels, 3)

    def norms(self) -> list[Norm]:
        """Every norm in the order of use, the last one without condition."""
        found = [norm for block in self.blocks for norm in block.modules() if isinstance(norm, Norm)]
        return [*found, self.bn]

    def set_truncation(self, truncation: float, exact: bool = False) -> None:
        """Use the stored statistics: these networks have one set, gathered at truncation 1. BadInput outside (0, 1]."""
        if not 0 < truncation <= 1:
            raise BadInput(f"Expected a truncation from 0 to 1, not 0 itself, got {truncation:g}.")
        for norm in self.norms():
            norm.at(0, 0, 1.0)

    def forward(self, z: Tensor, embedding: Tensor) -> Tensor:
        """(N, z_dim) already multiplied by the truncation, (N, class_embed_dim) -> (N, C, R, R) float32 in [-1, 1]."""
        lowest, *others = torch.split(z, self.piece, dim=1)
        conditions = [torch.cat([embedding, piece], dim=1) for piece in others] or [embedding] * len(self.blocks)
        x = self.linear(lowest).view(len(z), self.first, self.bottom, self.bottom)
        x = x.to(self.conv_to_rgb.weight.dtype).contiguous(memory_format=torch.channels_last)
        for place, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True)):
            x = block(x, condition)
            if str(place) in self.attention:
                x = self.attention[str(place)](x)
        x = self.conv_to_rgb(self.bn.relu(x, self.bn.factors(embedding)))
        return torch.tanh(x.float())
