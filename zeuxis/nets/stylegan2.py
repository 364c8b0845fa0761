"""StyleGAN2's generator: Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020),
https://arxiv.org/abs/1912.04958 ; with the clamping of StyleGAN2-ADA (2020), https://arxiv.org/abs/2006.06676
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.stylegan_layers import (
    GAIN,
    EqualLinear,
    Mapping,
    ModulatedConv,
    activate,
    bounded,
    depthwise,
    upsample,
)

ARCHITECTURES = ("skip", "resnet", "orig")


class StyledConv(ModulatedConv):
    """Modulated 3x3 convolution, constant noise, leaky ReLU: (N, in, H, W) -> (N, out, H or 2H, W or 2W)."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self, cin: int, cout: int, resolution: int, w_dim: int, *, up: bool, clamp: float | None, noise: bool
    ) -> None:
        super().__init__(cin, cout, 3)
        self.up, self.clamp, self.has_noise = up, clamp, noise
        self.grouped = False
        self.affine = EqualLinear(w_dim, cin)
        self.bias = nn.Parameter(torch.zeros(cout))
        self.register_buffer("resample_filter", torch.zeros(4, 4))
        if noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.zeros(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, noise: bool, gain: float = 1.0) -> Tensor:
        """x (N, in, H, W), w (N, w_dim); `gain` scales the output, clamped at gain * clamp."""
        style = self.affine(w)
        if self.up:
            x = self.modulated(x, style, up=True, grouped=self.grouped)  # (2H + 1)
            k = self.resample_filter.shape[0]
            x = depthwise(x, self.resample_filter * 4, pad=((k - 1) // 2, (k - 2) // 2))
        else:
            x = self.modulated(x, style, padding=1, grouped=self.grouped)
        if noise and self.has_noise:
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        return activate(x, self.bias, GAIN * gain, None if self.clamp is None else self.clamp * gain)


class ToRgb(ModulatedConv):
    """Modulated 1x1 convolution without demodulation: (N, in, H, W) -> (N, colours, H, W) float32."""

    def __init__(self, cin: int, colours: int, w_dim: int, clamp: float | None) -> None:
        super().__init__(cin, colours, 1)
        self.clamp, self.weight_gain = clamp, 1 / math.sqrt(cin)
        self.affine = EqualLinear(w_dim, cin)
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, in, H, W), w (N, w_dim) -> (N, colours, H, W)."""
        y = self.modulated(x, self.affine(w) * self.weight_gain, demodulate=False).float()
        y = y + self.bias[:, None, None]
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class PlainConv(nn.Module):
    """The 1x1 convolution beside a block of the residual architecture: upsampled by 2, no bias."""

    resample_filter: Tensor

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin, 1, 1))
        self.register_buffer("resample_filter", torch.zeros(4, 4))

    def forward(self, x: Tensor, gain: float) -> Tensor:
        """(N, in, H, W) -> (N, out, 2H, 2W)."""
        weight = self.weight * (gain / math.sqrt(self.weight.shape[1]))
        return upsample(torch.nn.functional.conv2d(x, weight.to(x.dtype)), self.resample_filter)


class Block(nn.Module):
    """One resolution: the constant or the block below, one or two convolutions, colours."""

    resample_filter: Tensor

    def __init__(
        self,
        cin: int,
        cout: int,
        resolution: int,
        w_dim: int,
        colours: int,
        last: bool,
        how: str,
        clamp: float | None,
        noise: bool,
    ) -> None:
        super().__init__()
        self.first, self.how = cin == 0, how
        self.register_buffer("resample_filter", torch.zeros(4, 4))
        if self.first:
            self.const = nn.Parameter(torch.zeros(cout, resolution, resolution))
        else:
            self.conv0 = StyledConv(cin, cout, resolution, w_dim, up=True, clamp=clamp, noise=noise)
        self.conv1 = StyledConv(cout, cout, resolution, w_dim, up=False, clamp=clamp, noise=noise)
        self.coloured = last or how == "skip"
        if self.coloured:
            self.torgb = ToRgb(cout, colours, w_dim, clamp)
        if not self.first and how == "resnet":
            self.skip = PlainConv(cin, cout)
        self.num_conv = 1 if self.first else 2

    def forward(self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: bool) -> tuple[Tensor, Tensor | None]:
        """x (N, in, H, W) and the image so far; ws (N, 2 or 3, w_dim)."""
        if x is None:
            x = self.const.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
            x = self.conv1(x, ws[:, 0], noise)
        elif self.how == "resnet":
            beside = self.skip(x, math.sqrt(0.5))
            x = self.conv1(self.conv0(x, ws[:, 0], noise), ws[:, 1], noise, gain=math.sqrt(0.5))
            x = beside + x
        else:
            x = self.conv1(self.conv0(x, ws[:, 0], noise), ws[:, 1], noise)
        if image is not None:
            image = upsample(image, self.resample_filter)
        if self.coloured:
            colours = self.torgb(x, ws[:, self.num_conv])
            image = colours if image is None else image + colours
        return x, image


class Synthesis(nn.Module):
    """Blocks of 4, 8, ... pixels: ws (N, num_ws, w_dim) -> images (N, colours, R, R)."""

    def __init__(
        self, w_dim: int, channels: Sequence[int], colours: int, how: str, clamp: float | None, noise: bool
    ) -> None:
        super().__init__()
        self.sizes = [4 * 2**i for i in range(len(channels))]
        for i, (size, cout) in enumerate(zip(self.sizes, channels, strict=True)):
            cin, last = (0 if i == 0 else channels[i - 1]), i == len(channels) - 1
            self.add_module(f"b{size}", Block(cin, cout, size, w_dim, colours, last, how, clamp, noise))

    def forward(self, ws: Tensor, noise: bool) -> Tensor:
        """(N, num_ws, w_dim) -> (N, colours, R, R) float32."""
        x: Tensor | None = None
        image: Tensor | None = None
        start = 0
        for size in self.sizes:
            block = self.get_submodule(f"b{size}")
            assert isinstance(block, Block)
            x, image = block(x, image, ws[:, start : start + 3], noise)
            start += block.num_conv
        assert image is not None
        return image


class StyleGAN2(nn.Module):
    """z (N, z_dim) -> w (N, w_dim) -> images (N, img_channels, R, R), nominally in [-1, 1].

    `channels` are the widths at 4, 8, ..., R pixels. Noise is the stored one or none, never drawn anew: the same w is
    the same picture.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        channels: Sequence[int],
        img_channels: int = 3,
        mapping_layers: int = 8,
        rate: float = 0.01,
        conv_clamp: float | None = None,
        architecture: str = "skip",
        use_noise: bool = True,
    ) -> None:
        super().__init__()
        for name, value, low, high in (
            ("z_dim", z_dim, 1, 8192),
            ("c_dim", c_dim, 0, 100_000),
            ("w_dim", w_dim, 1, 8192),
            ("img_channels", img_channels, 1, 16),
            ("mapping_layers", mapping_layers, 1, 64),
            ("the number of resolutions", len(channels), 1, 11),
            *((f"channels[{i}]", width, 1, 8192) for i, width in enumerate(channels)),
        ):
            bounded(name, value, low, high)
        if architecture not in ARCHITECTURES:
            raise BadInput(f"Expected architecture {', '.join(ARCHITECTURES)}, got {str(architecture)[:40]!r}.")
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution = 4 * 2 ** (len(channels) - 1)
        self.num_ws = 2 * len(channels)
        self.mapping = Mapping(z_dim, c_dim, w_dim, mapping_layers, rate=rate, averages=1)
        self.synthesis = Synthesis(w_dim, channels, img_channels, architecture, conv_clamp, use_noise)

    @property
    def w_avg(self) -> Tensor:
        """The mean w (w_dim,)."""
        return self.mapping.w_avg

    def map(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """(N, z_dim), (N, c_dim) -> (N, w_dim), before truncation."""
        w: Tensor = self.mapping(z, c)
        return w

    def synthesise(self, ws: Tensor, noise: bool = True) -> Tensor:
        """(N, num_ws, w_dim) -> (N, img_channels, R, R) float32."""
        images: Tensor = self.synthesis(ws, noise)
        return images
