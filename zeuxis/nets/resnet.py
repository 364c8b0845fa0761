"""Residual networks (He et al. 2016, arXiv 1512.03385) as published: for ImageNet, for CIFAR, narrow, deep, any.

Tensors are named as in torchvision: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zeuxis.errors import BadInput
from zeuxis.nets.layers import fold_batch_norm

BLOCKS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}  # kernel sizes
MOST_WEIGHTS = 2**28  # ResNet-152 has 60 million


class Block(nn.Module):
    """Convolutions and a shortcut: (N, cin, H, W) -> (N, cout, H / stride, W / stride).

    `widths` are the channels after each convolution; the `strided`-th of them has the stride. Where the shape
    changes, the shortcut is a 1x1 convolution, or with `pad` (option A of section 4.2) has no weights: every second
    pixel, zero channels added evenly before and after.
    """

    def __init__(
        self, cin: int, widths: Sequence[int], sizes: Sequence[int], stride: int, strided: int, pad: bool
    ) -> None:
        super().__init__()
        self.stride, self.extra, self.count = stride, widths[-1] - cin, len(sizes)
        width = cin
        for i, (cout, size) in enumerate(zip(widths, sizes, strict=True)):
            step = stride if i == strided else 1
            self.add_module(f"conv{i + 1}", nn.Conv2d(width, cout, size, step, size // 2, bias=False))
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(cout))
            width = cout
        self.downsample: nn.Sequential | None = None
        if not pad and (stride != 1 or self.extra):
            shortcut = nn.Conv2d(cin, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H / stride, W / stride)."""
        h = x
        for i in range(1, self.count + 1):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            if i < self.count:
                h = F.relu(h, inplace=not h.requires_grad)
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        if self.downsample is None and (self.stride != 1 or self.extra):
            side = self.extra // 2
            shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, side, self.extra - side))
        return F.relu(h + shortcut)


class ResNet(nn.Module):
    """Images (N, 3, H, W), minus the mean and divided by the deviation the network was trained with -> logits (N, K).

    `depths`, `widths` and `inner` hold per stage the number of blocks, the channels that leave them, and the channels
    inside them (of a basic block: the same). The stem is a convolution of `stem` channels: 7x7 with stride 2 and a max
    pooling, or 3x3 with neither. `first_stride` is the stride of the first stage, 2 that of the others; `early` puts it
    in the first convolution of a bottleneck in place of the 3x3. `shortcut`: "conv" or "pad".
    BadInput for anything else.
    """

    def __init__(
        self,
        block: str,
        depths: Sequence[int],
        widths: Sequence[int],
        inner: Sequence[int],
        stem: int,
        stem_size: int,
        classes: int,
        shortcut: str = "conv",
        first_stride: int = 1,
        early: bool = False,
    ) -> None:
        super().__init__()
        _check(block, depths, widths, inner, stem, stem_size, classes, shortcut, first_stride)
        self.stem_size, self.classes = stem_size, classes
        self.conv1 = nn.Conv2d(3, stem, stem_size, 2 if stem_size == 7 else 1, stem_size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        sizes, strided = BLOCKS[block], int(block == "bottleneck" and not early)
        self.stages, cin = len(depths), stem
        for s, (depth, cout, within) in enumerate(zip(depths, widths, inner, strict=True)):
            channels = [*[within] * (len(sizes) - 1), cout]
            stride = first_stride if s == 0 else 2
            blocks = []
            for i in range(depth):
                blocks.append(Block(cin, channels, sizes, stride if i == 0 else 1, strided, shortcut == "pad"))
                cin = cout
            self.add_module(f"layer{s + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(cin, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, K)."""
        h = F.relu(self.bn1(self.conv1(x)))
        if self.stem_size == 7:
            h = F.max_pool2d(h, 3, stride=2, padding=1)
        for s in range(1, self.stages + 1):
            h = getattr(self, f"layer{s}")(h)
        logits: Tensor = self.fc(h.mean((2, 3)))
        return logits

    def fold(self) -> ResNet:
        """Merge every batch norm into the convolution before it, in place: eval mode only, and for good."""
        fold_batch_norm(self)  # of the shortcuts
        for owner in (self, *(module for module in self.modules() if isinstance(module, Block))):
            for i in range(1, owner.count + 1 if isinstance(owner, Block) else 2):
                conv, norm = getattr(owner, f"conv{i}"), getattr(owner, f"bn{i}")
                if isinstance(norm, nn.BatchNorm2d):
                    setattr(owner, f"conv{i}", fuse_conv_bn_eval(conv.eval(), norm.eval()))
                    setattr(owner, f"bn{i}", nn.Identity())
        return self


def _check(
    block: str,
    depths: Sequence[int],
    widths: Sequence[int],
    inner: Sequence[int],
    stem: int,
    stem_size: int,
    classes: int,
    shortcut: str,
    first_stride: int,
) -> None:
    if block not in BLOCKS or shortcut not in ("conv", "pad"):
        raise BadInput(f"Expected blocks {' or '.join(BLOCKS)} and shortcuts conv or pad, got {block!r}, {shortcut!r}.")
    if stem_size not in (3, 7) or first_stride not in (1, 2):
        raise BadInput(f"Expected a stem of 3 or 7 and a first stride of 1 or 2, got {stem_size!r}, {first_stride!r}.")
    if not 1 <= len(depths) == len(widths) == len(inner) <= 8:
        raise BadInput(f"Expected 1 to 8 stages, got {len(depths)} depths, {len(widths)} and {len(inner)} widths.")
    numbers = [*depths, *widths, *inner, stem, classes]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 2**16 for n in numbers):
        raise BadInput(f"Expected whole numbers from 1 to {2**16}, got {numbers}.")
    if block == "basic" and list(widths) != list(inner):
        raise BadInput(f"Expected basic blocks as wide inside as outside, got {list(inner)} and {list(widths)}.")
    if shortcut == "pad" and any(a > b for a, b in zip([stem, *widths], widths, strict=False)):
        raise BadInput(f"Expected widths that grow where shortcuts are padded, got {[stem, *widths]}.")
    weights = sum(d * (9 * i * i + 2 * i * w) + w * w for d, w, i in zip(depths, widths, inner, strict=True))
    if weights + widths[-1] * classes > MOST_WEIGHTS or sum(depths) > 1000:
        raise BadInput(f"Expected a network of at most {MOST_WEIGHTS:,} weights, got about {weights:,}.")


CIFAR_MEAN, CIFAR_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class CifarResNet(ResNet):
    """Images (N, 3, 32, 32) in [0, 1] -> logits (N, K). Depth is 6 * blocks + 2."""

    def __init__(self, blocks: int, classes: int = 10) -> None:
        widths = (16, 32, 64)
        super().__init__("basic", (blocks,) * 3, widths, widths, 16, 3, classes, shortcut="pad")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, K)."""
        mean, deviation = (torch.tensor(v, device=x.device)[:, None, None] for v in (CIFAR_MEAN, CIFAR_DEVIATION))
        return super().forward((x - mean) / deviation)


def cifar_from_state(state: Mapping[str, Tensor]) -> CifarResNet:
    """The network that a state dictionary describes; a "module." prefix is taken off. Strict."""
    plain = {name.removeprefix("module.").replace("linear.", "fc."): value for name, value in state.items()}
    blocks = len({name.split(".")[1] for name in plain if name.startswith("layer1.")})
    net = CifarResNet(blocks, plain["fc.bias"].shape[0])
    net.load_state_dict(plain)
    return net.eval().requires_grad_(False)
