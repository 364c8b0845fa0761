"""Layers that the StyleGAN networks share: equalised linear layers, mapping, resampling filters, modulated convolution.

Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020), https://arxiv.org/abs/1912.04958
"""

from __future__ import annotations

import math
from collections.abc import Mapping as Mapping_
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded

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

    `embed_rows` > 0 is StyleGAN-XL's way to know classes: a table of features, projected. `label_concat` is that of
    StyleGAN and StyleGAN2 in TensorFlow: one plain vector per class, put behind z before both are normalised as one.
    `averages` is the number of mean w that are kept: 1, or one per class.
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
        label_concat: bool = False,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.layers, self.label_concat = z_dim, c_dim, layers, label_concat
        width = z_dim if label_concat else w_dim if embed_dim is None else embed_dim
        cin = z_dim
        if c_dim and embed_rows:
            self.embed: nn.Module = nn.Embedding(embed_rows, width)
            self.embed_proj = EqualLinear(width, z_dim, lrelu=True)
            cin += z_dim
        elif c_dim:
            self.embed = EqualLinear(c_dim, width, rate=math.sqrt(c_dim) if label_concat else 1.0)  # no gain, or equal
            cin += width
        for i in range(layers):
            self.add_module(f"fc{i}", EqualLinear(cin if i == 0 else w_dim, w_dim, rate=rate, lrelu=True))
        if averages is not None:
            self.register_buffer("w_avg", torch.zeros((w_dim,) if averages == 1 else (averages, w_dim)))

    def forward(self, z: Tensor | None, c: Tensor | None = None) -> Tensor:
        """(N, z_dim), (N, c_dim) -> (N, w_dim)."""
        if self.z_dim and (z is None or z.ndim != 2 or z.shape[1] != self.z_dim):
            raise BadInput(f"Expected z (N, {self.z_dim}), got {'none' if z is None else tuple(z.shape)}.")
        embedded: Tensor | None = None
        if self.c_dim:
            if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
                got = "none" if c is None else tuple(c.shape)
                raise BadInput(f"This network knows classes: expected one-hot rows (N, {self.c_dim}), got {got}.")
            table = isinstance(self.embed, nn.Embedding)
            embedded = self.embed_proj(self.embed(c.argmax(1))) if table else self.embed(c)
        return self.joined(z, embedded)

    def joined(self, z: Tensor | None, embedded: Tensor | None) -> Tensor:
        """z (N, z_dim) and what `embed` made of the class (N, E), either may be none -> (N, w_dim)."""
        norm = nn.Identity() if self.label_concat else moment
        parts = [norm(z)] if z is not None and self.z_dim else []
        x = torch.cat(parts if embedded is None else [*parts, norm(embedded)], dim=1)
        x = moment(x) if self.label_concat else x
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


Maps = Mapping_[tuple[int, bool], Tensor]  # (rows of the layer, whether it enlarges) -> (N, 1, H, W)
Noise = bool | torch.Generator | Maps  # the stored noise, none, drawn anew for each picture, or given for some layers


def of_rows(noise: Noise, rows: slice) -> Noise:
    """The same noise for some of the pictures."""
    return {key: value[rows] for key, value in noise.items()} if isinstance(noise, Mapping_) else noise


def drawn(noise: Noise, stored: Tensor, count: int, up: bool = False) -> Tensor:
    """The noise of one layer: `stored` (H, W), fresh normal numbers or those that are given (count, 1, H, W)."""
    if isinstance(noise, Mapping_):
        return noise.get((stored.shape[0], up), stored)
    if not isinstance(noise, torch.Generator):
        return stored
    return torch.randn(count, 1, *stored.shape, generator=noise, device=stored.device)


def depthwise(
    x: Tensor, f: Tensor, *, pad: tuple[int, int] = (0, 0), stride: int = 1, bias: Tensor | None = None
) -> Tensor:
    """Filter each channel (true convolution): x (N, C, H, W), f (k, k) or (k,), padded (before, after) on each side.

    `bias` (C,) is added to what comes out.
    """
    inside = pad[0] if pad[0] == pad[1] >= 0 else 0  # the convolution can pad by itself: one copy less
    x = F.pad(x, (*pad, *pad)) if any(pad) and not inside else x  # a negative padding crops
    channels, f = x.shape[1], f.to(x.dtype).flip(list(range(f.ndim)))
    if f.ndim == 2:
        weight = f.expand(channels, 1, *f.shape)
        return F.conv2d(x, weight, bias, stride=stride, padding=inside, groups=channels)
    row, column = (f.view(shape).expand(channels, *shape[1:]) for shape in ((1, 1, 1, -1), (1, 1, -1, 1)))
    x = F.conv2d(x, row, stride=(1, stride), padding=(0, inside), groups=channels)
    return F.conv2d(x, column, bias, stride=(stride, 1), padding=(inside, 0), groups=channels)


def zero_insert(x: Tensor, up: int) -> Tensor:
    """(N, C, H, W) -> (N, C, up H, up W): every pixel followed by up - 1 zeros."""
    n, c, h, w = x.shape
    out = x.new_zeros(n, c, h * up, w * up)
    out[:, :, ::up, ::up] = x
    return out


def amplified(f: Tensor) -> Tensor:
    """The filter that makes up for the zeros inserted between pixels: four times f (k, k), twice f (k,)."""
    return f * float(2**f.ndim)


def upsample(x: Tensor, f: Tensor) -> Tensor:
    """Twice the size, filtered by f (k, k) or (k,): (N, C, H, W) -> (N, C, 2H, 2W)."""
    k = f.shape[0]
    return depthwise(zero_insert(x, 2), amplified(f), pad=((k + 1) // 2, (k - 2) // 2))


def downsample(x: Tensor, f: Tensor) -> Tensor:
    """Half the size, filtered by f (k, k) or (k,): (N, C, H, W) -> (N, C, H/2, W/2)."""
    k = f.shape[0]
    return depthwise(x, f, pad=((k - 1) // 2, (k - 2) // 2), stride=2)


def activate(x: Tensor, bias: Tensor, gain: float = GAIN, clamp: float | None = None) -> Tensor:
    """clamp(gain lrelu(x + bias)) of a fresh x (N, C, H, W), which is overwritten where no gradient is recorded.

    Large new tensors cost more than the sums in them: the system hands them over page by page.
    """
    return finish(x * gain if x.requires_grad else x.mul_(gain), bias * gain, clamp)


def finish(x: Tensor, offset: Tensor | None, clamp: float | None) -> Tensor:
    """clamp(lrelu(x + offset)), on the memory of x where no gradient is recorded; offset (C,) or (H, W), or None."""
    if offset is not None:
        offset = (offset if offset.ndim == 2 else offset[:, None, None]).to(x.dtype)
        x = x + offset if x.requires_grad or offset.requires_grad else x.add_(offset)
    if x.requires_grad:
        x = F.leaky_relu(x, SLOPE)
        return x if clamp is None else x.clamp(-clamp, clamp)
    x = F.leaky_relu_(x, SLOPE)
    return x if clamp is None else x.clamp_(-clamp, clamp)


class ModulatedConv(nn.Module):
    """The convolution whose weights are scaled per image by a style, and normalised ("demodulated").

    w'_ijk = s_i w_ijk;  w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + eps)        Karras et al. 2020, Eqs. (1) and (3)

    Two ways to compute it. `shared`: scaling the weights by s_i is scaling the input channels, dividing them per output
    channel is dividing the output, so one ordinary convolution serves a whole batch. `single`: one image, its own
    weights. The first has more to do per pixel, the second per image.
    """

    def __init__(self, cin: int, cout: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin, size, size))
        self.dtype = torch.float32
        self._power: Tensor | None = None  # kept only once the weights are rounded

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype`; styles and demodulation stay float32."""
        if self._power is None:
            self._power = self._squares()
        self.dtype = dtype
        self.weight.data = self.weight.data.to(dtype, memory_format=torch.channels_last)

    def _squares(self) -> Tensor:
        """sum over the kernel of w^2, (out, in)."""
        return self.weight.square().sum((2, 3))

    def scales(self, style: Tensor) -> Tensor:
        """1 / sqrt(sum w'^2 + eps): style (N, in) -> (N, out)."""
        power = self._squares() if self._power is None else self._power.to(style.device)
        return (style.square() @ power.T + 1e-8).rsqrt()

    def shared(self, x: Tensor, style: Tensor, scale: Tensor | None, up: bool = False) -> Tensor:
        """x (N, in, H, W), style (N, in), scale (N, out) -> (N, out, H, W), or (N, out, 2H + 1, 2W + 1) if `up`."""
        x = x.to(self.dtype) * style.to(self.dtype)[:, :, None, None]
        x = _convolve(x, self.weight.to(self.dtype), up)
        if scale is None:
            return x
        scale = scale.to(self.dtype)[:, :, None, None]
        return x * scale if x.requires_grad else x.mul_(scale)

    def single(
        self, x: Tensor, style: Tensor, scale: Tensor | None, bias: Tensor | None = None, up: bool = False
    ) -> Tensor:
        """The same for one image, N = 1, with an optional bias (out,)."""
        weight = self.weight * style.view(1, -1, 1, 1)
        weight = (weight if scale is None else weight * scale.view(-1, 1, 1, 1)).to(self.dtype)
        return _convolve(x.to(self.dtype), weight, up, None if bias is None else bias.to(self.dtype))


def _convolve(x: Tensor, weight: Tensor, up: bool, bias: Tensor | None = None) -> Tensor:
    if up:
        return F.conv_transpose2d(x, weight.transpose(0, 1), bias, stride=2)
    return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)


def filter_shape(value: Any) -> list[int]:
    """[k, k], or [k] for a filter applied in both directions; BadInput for anything else."""
    if not isinstance(value, list | tuple) or len(value) not in (1, 2) or value[0] != value[-1]:
        raise BadInput(f"Expected the shape of a resampling filter, [k] or [k, k], got {str(value)[:60]}.")
    return [bounded("filter taps", v, 2, 64) for v in value]


def positive(name: str, value: Any, optional: bool = False) -> None:
    """BadInput unless `value` is a positive finite number, or None where that is allowed."""
    real = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    if not real and not (optional and value is None):
        raise BadInput(f"Expected {name} to be a positive number, got {repr(value)[:40]}.")
