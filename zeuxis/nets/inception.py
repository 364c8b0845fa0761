"""Inception-v3 of 2015-12-05 (Szegedy et al. 2016, arXiv 1512.00567) as FID, KID and IS use it.

It differs from torchvision's: 1008 outputs, no auxiliary head, average pooling that leaves the border out of its count,
and a maximum in the pooling branch of the last block. Tensors are named as in the published state dictionary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zeuxis.errors import BadInput

SIZE = 299
TAPS = (64, 192, 768, 2048)

# A branch is a chain of (name, channels, kernel, stride); a 3x3 or larger kernel keeps the size unless it strides.
Layer = tuple[str, int, tuple[int, int], int]


def _block_a(pooled: int) -> list[list[Layer]]:
    """35x35: 1x1, 5x5, double 3x3, pool."""
    return [
        [("branch1x1", 64, (1, 1), 1)],
        [("branch5x5_1", 48, (1, 1), 1), ("branch5x5_2", 64, (5, 5), 1)],
        [("branch3x3dbl_1", 64, (1, 1), 1), ("branch3x3dbl_2", 96, (3, 3), 1), ("branch3x3dbl_3", 96, (3, 3), 1)],
        [("branch_pool", pooled, (1, 1), 1)],
    ]


def _block_c(mid: int) -> list[list[Layer]]:
    """17x17: 1x1, 7x7 and double 7x7 taken apart into 1x7 and 7x1, pool."""
    across, down = (1, 7), (7, 1)
    return [
        [("branch1x1", 192, (1, 1), 1)],
        [("branch7x7_1", mid, (1, 1), 1), ("branch7x7_2", mid, across, 1), ("branch7x7_3", 192, down, 1)],
        [
            *(("branch7x7dbl_1", mid, (1, 1), 1), ("branch7x7dbl_2", mid, down, 1), ("branch7x7dbl_3", mid, across, 1)),
            *(("branch7x7dbl_4", mid, down, 1), ("branch7x7dbl_5", 192, across, 1)),
        ],
        [("branch_pool", 192, (1, 1), 1)],
    ]


BLOCK_B: list[list[Layer]] = [  # 35x35 -> 17x17
    [("branch3x3", 384, (3, 3), 2)],
    [("branch3x3dbl_1", 64, (1, 1), 1), ("branch3x3dbl_2", 96, (3, 3), 1), ("branch3x3dbl_3", 96, (3, 3), 2)],
]
BLOCK_D: list[list[Layer]] = [  # 17x17 -> 8x8
    [("branch3x3_1", 192, (1, 1), 1), ("branch3x3_2", 320, (3, 3), 2)],
    [
        *(("branch7x7x3_1", 192, (1, 1), 1), ("branch7x7x3_2", 192, (1, 7), 1)),
        *(("branch7x7x3_3", 192, (7, 1), 1), ("branch7x7x3_4", 192, (3, 3), 2)),
    ],
]


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, cin: int, cout: int, size: tuple[int, int], stride: int = 1, same: bool = True) -> None:
        super().__init__()
        padding = (size[0] // 2, size[1] // 2) if same and stride == 1 else (0, 0)
        self.conv = nn.Conv2d(cin, cout, size, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(cout, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H', W')."""
        return F.relu(self.bn(self.conv(x)))

    def fold(self) -> None:
        """Merge the batch norm into the convolution, in place."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv, self.bn = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval()), nn.Identity()


class Branches(nn.Module):
    """Chains of convolutions side by side, joined along the channels; a strided block pools its input beside them."""

    def __init__(self, cin: int, chains: list[list[Layer]]) -> None:
        super().__init__()
        self.chains = [[name for name, *_ in chain] for chain in chains]
        self.strided = any(stride > 1 for chain in chains for *_, stride in chain)
        for chain in chains:
            width = cin
            for name, cout, size, stride in chain:
                self.add_module(name, ConvNorm(width, cout, size, stride))
                width = cout
        self.width = sum(chain[-1][1] for chain in chains) + (cin if self.strided else 0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H', W')."""
        found = []
        for chain in self.chains:
            h = _average(x) if chain[0] == "branch_pool" else x
            for name in chain:
                h = getattr(self, name)(h)
            found.append(h)
        return torch.cat([*found, F.max_pool2d(x, 3, stride=2)] if self.strided else found, 1)


class Fanned(nn.Module):
    """The 8x8 blocks: 3x3 and double 3x3 that end in 1x3 beside 3x1. `largest`: the pooling branch takes a maximum."""

    width = 2048

    def __init__(self, cin: int, largest: bool) -> None:
        super().__init__()
        self.largest = largest
        self.branch1x1 = ConvNorm(cin, 320, (1, 1))
        self.branch3x3_1 = ConvNorm(cin, 384, (1, 1))
        self.branch3x3_2a, self.branch3x3_2b = ConvNorm(384, 384, (1, 3)), ConvNorm(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvNorm(cin, 448, (1, 1)), ConvNorm(448, 384, (3, 3))
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = ConvNorm(384, 384, (1, 3)), ConvNorm(384, 384, (3, 1))
        self.branch_pool = ConvNorm(cin, 192, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, 8, 8) -> (N, 2048, 8, 8)."""
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.largest else _average(x)
        found = [self.branch1x1(x), self.branch3x3_2a(single), self.branch3x3_2b(single)]
        found += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pooled)]
        return torch.cat(found, 1)


class Inception(nn.Module):
    """Images (N, 3, 299, 299), (grey level - 128) / 128, resized by `resize_tf1` -> features (N, 2048)."""

    def __init__(self, classes: int = 1008) -> None:
        super().__init__()
        if not isinstance(classes, int) or not 1 <= classes <= 2**16:
            raise BadInput(f"Expected 1 to {2**16} classes, got {classes!r}.")
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, (3, 3), 2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, (3, 3), same=False)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, (3, 3))
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, (1, 1))
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, (3, 3), same=False)
        chains = {"5b": _block_a(32), "5c": _block_a(64), "5d": _block_a(64), "6a": BLOCK_B, "6b": _block_c(128)}
        chains |= {"6c": _block_c(160), "6d": _block_c(160), "6e": _block_c(192), "7a": BLOCK_D}
        width = 192
        for name, chain in chains.items():
            block = Branches(width, chain)
            self.add_module(f"Mixed_{name}", block)
            width = block.width
        self.blocks = [f"Mixed_{name}" for name in (*chains, "7b", "7c")]
        self.Mixed_7b, self.Mixed_7c = Fanned(width, largest=False), Fanned(2048, largest=True)
        self.fc = nn.Linear(2048, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 299, 299) -> (N, 2048)."""
        return self.taps(x)[2048]

    def taps(self, x: Tensor) -> dict[int, Tensor]:
        """(N, 3, 299, 299) -> means over places, after the two poolings, the 17x17 blocks and all: (N, 64) ..."""
        h = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        h = F.max_pool2d(h, 3, stride=2)
        found = {64: h.mean((2, 3))}
        h = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(h)), 3, stride=2)
        found[192] = h.mean((2, 3))
        for name in self.blocks:
            h = getattr(self, name)(h)
            if name == "Mixed_6e":
                found[768] = h.mean((2, 3))
        found[2048] = h.mean((2, 3))
        return found

    def logits(self, features: Tensor, bias: bool = False) -> Tensor:
        """(N, 2048) -> (N, 1008); the Inception Score is defined without the bias."""
        return F.linear(features, self.fc.weight, self.fc.bias if bias else None)

    def fold(self) -> Inception:
        """Merge every batch norm into its convolution, in place: eval mode only, and for good."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
