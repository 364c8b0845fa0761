"""VQGAN's decoder: Esser, Rombach and Ommer, "Taming transformers for high-resolution image synthesis" (2021).

https://arxiv.org/abs/2012.09841 , section 3.1 and table 7: a codebook, a convolution to the decoder's channels, a
middle of two residual blocks with attention between, and a level for each doubling of the picture. Written from the
paper; tensors have the names that the published files give them. Activations are swish, norms have 32 groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded, conv, upsample

GROUPS = 32
EPSILON = 1e-6
LEVELS, BLOCKS, WIDEST = 8, 8, 4096  # the largest that is built


class Norm(nn.GroupNorm):
    """Group norm in float32, whatever the type of its input: (N, C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        h: Tensor = super().forward(x.float())
        return h.to(x.dtype)


def norm(width: int, groups: int) -> Norm:
    """Each of the groups has at least one channel; with one alone the mean colour of a picture is lost."""
    return Norm(groups, width, EPSILON)


class Residual(nn.Module):
    """Norm, swish, convolution, twice, beside a path that a 1x1 convolution may widen."""

    def __init__(self, cin: int, cout: int, groups: int = GROUPS) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(cin, groups), conv(cin, cout)
        self.norm2, self.conv2 = norm(cout, groups), conv(cout, cout)
        self.nin_shortcut = conv(cin, cout, 1) if cin != cout else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        same = x if self.nin_shortcut is None else self.nin_shortcut(x)
        found: Tensor = same + self.conv2(F.silu(self.norm2(h)))
        return found


class Attention(nn.Module):
    """One head of self-attention over all places, added to its input: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, width: int, groups: int = GROUPS) -> None:
        super().__init__()
        self.norm = norm(width, groups)
        self.q, self.k, self.v, self.proj_out = (conv(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2).contiguous() for layer in (self.q, self.k, self.v))  # (N, HW, C)
        weight = torch.softmax((q @ k.transpose(1, 2)).float() / q.shape[2] ** 0.5, dim=2).to(v.dtype)
        seen: Tensor = self.proj_out((weight @ v).transpose(1, 2).reshape(x.shape))
        return x + seen


class Middle(nn.Module):
    """Two residual blocks with attention between them."""

    def __init__(self, width: int, groups: int = GROUPS) -> None:
        super().__init__()
        self.block_1, self.block_2 = (Residual(width, width, groups) for _ in range(2))
        self.attn_1 = Attention(width, groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        h: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return h


class Upsample(nn.Module):
    """Nearest neighbour and a convolution: (N, C, H, W) -> (N, C, 2H, 2W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2H, 2W)."""
        h: Tensor = self.conv(upsample(x))
        return h


class Level(nn.Module):
    """Residual blocks at one size, attention behind each where the level has any, and the way to the next size."""

    def __init__(
        self, cin: int, cout: int, blocks: int, attends: bool, groups: int,
        upsample: Callable[[int], nn.Module] | None = None, downsample: Callable[[int], nn.Module] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.block = nn.ModuleList(Residual(cin if k == 0 else cout, cout, groups) for k in range(blocks))
        self.attn = nn.ModuleList(Attention(cout, groups) for _ in range(blocks if attends else 0))
        self.upsample = upsample(cout) if upsample else None
        self.downsample = downsample(cout) if downsample else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W), twice the size or half of it."""
        for number, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[number](x)
        for move in (self.upsample, self.downsample):
            x = x if move is None else move(x)
        return x


class Decoder(nn.Module):
    """From the grid to the picture; level 0 is the one at full size, so the last is computed first."""

    def __init__(
        self, z_channels: int, widths: Sequence[int], blocks: int, attends: Sequence[int], out: int,
        groups: int = GROUPS,
    ) -> None:  # fmt: skip
        super().__init__()
        top = widths[-1]
        self.conv_in = conv(z_channels, top)
        self.mid = Middle(top, groups)
        befores = [*widths[1:], top]
        self.up = nn.ModuleList(
            Level(befores[i], width, blocks, i in attends, groups, upsample=Upsample if i else None)
            for i, width in enumerate(widths)
        )
        self.norm_out, self.conv_out = norm(widths[0], groups), conv(widths[0], out)

    def forward(self, z: Tensor) -> Tensor:
        """(N, z_channels, h, w) -> (N, out, 2^(levels - 1) h, 2^(levels - 1) w)."""
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        picture: Tensor = self.conv_out(F.silu(self.norm_out(h)))
        return picture


class Codebook(nn.Module):
    """The K vectors that a place of the grid may hold."""

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, width)


def check_levels(
    embed: int, z_channels: int, widths: Sequence[int], blocks: int, attention: Sequence[int], img_channels: int,
    groups: int = GROUPS,
) -> None:  # fmt: skip
    """BadInput for sizes that no such network has."""
    bounded("numbers of a code", embed, 1, WIDEST)
    bounded("channels of the grid", z_channels, 1, WIDEST)
    bounded("blocks of a level", blocks, 1, BLOCKS)
    bounded("channels of a picture", img_channels, 1, 16)
    bounded("groups of channels", groups, 1, WIDEST)
    if not isinstance(widths, list | tuple) or not 1 <= len(widths) <= LEVELS:
        raise BadInput(f"Expected 1 to {LEVELS} levels of a VQGAN, got {widths!r:.80}.")
    for width in widths:
        if bounded("channels of a level", width, groups, WIDEST) % groups:
            raise BadInput(f"Expected channels of a level in {groups} equal groups, got {width}.")
    if not isinstance(attention, list | tuple) or not set(attention) <= set(range(len(widths))):
        raise BadInput(f"Expected numbers of levels with attention, got {attention!r:.80}.")


class VQGAN(nn.Module):
    """Codebook and decoder.

    `codes` vectors of `embed` numbers; `widths` the channels of the levels, that at full size first; `blocks` residual
    blocks a level; `attention` the numbers of the levels that have it; `groups` of the norms, 32 in published files.
    BadInput for what no such network is.
    """

    def __init__(
        self,
        codes: int,
        embed: int,
        z_channels: int,
        widths: Sequence[int],
        blocks: int,
        attention: Sequence[int] = (),
        img_channels: int = 3,
        groups: int = GROUPS,
    ) -> None:
        super().__init__()
        bounded("codes of a VQGAN", codes, 1, 2**20)
        check_levels(embed, z_channels, widths, blocks, attention, img_channels, groups)
        self.codes, self.embed, self.factor = codes, embed, 2 ** (len(widths) - 1)
        self.quantize = Codebook(codes, embed)
        self.post_quant_conv = conv(embed, z_channels, 1)
        self.decoder = Decoder(z_channels, widths, blocks, attention, img_channels, groups)

    def forward(self, grid: Tensor) -> Tensor:
        """Codes (N, embed, h, w) -> pictures (N, channels, factor h, factor w), nominally in [-1, 1]."""
        weight = self.post_quant_conv.weight
        h = self.post_quant_conv(grid.to(weight.dtype).contiguous(memory_format=torch.channels_last))
        picture: Tensor = self.decoder(h)
        return picture.float()
