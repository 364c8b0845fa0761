"""StyleGAN2's generator: Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020),
https://arxiv.org/abs/1912.04958 ; with the clamping of StyleGAN2-ADA (2020), https://arxiv.org/abs/2006.06676
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded
from zeuxis.nets.stylegan_layers import (
    GAIN,
    EqualLinear,
    Mapping,
    ModulatedConv,
    Noise,
    amplified,
    depthwise,
    drawn,
    filter_shape,
    finish,
    of_rows,
    positive,
    upsample,
)

ARCHITECTURES = ("skip", "resnet", "orig")


@dataclass(frozen=True)
class Kind:
    """What all layers of a network have in common; `taps` is the shape of the filter, `base` of the constant.

    Layers are named by powers of two from 4 up; those of a constant of another shape have (size // 4) * base pixels.
    """

    w_dim: int
    colours: int
    how: str
    clamp: float | None
    noise: bool
    taps: Sequence[int]
    base: tuple[int, int]

    def shape(self, size: int) -> tuple[int, int]:
        """Rows and columns of the layer that is called `size`."""
        return size // 4 * self.base[0], size // 4 * self.base[1]


class StyledConv(ModulatedConv):
    """Modulated 3x3 convolution, constant noise, leaky ReLU: (N, in, H, W) -> (N, out, H or 2H, W or 2W)."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(self, cin: int, cout: int, resolution: int, kind: Kind, *, up: bool) -> None:
        super().__init__(cin, cout, 3)
        self.up, self.clamp, self.has_noise = up, kind.clamp, kind.noise
        self.affine = EqualLinear(kind.w_dim, cin)
        self.bias = nn.Parameter(torch.zeros(cout))
        self.register_buffer("resample_filter", torch.zeros(*kind.taps))
        if kind.noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.zeros(kind.shape(resolution)))

    def forward(self, x: Tensor, w: Tensor, noise: Noise, single: bool = False, gain: float = 1.0) -> Tensor:
        """x (N, in, H, W), w (N, w_dim); `gain` scales the output, clamped at gain * clamp; `single` wants N = 1."""
        style, gain = self.affine(w), GAIN * gain
        scale, bias = self.scales(style) * gain, self.bias * gain  # lrelu(gain x) is gain lrelu(x)
        late = None if single else bias
        if self.up:
            x = self.single(x, style, scale, up=True) if single else self.shared(x, style, scale, up=True)
            f = amplified(self.resample_filter)
            pad = ((len(f) - 1) // 2, (len(f) - 2) // 2)
            x = depthwise(x, f, pad=pad, bias=bias.to(x.dtype) if single else None)
        else:
            x = self.single(x, style, scale, bias) if single else self.shared(x, style, scale)
        if noise and self.has_noise:
            offset = drawn(noise, self.noise_const, len(x), self.up) * (self.noise_strength * gain)
            x = x + offset.to(x.dtype) if x.requires_grad or offset.requires_grad else x.add_(offset)
        return finish(x, late, None if self.clamp is None else self.clamp * gain / GAIN)


class ToRgb(ModulatedConv):
    """Modulated 1x1 convolution without demodulation: (N, in, H, W) -> (N, colours, H, W) float32."""

    def __init__(self, cin: int, kind: Kind) -> None:
        super().__init__(cin, kind.colours, 1)
        self.clamp, self.weight_gain = kind.clamp, 1 / math.sqrt(cin)
        self.affine = EqualLinear(kind.w_dim, cin)
        self.bias = nn.Parameter(torch.zeros(kind.colours))

    def forward(self, x: Tensor, w: Tensor, single: bool = False) -> Tensor:
        """x (N, in, H, W), w (N, w_dim) -> (N, colours, H, W)."""
        way = self.single if single else self.shared
        y = way(x, self.affine(w) * self.weight_gain, None).float() + self.bias[:, None, None]
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class PlainConv(nn.Module):
    """The 1x1 convolution beside a block of the residual architecture: upsampled by 2, no bias."""

    resample_filter: Tensor

    def __init__(self, cin: int, cout: int, taps: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin, 1, 1))
        self.register_buffer("resample_filter", torch.zeros(*taps))

    def forward(self, x: Tensor, gain: float) -> Tensor:
        """(N, in, H, W) -> (N, out, 2H, 2W)."""
        weight = self.weight * (gain / math.sqrt(self.weight.shape[1]))
        return upsample(F.conv2d(x, weight.to(x.dtype)), self.resample_filter)


class Block(nn.Module):
    """One resolution: the constant or the block below, one or two convolutions, colours.

    On a CPU `pays_single` says which way the blocks from here on are computed: image by image once a picture of them
    holds more numbers than their weights. Chosen by measurement (benchmarks/stylegan2.py): weights are then cheaper to
    scale than activations, and what is worked on stays in the cache.
    """

    resample_filter: Tensor

    def __init__(self, cin: int, cout: int, resolution: int, kind: Kind, last: bool) -> None:
        super().__init__()
        self.how, self.num_conv = kind.how, 2 if cin else 1
        self.register_buffer("resample_filter", torch.zeros(*kind.taps))
        if cin:
            self.conv0 = StyledConv(cin, cout, resolution, kind, up=True)
        else:
            self.const = nn.Parameter(torch.zeros(cout, *kind.shape(resolution)))
        self.conv1 = StyledConv(cout, cout, resolution, kind, up=False)
        self.coloured = last or kind.how == "skip"
        if self.coloured:
            self.torgb = ToRgb(cout, kind)
        if cin and kind.how == "resnet":
            self.skip = PlainConv(cin, cout, kind.taps)
        self.pays_single = cin > 0 and cout * math.prod(kind.shape(resolution)) > 9 * cin * cout

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: Noise, single: bool
    ) -> tuple[Tensor, Tensor | None]:
        """x (N, in, H, W) and the image so far; ws (N, 2 or 3, w_dim)."""
        if x is None:
            x = self.const.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
            x = self.conv1(x, ws[:, 0], noise, single)
        elif self.how == "resnet":
            beside = self.skip(x, math.sqrt(0.5))
            x = self.conv1(self.conv0(x, ws[:, 0], noise, single), ws[:, 1], noise, single, gain=math.sqrt(0.5))
            x = beside + x
        else:
            x = self.conv1(self.conv0(x, ws[:, 0], noise, single), ws[:, 1], noise, single)
        if image is not None:
            image = upsample(image, self.resample_filter)
        if self.coloured:
            colours = self.torgb(x, ws[:, self.num_conv], single)
            image = colours if image is None else image + colours
        return x, image


class Synthesis(nn.Module):
    """Blocks of 4, 8, ... pixels: ws (N, num_ws, w_dim) -> images (N, colours, R, R)."""

    def __init__(self, channels: Sequence[int], kind: Kind) -> None:
        super().__init__()
        self.sizes = [4 * 2**i for i in range(len(channels))]
        for i, (size, cout) in enumerate(zip(self.sizes, channels, strict=True)):
            cin = channels[i - 1] if i else 0
            self.add_module(f"b{size}", Block(cin, cout, size, kind, last=i == len(channels) - 1))

    def forward(self, ws: Tensor, noise: Noise) -> Tensor:
        """(N, num_ws, w_dim) -> (N, colours, R, R) float32."""
        blocks = [block for size in self.sizes if isinstance(block := self.get_submodule(f"b{size}"), Block)]
        cpu = ws.device.type == "cpu" and not self.training
        batched = next((i for i, block in enumerate(blocks) if cpu and block.pays_single), len(blocks))
        x, image = _through(blocks[:batched], None, None, ws, noise, single=False)
        if batched < len(blocks):
            rest = ws[:, sum(block.num_conv for block in blocks[:batched]) :]
            rows = []
            for n in range(len(ws)):
                one = slice(n, n + 1)
                below = None if image is None else image[one]
                rows.append(_through(blocks[batched:], x[one], below, rest[one], of_rows(noise, one), single=True)[1])
            image = torch.cat([row for row in rows if row is not None])
        assert image is not None
        return image


def _through(
    blocks: Sequence[Block], x: Tensor | None, image: Tensor | None, ws: Tensor, noise: Noise, *, single: bool
) -> tuple[Tensor, Tensor | None]:
    """Blocks one after the other; each shares the style of its colours with the next one."""
    start = 0
    for block in blocks:
        x, image = block(x, image, ws[:, start : start + 3], noise, single)
        start += block.num_conv
    assert x is not None
    return x, image


class StyleGAN2(nn.Module):
    """z (N, z_dim) -> w (N, w_dim) -> images (N, img_channels, R, R), nominally in [-1, 1].

    `channels` are the widths at 4, 8, ..., R pixels; `label_concat` is TensorFlow's way to know classes. `base` is the
    shape of the constant, rows and columns: pictures of (h, w) are `img_size` = (h, w) * 2^k, R the larger. Noise is
    the stored one, none, or given, so the same w is the same picture; in training it is drawn anew
    (zeuxis.nets.gan.styles).
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
        resample_taps: Sequence[int] = (4, 4),
        label_concat: bool = False,
        base: Sequence[int] = (4, 4),
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
        positive("rate", rate)
        positive("conv_clamp", conv_clamp, optional=True)
        taps = filter_shape(resample_taps)
        if not isinstance(base, list | tuple) or len(base) != 2:
            raise BadInput(f"Expected the shape of the constant as rows and columns, got {str(base)[:40]}.")
        shape = (bounded("base[0]", base[0], 1, 64), bounded("base[1]", base[1], 1, 64))
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        doublings = 2 ** (len(channels) - 1)
        self.img_size = (shape[0] * doublings, shape[1] * doublings)
        self.img_resolution = max(self.img_size)
        self.num_ws = 2 * len(channels)
        concat = bool(label_concat)
        self.mapping = Mapping(z_dim, c_dim, w_dim, mapping_layers, rate=rate, averages=1, label_concat=concat)
        kind = Kind(w_dim, img_channels, architecture, conv_clamp, bool(use_noise), taps, shape)
        self.synthesis = Synthesis(channels, kind)

    def noise_shapes(self, most: int) -> dict[tuple[int, bool], tuple[int, int]]:
        """Of each layer of at most `most` pixels a side the shape of its noise: see `stylegan_layers.Maps`."""
        shapes = {key: tuple(noise.shape) for key, noise in self._noises().items()}
        return {key: (shape[0], shape[1]) for key, shape in shapes.items() if max(shape) <= most}

    def stored_noise(self, key: tuple[int, bool]) -> Tensor:
        """The noise (H, W) that came with the network, of one of `noise_shapes`."""
        return self._noises()[key]

    def _noises(self) -> dict[tuple[int, bool], Tensor]:
        layers = [layer for layer in self.modules() if isinstance(layer, StyledConv) and layer.has_noise]
        return {(layer.noise_const.shape[0], layer.up): layer.noise_const for layer in layers}

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
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim) or not len(ws):
            raise BadInput(f"Expected styles (N, {self.num_ws}, {self.w_dim}), got {tuple(ws.shape)}.")
        images: Tensor = self.synthesis(ws, noise)
        return images
