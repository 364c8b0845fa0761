"""Layers that the StyleGAN networks share: equalised linear layers, mapping, resampling filters, modulated convolution.

Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020), https://arxiv.org/abs/1912.04958
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput

SLOPE, GAIN = 0.2, math.sqrt(2)  # of the leaky ReLU, and what restores the deviation after it


class EqualLinear(nn.Module):
    """A linear layer whose weights are multiplied by rate / sqrt(in), biases by rate: (N, in) -> (N, out).

    Equalised learning rate: Karras et al., "Progressive growing of GANs" (2018), section 4.1. Always float32.
    """

    def __init__(self, cin: int, cout: int, *, rate: float = 1.0, lrelu: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin))
        self.bias = nn.Parameter(torch.zeros(cout))
        self.weight_gain, self.bias_gain, self.lrelu = rate / math.sqrt(cin), rate, lrelu

    def forward(self, x: Tensor) -> Tensor:
        """(N, in) -> (N, out)."""
        h = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return F.leaky_relu(h, SLOPE) * GAIN if self.lrelu else h


class Mapping(nn.Module):
    """z (N, z_dim) and a one-hot class (N, c_dim) -> w (N, w_dim).

    `embed_rows` > 0 is StyleGAN-XL's way to know classes: a table of features, projected. `averages` is the number of
    mean w that are kept: 1, or one per class.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        layers: int,
        *,
        rate: float = 0.01,
        embed_dim: int | None = None,
        embed_rows: int = 0,
        averages: int | None = None,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.layers = z_dim, c_dim, layers
        width = w_dim if embed_dim is None else embed_dim
        cin = z_dim
        if c_dim and embed_rows:
            self.embed: nn.Module = nn.Embedding(embed_rows, width)
            self.embed_proj = EqualLinear(width, z_dim, lrelu=True)
            cin += z_dim
        elif c_dim:
            self.embed = EqualLinear(c_dim, width)
            cin += width
        for i in range(layers):
            self.add_module(f"fc{i}", EqualLinear(cin if i == 0 else w_dim, w_dim, rate=rate, lrelu=True))
        if averages is not None:
            self.register_buffer("w_avg", torch.zeros((w_dim,) if averages == 1 else (averages, w_dim)))

    def forward(self, z: Tensor | None, c: Tensor | None = None) -> Tensor:
        """(N, z_dim), (N, c_dim) -> (N, w_dim)."""
        parts = [] if z is None or not self.z_dim else [moment(z)]
        if self.c_dim:
            if c is None:
                raise BadInput(f"This network is class-conditional: expected one-hot classes (N, {self.c_dim}).")
            if isinstance(self.embed, nn.Embedding):
                parts.append(moment(self.embed_proj(self.embed(c.argmax(1)))))
            else:
                parts.append(moment(self.embed(c)))
        x = torch.cat(parts, dim=1)
        for i in range(self.layers):
            x = self.get_submodule(f"fc{i}")(x)
        return x


def moment(x: Tensor) -> Tensor:
    """Rows divided by their root mean square: (N, D) -> (N, D)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def truncate(w: Tensor, w_avg: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """w (N, num_ws, w_dim) drawn towards w_avg (w_dim,) or (N, w_dim): w_avg + psi (w - w_avg), for the first `cutoff`.

    The truncation trick in W: Karras et al., "A style-based generator architecture" (2019), section 3 of the appendix.
    """
    centre = w_avg if w_avg.ndim == 1 else w_avg[:, None]
    near = torch.lerp(centre.expand_as(w), w, psi)
    return near if cutoff is None else torch.cat([near[:, :cutoff], w[:, cutoff:]], dim=1)


def depthwise(x: Tensor, f: Tensor, *, pad: tuple[int, int] = (0, 0), stride: int = 1) -> Tensor:
    """Filter each channel (true convolution): x (N, C, H, W), f (k, k) or (k,), padded (before, after) on each side."""
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1])) if any(pad) else x  # a negative padding crops
    channels, f = x.shape[1], f.to(x.dtype).flip(list(range(f.ndim)))
    if f.ndim == 2:
        return F.conv2d(x, f.expand(channels, 1, *f.shape), stride=stride, groups=channels)
    x = F.conv2d(x, f[None, :].expand(channels, 1, 1, -1), stride=(1, stride), groups=channels)
    return F.conv2d(x, f[:, None].expand(channels, 1, -1, 1), stride=(stride, 1), groups=channels)


def zero_insert(x: Tensor, up: int) -> Tensor:
    """(N, C, H, W) -> (N, C, up H, up W): every pixel followed by up - 1 zeros."""
    n, c, h, w = x.shape
    out = x.new_zeros(n, c, h * up, w * up)
    out[:, :, ::up, ::up] = x
    return out


def upsample(x: Tensor, f: Tensor) -> Tensor:
    """Twice the size, filtered by f (k, k): (N, C, H, W) -> (N, C, 2H, 2W)."""
    k = f.shape[0]
    return depthwise(zero_insert(x, 2), f * 4, pad=((k + 1) // 2, (k - 2) // 2))


def downsample(x: Tensor, f: Tensor) -> Tensor:
    """Half the size, filtered by f (k, k): (N, C, H, W) -> (N, C, H/2, W/2)."""
    k = f.shape[0]
    return depthwise(x, f, pad=((k - 1) // 2, (k - 2) // 2), stride=2)


def activate(x: Tensor, bias: Tensor, gain: float = GAIN, clamp: float | None = None) -> Tensor:
    """clamp(gain lrelu(x + bias)), written on the memory of x where no gradient is wanted."""
    x = x + bias.to(x.dtype)[:, None, None]
    x = F.leaky_relu(x, SLOPE) * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


class ModulatedConv(nn.Module):
    """The convolution whose weights are scaled per image by a style, and normalised ("demodulated").

    w'_ijk = s_i w_ijk;  w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + eps)        Karras et al. 2020, Eqs. (1) and (3)

    Scaling weights by s_i is scaling the input channels, dividing them per output channel is dividing the output: one
    ordinary convolution serves the whole batch. `grouped` builds per-image weights instead.
    """

    def __init__(self, cin: int, cout: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin, size, size))
        self.dtype = torch.float32
        self._power: Tensor | None = None

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype`; styles and demodulation stay float32."""
        self._demodulators()
        self.dtype = dtype
        self.weight.data = self.weight.data.to(dtype, memory_format=torch.channels_last)

    def _demodulators(self) -> Tensor:
        """sum over the kernel of w^2, (out, in), computed once."""
        if self.training or self.weight.requires_grad:
            return self.weight.square().sum((2, 3))
        if self._power is None or self._power.device != self.weight.device:
            self._power = self.weight.float().square().sum((2, 3))
        return self._power

    def scales(self, style: Tensor) -> Tensor:
        """1 / sqrt(sum w'^2 + eps): style (N, in) -> (N, out)."""
        return (style.square() @ self._demodulators().T + 1e-8).rsqrt()

    def modulated(
        self, x: Tensor, style: Tensor, *, demodulate: bool = True, grouped: bool = False, **conv: Any
    ) -> Tensor:
        """x (N, in, H, W), style (N, in) -> (N, out, H', W'); `conv` goes to the convolution (transposed, padding)."""
        up = bool(conv.pop("up", False))
        scale = self.scales(style) if demodulate else None
        x = x.to(self.dtype)
        if grouped:
            return self._grouped(x, style, scale, up, **conv)
        x = x * style.to(self.dtype)[:, :, None, None]
        if up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2, **conv)
        else:
            x = F.conv2d(x, self.weight, **conv)
        return x if scale is None else x * scale.to(self.dtype)[:, :, None, None]

    def _grouped(self, x: Tensor, style: Tensor, scale: Tensor | None, up: bool, **conv: Any) -> Tensor:
        n, cin, h, w = x.shape
        weight = self.weight[None] * style.to(self.dtype)[:, None, :, None, None]  # (N, out, in, k, k)
        weight = weight if scale is None else weight * scale.to(self.dtype)[:, :, None, None, None]
        x = x.reshape(1, n * cin, h, w)
        if up:
            weight = weight.transpose(1, 2).reshape(n * cin, -1, *weight.shape[3:])
            x = F.conv_transpose2d(x, weight, stride=2, groups=n, **conv)
        else:
            x = F.conv2d(x, weight.flatten(0, 1), groups=n, **conv)
        return x.reshape(n, -1, *x.shape[2:])


def bounded(name: str, value: Any, low: int, high: int) -> int:
    """`value` if it is a whole number in [low, high]; BadInput for what a forged file may say."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInput(f"Expected {name} from {low} to {high}, got {str(value)[:40]!r}.")
    return value
