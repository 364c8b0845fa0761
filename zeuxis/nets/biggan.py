"""BigGAN-deep: Brock, Donahue and Simonyan, "Large scale GAN training for high fidelity natural image synthesis"
(2019), https://arxiv.org/abs/1809.11096 , appendix B; as DeepMind published it and Hugging Face ported it.

Spectral normalisation is folded into the weights, the colour convolution computes the 3 channels that are used, and
every conditional batch norm is one multiply-add whose factors come from a single matrix product for the whole network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.stylegan_layers import bounded


class Norm(nn.Module):
    """Batch norm whose statistics depend on the truncation: `running_*` (n_stats, C); gain and bias on a condition.

    Without a condition (the last norm) it has a plain weight and bias.
    """

    running_means: Tensor
    running_vars: Tensor

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

    def at(self, low: int, high: int, share: float) -> None:
        """Set the statistics to share * [low] + (1 - share) * [high]."""
        self.mean = torch.lerp(self.running_means[high], self.running_means[low], share)
        variance = torch.lerp(self.running_vars[high], self.running_vars[low], share)
        self.deviation = (variance + self.eps).rsqrt()

    def factors(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Condition (N, D) -> gain and bias (N, C) of x * gain + bias."""
        if hasattr(self, "scale"):
            gain = (1 + self.scale(condition)) * self.deviation
            return gain, self.offset(condition) - self.mean * gain
        gain = (self.weight * self.deviation).expand(len(condition), -1)
        return gain, self.bias - self.mean * gain


class Linear(nn.Linear):
    """A linear layer that is always computed in float32: conditions are small and matter."""

    keep_fp32 = True


class Conv(nn.Conv2d):
    """A convolution that keeps the size."""

    def __init__(self, cin: int, cout: int, size: int, bias: bool = True) -> None:
        super().__init__(cin, cout, size, padding=size // 2, bias=bias)
        self._wide: Tensor | None = None

    def doubled(self, x: Tensor) -> Tensor:
        """This 3x3 convolution of the image at twice its size (nearest neighbour), without drawing that image.

        Equal neighbours share their weights' sum: a transposed 4x4 convolution, with 4/9 of the products. Half the time
        on a CPU, equal but for rounding.
        """
        wide = self._wide
        if wide is None or self.weight.requires_grad or (wide.dtype, wide.device) != (x.dtype, x.device):
            k = F.pad(self.weight.float().flip((2, 3)), (1, 1, 1, 1))
            k = k[:, :, 1:, 1:] + k[:, :, :-1, 1:] + k[:, :, 1:, :-1] + k[:, :, :-1, :-1]
            wide = k.transpose(0, 1).to(x.dtype).contiguous(memory_format=torch.channels_last)
            self._wide = wide
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
        h = self.conv_0(_norm_relu(x, factors[0]))
        h = _norm_relu(h, factors[1])
        h = self.conv_1.doubled(h) if self.up else self.conv_1(h)
        h = self.conv_2(_norm_relu(h, factors[2]))
        h = self.conv_3(_norm_relu(h, factors[3]))
        x = x[:, : self.kept]
        short: Tensor = F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x
        out: Tensor = h + short
        return out


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
        n, _, h, w = x.shape
        theta = self.snconv1x1_theta(x).flatten(2)  # (N, C/8, HW)
        phi = F.max_pool2d(self.snconv1x1_phi(x), 2).flatten(2)  # (N, C/8, HW/4)
        g = F.max_pool2d(self.snconv1x1_g(x), 2).flatten(2)  # (N, C/2, HW/4)
        mixed = F.scaled_dot_product_attention(theta.mT[:, None], phi.mT[:, None], g.mT[:, None], scale=1.0)[:, 0]
        mixed = mixed.mT.reshape(n, -1, h, w).contiguous(memory_format=torch.channels_last)
        out: Tensor = x + self.gamma.to(x.dtype) * self.snconv1x1_o_conv(mixed)
        return out


class _Body(nn.Module):
    """The published names begin with "generator."."""

    layers: nn.ModuleList
    bn: Norm
    conv_to_rgb: Conv

    def __init__(self, gen_z: Linear) -> None:
        super().__init__()
        self.gen_z = gen_z


class BigGANDeep(nn.Module):
    """z (N, z_dim) and a class embedding (N, class_embed_dim) -> images (N, 3, R, R) in [-1, 1].

    `layers` are rows [upsample, in, out] in multiples of `channel_width`; the attention stands before row
    `attention_layer_position`. Call `set_truncation` before drawing.
    """

    def __init__(
        self,
        z_dim: int,
        class_embed_dim: int,
        channel_width: int,
        num_classes: int,
        layers: Sequence[Sequence[int]],
        attention_layer_position: int,
        eps: float = 1e-4,
        n_stats: int = 51,
    ) -> None:
        super().__init__()
        for name, value, low, high in (
            ("z_dim", z_dim, 1, 4096),
            ("class_embed_dim", class_embed_dim, 1, 4096),
            ("channel_width", channel_width, 1, 1024),
            ("num_classes", num_classes, 1, 1_000_000),
            ("n_stats", n_stats, 2, 1001),
            ("the number of blocks", len(layers), 1, 64),
            ("attention_layer_position", attention_layer_position, 0, 64),
        ):
            bounded(name, value, low, high)
        if not all(len(row) == 3 and 1 <= int(row[1]) <= 64 and 1 <= int(row[2]) <= int(row[1]) for row in layers):
            raise BadInput(
                "Expected layers as rows [upsample, in, out] with in >= out, both in multiples of the width."
            )
        if sum(bool(row[0]) for row in layers) > 9 or not 0 < float(eps) < 1:
            raise BadInput(f"Expected at most 9 doublings and 0 < eps < 1, got eps {eps}.")
        self.z_dim, self.num_classes, self.n_stats = z_dim, num_classes, n_stats
        self.width, condition = channel_width, z_dim + class_embed_dim
        self.first = int(layers[0][1]) * channel_width
        self.img_resolution = 4 * 2 ** sum(bool(row[0]) for row in layers)
        self.embeddings = Linear(num_classes, class_embed_dim, bias=False)
        self.generator = _Body(Linear(condition, 4 * 4 * self.first))
        blocks: list[nn.Module] = []
        for i, (up, cin, cout) in enumerate(layers):
            if i == attention_layer_position:
                blocks.append(Attention(int(cin) * channel_width))
            blocks.append(Block(int(cin) * channel_width, int(cout) * channel_width, condition, n_stats, eps, bool(up)))
        self.generator.layers = nn.ModuleList(blocks)
        last = int(layers[-1][2]) * channel_width
        self.generator.bn = Norm(last, n_stats, eps, None)
        self.generator.conv_to_rgb = Conv(last, 3, 3)

    def norms(self) -> list[Norm]:
        """Every norm in the order of use, the last one without condition."""
        blocks = [block.norms() for block in self._layers() if isinstance(block, Block)]
        return [*(norm for norms in blocks for norm in norms), self.generator.bn]

    def set_truncation(self, truncation: float, exact: bool = False) -> None:
        """Use the batch statistics gathered at this truncation, in (0, 1]."""
        low, high, share = statistics_at(truncation, self.n_stats, exact)
        for norm in self.norms():
            norm.at(low, high, share)

    def forward(self, z: Tensor, embedding: Tensor) -> Tensor:
        """(N, z_dim) already multiplied by the truncation, (N, class_embed_dim) -> (N, 3, R, R) float32 in [-1, 1]."""
        condition = torch.cat([z, embedding], dim=1)
        factors = [norm.factors(condition) for norm in self.norms()]
        x = self.generator.gen_z(condition)
        x = x.view(-1, 4, 4, self.first).permute(0, 3, 1, 2).to(self.generator.conv_to_rgb.weight.dtype)
        used = 0
        for layer in self._layers():
            if isinstance(layer, Block):
                x = layer(x, factors[used : used + 4])
                used += 4
            else:
                x = layer(x)
        x = self.generator.conv_to_rgb(_norm_relu(x, factors[-1]))
        return torch.tanh(x.float())

    def _layers(self) -> list[nn.Module]:
        return list(self.generator.layers)


def statistics_at(truncation: float, n_stats: int, exact: bool) -> tuple[int, int, float]:
    """Which two rows of statistics to mix, and the share of the first.

    The published port divides in floating point and gives the fraction to the wrong neighbour; pictures in papers and
    galleries were made so, and that is the default. `exact` interpolates as one would.
    """
    step = 1.0 / (n_stats - 1)
    if not step <= truncation <= 1:
        raise BadInput(f"Expected a truncation from {step:g} to 1, got {truncation}.")
    if exact:
        place = round(truncation / step, 6)
        low = min(int(place), n_stats - 2)
        return low, low + 1, 1 - (place - low)
    fraction, whole = math.modf(truncation / step)
    low = int(whole)
    return (low, min(low + 1, n_stats - 1), fraction) if fraction else (low, low, 1.0)


def _norm_relu(x: Tensor, factors: tuple[Tensor, Tensor]) -> Tensor:
    """relu(x * gain + bias), per image and channel."""
    gain, bias = (f.to(x.dtype)[:, :, None, None] for f in factors)
    return F.relu_(torch.addcmul(bias, x, gain))
