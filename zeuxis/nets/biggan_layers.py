"""Layers of BigGAN-deep: Brock, Donahue and Simonyan, "Large scale GAN training for high fidelity natural image
synthesis" (2019), https://arxiv.org/abs/1809.11096 , appendix B. Images inside are channels last.

Where no gradient is recorded, sums are made on the memory of what the convolutions return: the system hands over the
memory of large new tensors page by page, which costs a CPU more than the sums in them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.compute.split import all_rows, for_rows


class Norm(nn.Module):
    """Batch norm whose statistics depend on the truncation: `running_*` (n_stats, C); gain and bias on a condition.

    Without a condition (the last norm) it has a plain weight and bias. In training it takes the statistics of the batch
    and the stored ones follow, for every truncation alike; with `momentum` None they are plain means since
    `reset_running_stats` ("standing statistics", section 4.1).
    """

    running_means: Tensor
    running_vars: Tensor
    momentum: float | None = 0.1

    def __init__(self, width: int, n_stats: int, eps: float, condition: int | None) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("running_means", torch.zeros(n_stats, width))
        self.register_buffer("running_vars", torch.ones(n_stats, width))
        if condition is None:
            self.weight = nn.Parameter(torch.ones(width))
            self.bias = nn.Parameter(torch.zeros(width))
        else:
            self.scale = Linear(condition, width, bias=False)
            self.offset = Linear(condition, width, bias=False)
        self.mean, self.deviation = torch.zeros(0), torch.zeros(0)  # (C,) at the truncation that is set
        self.batches = 0  # since the statistics were reset

    def at(self, low: int, high: int, share: float) -> None:
        """Set the statistics to share * [low] + (1 - share) * [high]."""
        self.mean = torch.lerp(self.running_means[high], self.running_means[low], share)
        variance = torch.lerp(self.running_vars[high], self.running_vars[low], share)
        self.deviation = (variance + self.eps).rsqrt()

    def factors(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Condition (N, D) -> gain and bias (N, C) of x * gain + bias; in training those after the normalisation."""
        if hasattr(self, "scale"):
            gain, bias = 1 + self.scale(condition), self.offset(condition)
        else:
            gain, bias = self.weight.expand(len(condition), -1), self.bias.expand(len(condition), -1)
        return (gain, bias) if self.training else _merged(gain, bias, self.mean, self.deviation)

    def relu(self, x: Tensor, factors: tuple[Tensor, Tensor], fresh: bool = False) -> Tensor:
        """relu of the normalised x (N, C, H, W); on the memory of x unless `fresh`, or a gradient is recorded."""
        if self.training:
            variance, mean = torch.var_mean(all_rows(x).float(), dim=(0, 2, 3), correction=0)
            self._follow(mean.detach(), variance.detach())
            variance, mean = for_rows(variance, x), for_rows(mean, x)
            factors = _merged(*factors, mean, (variance + self.eps).rsqrt())
        return norm_relu(x, factors, fresh)

    def reset_running_stats(self) -> None:
        """Forget the statistics."""
        self.running_means.zero_()
        self.running_vars.fill_(1)
        self.batches = 0

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        self.batches += 1
        share = 1 / self.batches if self.momentum is None else self.momentum
        self.running_means.lerp_(mean.expand_as(self.running_means), share)
        self.running_vars.lerp_(variance.expand_as(self.running_vars), share)


class Linear(nn.Linear):
    """A linear layer that is always computed in float32: conditions are small and matter."""

    keep_fp32 = True


class Conv(nn.Conv2d):
    """A convolution that keeps the size; one of a single pixel is a matrix product over the pixels, channels last."""

    def __init__(self, cin: int, cout: int, size: int, bias: bool = True) -> None:
        super().__init__(cin, cout, size, padding=size // 2, bias=bias)
        self._wide: Tensor | None = None  # what `doubled` convolves with, for weights in this state
        self._state: tuple[int, int] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H, W)."""
        if self.kernel_size != (1, 1):
            return super().forward(x)
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    def doubled(self, x: Tensor) -> Tensor:
        """This 3x3 convolution of the image at twice its size (nearest neighbour), without drawing that image.

        Equal neighbours share their weights' sum: a transposed 4x4 convolution, with 4/9 of the products. Half the time
        on a CPU, equal but for rounding.
        """
        weight = self.weight
        wide, state = self._wide, (id(weight), weight._version)
        if wide is None or self._state != state or (wide.dtype, wide.device) != (x.dtype, x.device):
            k = F.pad(weight.float().flip((2, 3)), (1, 1, 1, 1))
            k = k[:, :, 1:, 1:] + k[:, :, :-1, 1:] + k[:, :, 1:, :-1] + k[:, :, :-1, :-1]
            wide = k.transpose(0, 1).to(x.dtype).contiguous(memory_format=torch.channels_last)
            if isinstance(weight, nn.Parameter) and not weight.requires_grad:  # it may stay as it is
                self._wide, self._state = wide, state
        return F.conv_transpose2d(x, wide, self.bias, stride=2, padding=1)


class Block(nn.Module):
    """Four normalised convolutions around a bottleneck, 1, 3, 3 and 1 wide; the shortcut drops channels, adds none."""

    def __init__(self, cin: int, cout: int, condition: int, n_stats: int, eps: float, up: bool) -> None:
        super().__init__()
        self.up, self.kept = up, cout
        middle = cin // 4
        for i, (a, b, size) in enumerate(
            ((cin, middle, 1), (middle, middle, 3), (middle, middle, 3), (middle, cout, 1))
        ):
            self.add_module(f"bn_{i}", Norm(a, n_stats, eps, condition))
            self.add_module(f"conv_{i}", Conv(a, b, size))

    bn_0: Norm
    bn_1: Norm
    bn_2: Norm
    bn_3: Norm
    conv_0: Conv
    conv_1: Conv
    conv_2: Conv
    conv_3: Conv

    def norms(self) -> list[Norm]:
        """In the order of use."""
        return [self.bn_0, self.bn_1, self.bn_2, self.bn_3]

    def forward(self, x: Tensor, factors: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """(N, in, H, W) -> (N, out, H or 2H, W or 2W)."""
        h = self.conv_0(self.bn_0.relu(x, factors[0], fresh=True))
        h = self.bn_1.relu(h, factors[1])
        h = self.conv_1.doubled(h) if self.up else self.conv_1(h)
        h = self.conv_2(self.bn_2.relu(h, factors[2]))
        h = self.conv_3(self.bn_3.relu(h, factors[3]))
        return added(h, x[:, : self.kept], self.up)


class Attention(nn.Module):
    """Self-attention over pixels: Zhang et al., "Self-attention generative adversarial networks" (2019), section 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.snconv1x1_theta = Conv(width, width // 8, 1, bias=False)
        self.snconv1x1_phi = Conv(width, width // 8, 1, bias=False)
        self.snconv1x1_g = Conv(width, width // 2, 1, bias=False)
        self.snconv1x1_o_conv = Conv(width // 2, width, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        n, c, h, w = x.shape
        theta = self.snconv1x1_theta(x).permute(0, 2, 3, 1).flatten(1, 2)  # (N, HW, C/8)
        phi = _pooled(self.snconv1x1_phi(x))  # (N, HW/4, C/8)
        g = _pooled(self.snconv1x1_g(x))  # (N, HW/4, C/2)
        if x.device.type == "cpu" and not theta.requires_grad:
            mixed = _in_pieces(theta, phi, g)
        else:
            mixed = F.scaled_dot_product_attention(theta[:, None], phi[:, None], g[:, None], scale=1.0)[:, 0]
        weight = (self.snconv1x1_o_conv.weight.float().flatten(1) * self.gamma).to(x.dtype)
        pixels = x.permute(0, 2, 3, 1).reshape(n * h * w, c)
        out = torch.addmm(pixels, mixed.reshape(n * h * w, -1), weight.T)  # (N HW, C)
        return out.view(n, h, w, c).permute(0, 3, 1, 2)


def _merged(gain: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """(x - mean) * deviation * gain + bias as one multiply-add; `deviation` is one over the standard deviation."""
    gain = gain * deviation
    return gain, bias - mean * gain


def norm_relu(x: Tensor, factors: tuple[Tensor, Tensor], fresh: bool = False) -> Tensor:
    """relu(x * gain + bias), per image and channel; on the memory of x unless `fresh`, or a gradient is recorded."""
    gain, bias = (f.to(x.dtype)[:, :, None, None] for f in factors)
    if fresh or x.requires_grad or gain.requires_grad:
        return F.relu_(torch.addcmul(bias, x, gain))
    return torch.addcmul(bias, x, gain, out=x).relu_()


def added(h: Tensor, short: Tensor, up: bool) -> Tensor:
    """h + short, or h + short at twice its size (nearest neighbour), without drawing that: (N, C, H, W) or 2H, 2W.

    h is fresh from a convolution whose gradient does not need it.
    """
    if not up:
        return h.add_(short)
    n, c, height, width = short.shape
    pixels = h.permute(0, 2, 3, 1).reshape(n, height, 2, width, 2, c)  # a view, channels last
    pixels = pixels.add_(short.permute(0, 2, 3, 1)[:, :, None, :, None])
    return pixels.view(n, 2 * height, 2 * width, c).permute(0, 3, 1, 2)


def _pooled(x: Tensor) -> Tensor:
    """The largest of every 2x2 pixels: (N, C, H, W) -> (N, HW/4, C)."""
    return F.max_pool2d(x, 2).permute(0, 2, 3, 1).flatten(1, 2)


def _in_pieces(query: Tensor, key: Tensor, value: Tensor, rows: int = 256) -> Tensor:
    """softmax(query key') value: (N, Q, D), (N, K, D), (N, K, E) -> (N, Q, E), `rows` queries at a time.

    256 rows of the 1024 keys at 64 px are 1 MB, which stays in the cache; all of a batch would be 64 MB. Torch's own
    attention in pieces wants D = E, and falls back to the whole matrix otherwise.
    """
    out = query.new_empty(*query.shape[:2], value.shape[2])
    for n in range(len(query)):
        for start in range(0, query.shape[1], rows):
            weights = torch.softmax(query[n, start : start + rows] @ key[n].T, dim=1)
            torch.mm(weights, value[n], out=out[n, start : start + rows])
    return out
