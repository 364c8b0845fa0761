"""StyleGAN3's generator, configurations T and R, and StyleGAN-XL's, which is built of the same layers.

Karras et al., "Alias-free generative adversarial networks" (2021), https://arxiv.org/abs/2106.12423
Sauer, Schwarz and Geiger, "StyleGAN-XL: scaling StyleGAN to large diverse datasets" (2022), https://arxiv.org/abs/2202.00273
"""

from __future__ import annotations

import math
from collections.abc import Mapping as Facts
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded
from zeuxis.nets.stylegan3_filters import down_filtered, up_filtered
from zeuxis.nets.stylegan3_input import FourierInput
from zeuxis.nets.stylegan_layers import GAIN, SLOPE, EqualLinear, Mapping, ModulatedConv, Noise

MAGNITUDE_IMAGES = 20_000  # half-life of the averages of the layers' magnitudes, as in the published training


class Layer(ModulatedConv):
    """Modulated convolution, then a leaky ReLU between up- and downsampling: Fig. 4 of the paper.

    The published code divides styles by their root mean square over the whole batch; here each image by its own. The
    demodulation takes both out again but for its epsilon (1e-5 of a picture), and a picture does not depend on its
    neighbours. `over_batch` is the published way, for comparisons.
    """

    over_batch = False

    magnitude_ema: Tensor
    up_filter: Tensor
    down_filter: Tensor

    def __init__(self, w_dim: int, facts: Facts[str, Any]) -> None:
        for key, most in (
            ("in_channels", 8192),
            ("out_channels", 8192),
            ("conv_kernel", 3),
            ("up_factor", 8),
            ("down_factor", 8),
        ):
            bounded(key, facts.get(key), 1, most)
        cin, cout, size = facts["in_channels"], facts["out_channels"], facts["conv_kernel"]
        super().__init__(cin, cout, size)
        self.rgb = bool(facts["rgb"])
        self.up, self.down = facts["up_factor"], facts["down_factor"]
        self.padding, self.clamp = _padding(facts["padding"]), facts.get("conv_clamp")
        self.affine = EqualLinear(w_dim, cin)
        self.bias = nn.Parameter(torch.zeros(cout))
        self.register_buffer("magnitude_ema", torch.ones(()))
        if not self.rgb:
            self.register_buffer("up_filter", torch.zeros(_taps(facts["up_taps"])))
            self.register_buffer("down_filter", torch.zeros(_taps(facts["down_taps"])))
        self._kept: tuple[Tensor, Tensor] | None = None  # what `_normalised` gives, for weights in this state
        self._state: tuple[int, int, torch.device] | None = None

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve and filter in `dtype`; styles and demodulation stay float32."""
        normal, power = self._normalised()
        super().compute_in(dtype)
        self._kept = normal.to(dtype, memory_format=torch.channels_last), power
        self._state = id(self.weight), self.weight._version, self.weight.device

    def _normalised(self) -> tuple[Tensor, Tensor]:
        """The weights, each output's divided by their root mean square, and their squares summed over the kernel.

        Computed once for weights that stay as they are.
        """
        state = id(self.weight), self.weight._version, self.weight.device
        if self._kept is not None and self._state == state:
            return self._kept
        weight = self.weight if self.weight.dtype == torch.float64 else self.weight.float()
        normal = weight * weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
        power = normal.square().sum((2, 3))
        made = normal.to(self.dtype, memory_format=torch.channels_last), power
        if not self.weight.requires_grad:
            self._kept, self._state = made, state
        return made

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, in, H, W), w (N, w_dim) -> (N, out, H', W')."""
        if self.training:
            self._follow(x)
        style, gain = self.affine(w), self.magnitude_ema.rsqrt()
        x, pad = x.to(self.dtype), self.weight.shape[2] - 1
        if self.rgb:
            style = style / math.sqrt(self.weight[0].numel())
            x = F.conv2d(x * (style * gain).to(self.dtype)[:, :, None, None], self.weight, padding=pad)
        else:
            style = style * style.square().mean(dim=(0, 1) if self.over_batch else 1, keepdim=True).rsqrt()
            weight, power = self._normalised()
            scale = (style.square() @ power.T + 1e-8).rsqrt()  # (N, out)
            x = F.conv2d(x * (style * gain).to(self.dtype)[:, :, None, None], weight, padding=pad)
            x = x * scale.to(self.dtype)[:, :, None, None]
        return self._activated(x)

    @torch.no_grad()
    def _follow(self, x: Tensor) -> None:
        """The moving average of the input's mean square, half-life MAGNITUDE_IMAGES: section 3.1, config D."""
        decay = 0.5 ** (len(x) / MAGNITUDE_IMAGES)
        self.magnitude_ema.lerp_(x.float().square().mean(), 1 - decay)

    def _activated(self, x: Tensor) -> Tensor:
        """Bias, up, leaky ReLU, clamp, down: Eq. (3)."""
        x = x + self.bias.to(x.dtype)[:, None, None]
        if self.rgb:
            return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
        x = up_filtered(x, self.up_filter, self.up, self.padding)
        x = F.leaky_relu(x, SLOPE) * GAIN
        x = x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
        return down_filtered(x, self.down_filter, self.down)


class Synthesis(nn.Module):
    """The input, then the layers in their order: ws (N, num_ws, w_dim) -> images."""

    def __init__(
        self, w_dim: int, source: Facts[str, Any], layers: Sequence[Facts[str, Any]], output_scale: float
    ) -> None:
        super().__init__()
        self.output_scale = output_scale
        self.input = FourierInput(
            w_dim,
            bounded("input channels", source["channels"], 1, 8192),
            bounded("input size", source["size"], 1, 512),
            _positive("sampling rate", source["sampling_rate"]),
            _positive("bandwidth", source["bandwidth"]),
        )
        self.names = [_name(layer["name"]) for layer in layers]
        for name, layer in zip(self.names, layers, strict=True):
            self.add_module(name, Layer(w_dim, layer))

    def forward(self, ws: Tensor) -> Tensor:
        """(N, num_ws, w_dim) -> (N, colours, R, R) float32."""
        x: Tensor = self.input(ws[:, 0])
        for i, name in enumerate(self.names):
            x = self.get_submodule(name)(x, ws[:, i + 1])
        return x.float() * self.output_scale


class StyleGAN3(nn.Module):
    """z (N, z_dim) -> w (N, w_dim) -> images (N, 3, R, R), nominally in [-1, 1]. There is no noise."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        input: Facts[str, Any],
        layers: Sequence[Facts[str, Any]],
        output_scale: float = 0.25,
        mapping_layers: int = 2,
        rate: float = 0.01,
        embed_rows: int = 0,
        embed_dim: int | None = None,
        averages: int = 1,
    ) -> None:
        super().__init__()
        for name, value, low, high in (
            ("z_dim", z_dim, 1, 8192),
            ("c_dim", c_dim, 0, 100_000),
            ("w_dim", w_dim, 1, 8192),
            ("img_resolution", img_resolution, 4, 4096),
            ("mapping_layers", mapping_layers, 1, 64),
            ("embed_rows", embed_rows, 0, 1_000_000),
            ("embed_dim", 1 if embed_dim is None else embed_dim, 1, 8192),
            ("averages", averages, 1, 100_000),
            ("the number of layers", len(layers), 1, 128),
        ):
            bounded(name, value, low, high)
        self.z_dim, self.c_dim, self.w_dim, self.img_resolution = z_dim, c_dim, w_dim, img_resolution
        self.num_ws = len(layers) + 1
        self.mapping = Mapping(
            z_dim,
            c_dim,
            w_dim,
            mapping_layers,
            rate=rate,
            embed_dim=embed_dim,
            embed_rows=embed_rows,
            averages=averages,
        )
        self.synthesis = Synthesis(w_dim, input, layers, _positive("output_scale", output_scale))

    @property
    def w_avg(self) -> Tensor:
        """The mean w (w_dim,), or one per class (c_dim, w_dim) in StyleGAN-XL."""
        return self.mapping.w_avg

    def map(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """(N, z_dim), (N, c_dim) -> (N, w_dim), before truncation."""
        w: Tensor = self.mapping(z, c)
        return w

    def synthesise(self, ws: Tensor, noise: Noise = True) -> Tensor:
        """(N, num_ws, w_dim) -> (N, 3, R, R) float32; `noise` is there for likeness with its siblings."""
        images: Tensor = self.synthesis(ws)
        return images


def _padding(value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 4 or value[:2] != value[2:]:
        raise BadInput(f"Expected padding [before, after, before, after], got {str(value)[:60]}.")
    return bounded("padding", value[0], -64, 64), bounded("padding", value[1], -64, 64)


def _taps(value: Any) -> list[int]:
    if not isinstance(value, list | tuple) or len(value) not in (1, 2):
        raise BadInput(f"Expected the shape of a filter, (taps,) or (taps, taps), got {str(value)[:60]}.")
    return [bounded("taps", v, 1, 128) for v in value]


def _positive(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or not 0 < value < 1e6:
        raise BadInput(f"Expected {name} to be a positive number, got {str(value)[:40]!r}.")
    return float(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.isidentifier() or value == "input" or len(value) > 60:
        raise BadInput(f"Expected the name of a layer, got {str(value)[:60]!r}.")
    return value
