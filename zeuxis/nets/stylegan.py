"""StyleGAN's generator: Karras, Laine and Aila, "A style-based generator architecture for generative adversarial
networks" (2019), https://arxiv.org/abs/1812.04948 ; as its official network draws at full resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import bounded
from zeuxis.nets.stylegan_layers import GAIN, SLOPE, EqualLinear, Mapping, Noise, depthwise, drawn

FUSED_FROM = 128  # output pixels from which upsampling and convolution are one transposed convolution


class EqualConv(nn.Module):
    """Convolution with equalised weights and no bias; `up` doubles the size and blurs with [1, 2, 1]."""

    blur: Tensor

    def __init__(
        self, cin: int, cout: int, size: int, *, gain: float = GAIN, up: bool = False, fused: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin, size, size))
        self.weight_gain, self.up, self.fused = gain / math.sqrt(cin * size * size), up, fused
        self.register_buffer("blur", torch.tensor([0.25, 0.5, 0.25]), persistent=False)
        self.dtype = torch.float32

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype`."""
        self.dtype = dtype
        self.weight.data = self.weight.data.to(dtype, memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H or 2H, W or 2W)."""
        x, weight = x.to(self.dtype), self.weight * self.weight_gain
        pad = weight.shape[2] // 2
        if not self.up:
            return F.conv2d(x, weight, padding=pad)
        if self.fused:  # four shifted copies of the kernel make up for the zeros in between
            wide = F.pad(weight.flip((2, 3)), (1, 1, 1, 1))
            wide = wide[:, :, 1:, 1:] + wide[:, :, :-1, 1:] + wide[:, :, 1:, :-1] + wide[:, :, :-1, :-1]
            x = F.conv_transpose2d(x, wide.transpose(0, 1), stride=2, padding=1)
        else:
            x = F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=pad)
        return depthwise(x, self.blur, pad=(1, 1))


class Epilogue(nn.Module):
    """Constant noise, bias, leaky ReLU, instance norm, style: section 2 of the paper (AdaIN, Eq. (1))."""

    noise_const: Tensor

    def __init__(self, channels: int, resolution: int, w_dim: int) -> None:
        super().__init__()
        self.noise_strength = nn.Parameter(torch.zeros(channels))
        self.register_buffer("noise_const", torch.zeros(resolution, resolution))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.style = EqualLinear(w_dim, 2 * channels)

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """x (N, C, H, W), w (N, w_dim) -> (N, C, H, W); statistics in float32."""
        h: Tensor = x.float()
        if noise:
            h = h + drawn(noise, self.noise_const, len(h)) * self.noise_strength[:, None, None]
        h = F.leaky_relu(h + self.bias[:, None, None], SLOPE)
        h = h - h.mean((2, 3), keepdim=True)
        h = h * (h.square().mean((2, 3), keepdim=True) + 1e-8).rsqrt()
        scale, shift = self.style(w)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = h * (scale + 1) + shift
        return out


class Block(nn.Module):
    """One resolution: the constant, or a doubling convolution; then another convolution."""

    def __init__(self, cin: int, cout: int, resolution: int, w_dim: int) -> None:
        super().__init__()
        if cin == 0:
            self.const = nn.Parameter(torch.ones(cout, resolution, resolution))
        else:
            self.conv0 = EqualConv(cin, cout, 3, up=True, fused=resolution >= FUSED_FROM)
        self.epilogue0 = Epilogue(cout, resolution, w_dim)
        self.conv1 = EqualConv(cout, cout, 3)
        self.epilogue1 = Epilogue(cout, resolution, w_dim)

    def forward(self, x: Tensor | None, ws: Tensor, noise: Noise) -> Tensor:
        """ws (N, 2, w_dim)."""
        h = self.const.expand(len(ws), -1, -1, -1) if x is None else self.conv0(x)
        h = self.epilogue0(h, ws[:, 0], noise)
        out: Tensor = self.epilogue1(self.conv1(h), ws[:, 1], noise)
        return out


class Synthesis(nn.Module):
    """Blocks of 4, 8, ... pixels: ws (N, num_ws, w_dim) -> images (N, colours, R, R)."""

    def __init__(self, w_dim: int, channels: Sequence[int], colours: int) -> None:
        super().__init__()
        self.sizes = [4 * 2**i for i in range(len(channels))]
        for i, (size, cout) in enumerate(zip(self.sizes, channels, strict=True)):
            self.add_module(f"b{size}", Block(0 if i == 0 else channels[i - 1], cout, size, w_dim))
        self.torgb = nn.Conv2d(channels[-1], colours, 1)
        self.gain = 1 / math.sqrt(channels[-1])

    def forward(self, ws: Tensor, noise: Noise) -> Tensor:
        """(N, num_ws, w_dim) -> (N, colours, R, R) float32."""
        x: Tensor | None = None
        for i, size in enumerate(self.sizes):
            x = self.get_submodule(f"b{size}")(x, ws[:, 2 * i : 2 * i + 2], noise)
        assert x is not None
        weight = self.torgb.weight.float() * self.gain
        assert self.torgb.bias is not None
        return F.conv2d(x.float(), weight, self.torgb.bias.float())


class StyleGAN(nn.Module):
    """z (N, z_dim) -> w (N, w_dim) -> images (N, img_channels, R, R), nominally in [-1, 1].

    One style per layer mixes pictures. `channels` are the widths at 4, 8, ..., R pixels. Noise is the stored one or
    none.
    """

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        channels: Sequence[int],
        mapping_layers: int = 8,
        rate: float = 0.01,
        img_channels: int = 3,
        c_dim: int = 0,
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
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.num_ws = 4 * 2 ** (len(channels) - 1), 2 * len(channels)
        self.mapping = Mapping(z_dim, c_dim, w_dim, mapping_layers, rate=rate, averages=1)
        self.synthesis = Synthesis(w_dim, channels, img_channels)

    @property
    def w_avg(self) -> Tensor:
        """The mean w (w_dim,)."""
        return self.mapping.w_avg

    def map(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """(N, z_dim), (N, c_dim) -> (N, w_dim), before truncation."""
        w: Tensor = self.mapping(z, c)
        return w

    def synthesise(self, ws: Tensor, noise: Noise = True) -> Tensor:
        """(N, num_ws, w_dim) -> (N, img_channels, R, R) float32."""
        images: Tensor = self.synthesis(ws, noise)
        return images
