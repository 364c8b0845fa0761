"""StyleGAN2's discriminator: Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020),
section 4.1, https://arxiv.org/abs/1912.04958
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.compute.split import batch_size, over_the_batch
from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded
from zeuxis.nets.stylegan_layers import (
    GAIN,
    EqualLinear,
    Mapping,
    activate,
    depthwise,
    downsample,
    filter_shape,
    positive,
)

ARCHITECTURES = ("resnet", "skip", "orig")


class EqualConv(nn.Module):
    """Convolution with equalised weights, halving the size if `down`: (N, in, H, W) -> (N, out, H', W')."""

    resample_filter: Tensor

    def __init__(
        self,
        cin: int,
        cout: int,
        size: int,
        *,
        down: bool = False,
        lrelu: bool = True,
        bias: bool = True,
        clamp: float | None = None,
        taps: Sequence[int] = (4, 4),
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin, size, size))
        self.bias = nn.Parameter(torch.zeros(cout)) if bias else None
        self.register_buffer("resample_filter", torch.zeros(*taps))
        self.down, self.lrelu, self.clamp = down, lrelu, clamp
        self.weight_gain = 1 / math.sqrt(cin * size * size)
        self.dtype = torch.float32

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype`."""
        self.dtype = dtype
        self.weight.data = self.weight.data.to(dtype, memory_format=torch.channels_last)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """`gain` scales the output, clamped at gain * clamp."""
        x, size, k = x.to(self.dtype), self.weight.shape[2], self.resample_filter.shape[0]
        weight = self.weight * self.weight_gain
        if self.down and size == 1:
            x = F.conv2d(downsample(x, self.resample_filter), weight)
        elif self.down:
            x = depthwise(x, self.resample_filter, pad=(1 + (k - 1) // 2, 1 + (k - 2) // 2))
            x = F.conv2d(x, weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=size // 2)
        clamp = None if self.clamp is None else self.clamp * gain
        if self.lrelu:
            assert self.bias is not None
            return activate(x, self.bias, GAIN * gain, clamp)
        x = (x if self.bias is None else x + self.bias.to(x.dtype)[:, None, None]) * gain
        return x if clamp is None else x.clamp(-clamp, clamp)


class Block(nn.Module):
    """One resolution: (N, in, H, W) -> (N, out, H/2, W/2)."""

    resample_filter: Tensor

    def __init__(
        self, cin: int, width: int, cout: int, colours: int, how: str, clamp: float | None, taps: Sequence[int]
    ) -> None:
        super().__init__()
        self.how = how
        self.register_buffer("resample_filter", torch.zeros(*taps))
        if cin == 0 or how == "skip":
            self.fromrgb = EqualConv(colours, width, 1, clamp=clamp, taps=taps)
        self.conv0 = EqualConv(width, width, 3, clamp=clamp, taps=taps)
        self.conv1 = EqualConv(width, cout, 3, down=True, clamp=clamp, taps=taps)
        if how == "resnet":
            self.skip = EqualConv(width, cout, 1, down=True, lrelu=False, bias=False, taps=taps)

    def forward(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """x from the block above (None at the top) and the image at this resolution."""
        if image is not None and hasattr(self, "fromrgb"):
            colours = self.fromrgb(image)
            x = colours if x is None else x + colours
            image = downsample(image, self.resample_filter) if self.how == "skip" else None
        assert x is not None
        if self.how != "resnet":
            return self.conv1(self.conv0(x)), image
        beside = self.skip(x, gain=math.sqrt(0.5))
        return beside + self.conv1(self.conv0(x), gain=math.sqrt(0.5)), image


class Epilogue(nn.Module):
    """The last 4x4 pixels: minibatch deviation, convolution, two linear layers.

    With `any_batch` a batch that is no multiple of the group is cut into smaller groups, else it is refused.
    """

    any_batch = False

    def __init__(
        self,
        cin: int,
        cmap_dim: int,
        colours: int,
        how: str,
        group: int | None,
        deviations: int,
        clamp: float | None,
        taps: Sequence[int],
    ) -> None:
        super().__init__()
        self.group, self.deviations, self.cmap_dim = group, deviations, cmap_dim
        if how == "skip":
            self.fromrgb = EqualConv(colours, cin, 1, taps=taps)
        self.conv = EqualConv(cin + deviations, cin, 3, clamp=clamp, taps=taps)
        self.fc = EqualLinear(cin * 16, cin, lrelu=True)
        self.out = EqualLinear(cin, cmap_dim or 1)

    def forward(self, x: Tensor, image: Tensor | None, cmap: Tensor | None) -> Tensor:
        """x (N, in, 4, 4) -> (N, 1) float32."""
        x = x.float()
        if image is not None and hasattr(self, "fromrgb"):
            x = x + self.fromrgb(image).float()
        if self.deviations:
            group = divisor(batch_size(x), self.group) if self.any_batch else self.group
            x = torch.cat([x, minibatch_deviation(x, group, self.deviations)], dim=1)
        x = self.out(self.fc(self.conv(x).float().flatten(1)))
        return x if cmap is None else (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)


class Discriminator(nn.Module):
    """Images (N, C, R, R) in [-1, 1] and classes (N, c_dim) -> logits (N, 1), higher is more real.

    `channels` are the widths at R, ..., 8, 4 pixels. `label_dot` is TensorFlow's way to know classes: one logit for
    each, and no mapping (Mescheder, Geiger and Nowozin, "Which training methods for GANs do actually converge?", 2018).
    """

    def __init__(
        self,
        c_dim: int,
        channels: Sequence[int],
        img_channels: int = 3,
        architecture: str = "resnet",
        conv_clamp: float | None = None,
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        cmap_dim: int = 0,
        mapping_layers: int = 8,
        rate: float = 0.01,
        resample_taps: Sequence[int] = (4, 4),
        label_dot: bool = False,
    ) -> None:
        super().__init__()
        for name, value, low, high in (
            ("c_dim", c_dim, 0, 100_000),
            ("img_channels", img_channels, 1, 16),
            ("mbstd_group_size", 1 if mbstd_group_size is None else mbstd_group_size, 1, 4096),
            ("mbstd_num_channels", mbstd_num_channels, 0, 64),
            ("cmap_dim", cmap_dim, 0, 8192),
            ("mapping_layers", mapping_layers, 0, 64),
            ("the number of resolutions", len(channels), 1, 11),
            *((f"channels[{i}]", width, 1, 8192) for i, width in enumerate(channels)),
        ):
            bounded(name, value, low, high)
        if architecture not in ARCHITECTURES:
            raise BadInput(f"Expected architecture {', '.join(ARCHITECTURES)}, got {str(architecture)[:40]!r}.")
        if mbstd_num_channels and channels[-1] % mbstd_num_channels:
            raise BadInput(f"Expected mbstd_num_channels to divide {channels[-1]}, got {mbstd_num_channels}.")
        positive("rate", rate)
        positive("conv_clamp", conv_clamp, optional=True)
        taps = filter_shape(resample_taps)
        self.label_dot = bool(label_dot) and c_dim > 0
        self.c_dim, self.img_resolution = c_dim, 4 * 2 ** (len(channels) - 1)
        self.sizes = [self.img_resolution // 2**i for i in range(len(channels) - 1)]
        for i, size in enumerate(self.sizes):
            cin = 0 if i == 0 else channels[i]
            self.add_module(
                f"b{size}", Block(cin, channels[i], channels[i + 1], img_channels, architecture, conv_clamp, taps)
            )
        if self.label_dot:
            cmap_dim = c_dim
        elif c_dim:
            self.mapping = Mapping(0, c_dim, cmap_dim, mapping_layers, rate=rate)
        self.b4 = Epilogue(
            channels[-1], cmap_dim, img_channels, architecture, mbstd_group_size, mbstd_num_channels, conv_clamp, taps
        )

    def forward(self, images: Tensor, c: Tensor | None = None) -> Tensor:
        """(N, C, R, R), (N, c_dim) -> (N, 1) float32. The minibatch deviation looks at the whole batch."""
        x: Tensor | None = None
        image: Tensor | None = images
        for size in self.sizes:
            x, image = self.get_submodule(f"b{size}")(x, image)
        cmap = self.mapping(None, c) if self.c_dim and not self.label_dot else None
        if self.label_dot:
            if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
                got = "none" if c is None else tuple(c.shape)
                raise BadInput(f"This network knows classes: expected one-hot rows (N, {self.c_dim}), got {got}.")
            cmap = c * math.sqrt(self.c_dim)  # a plain product: the epilogue divides by this
        logits: Tensor = self.b4(x, image, cmap)
        return logits


def divisor(count: int, most: int | None) -> int:
    """The largest divisor of `count` up to `most`."""
    return next(g for g in range(count if most is None else min(most, count), 0, -1) if count % g == 0)


@over_the_batch
def minibatch_deviation(x: Tensor, group: int | None, channels: int) -> Tensor:
    """Deviation over groups, averaged: (N, C, H, W) -> (N, channels, H, W). Karras et al. 2018, section 3."""
    n, c, h, w = x.shape
    g = n if group is None else min(group, n)
    if not g or n % g:
        raise BadInput(f"The discriminator compares images in groups of {group}: expected a multiple of it, got {n}.")
    y = x.reshape(g, -1, channels, c // channels, h, w)  # (G, n, F, c, H, W)
    y = (y - y.mean(dim=0)).square().mean(dim=0).add(1e-8).sqrt().mean(dim=(2, 3, 4))  # (n, F)
    return y.reshape(-1, channels, 1, 1).repeat(g, 1, h, w)
