"""StyleGAN2, small: Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020),
https://arxiv.org/abs/1912.04958, with the two mapping layers of StyleGAN2-ADA's small configuration,
https://arxiv.org/abs/2006.06676

Made to be trained on a processor; it differs from the paper in five places. The first convolution of a block runs
before the up-sampling, a quarter of the cost, and bilinear up-sampling is the paper's [1, 3, 3, 1] filter.
Down-sampling is a mean of 2x2 pixels. There is no noise input: one latent is one picture. Labels are looked up in a
table without a bias, and the discriminator's logit is w.h + e(y).h / sqrt(dim), projection on the labels (Miyato and
Koyama 2018, https://arxiv.org/abs/1802.05637). Minibatch deviation is of groups of 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size, minibatch_deviation
from zeuxis.nets.stylegan_layers import GAIN, SLOPE, EqualLinear, moment

WIDTHS = {4: 128, 8: 128, 16: 96, 32: 64, 64: 32, 128: 16, 256: 8}


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def widths_of(resolution: int, widths: Sequence[int]) -> list[int]:
    """Channels at 4, 8, ..., `resolution` pixels: those given, or WIDTHS. BadInput for another number of them."""
    sizes = [4 * 2**i for i in range(int(math.log2(resolution)) - 1)]
    chosen = list(widths) or [WIDTHS[size] for size in sizes]
    if len(chosen) != len(sizes) or not all(isinstance(w, int) and 1 <= w <= 2048 for w in chosen):
        raise BadInput(f"Expected {len(sizes)} widths of 1 to 2048, one for each of {sizes} pixels, got {chosen[:12]}.")
    return chosen


def linear(cin: int, cout: int, *, rate: float = 1.0, lrelu: bool = False, bias: float = 0.0) -> EqualLinear:
    """A fresh equalised linear layer."""
    layer = EqualLinear(cin, cout, rate=rate, lrelu=lrelu)
    nn.init.normal_(layer.weight, std=1 / rate)
    nn.init.constant_(layer.bias, bias)
    return layer


class Convolution(nn.Module):
    """3x3 or 1x1 convolution with equalised weights and a bias: (N, cin, H, W) -> (N, cout, H, W).

    The output is `gain` times as large; as leaky ReLU is homogeneous, the gain after it can be put here, for nothing.
    """

    def __init__(self, cin: int, cout: int, size: int = 3, *, gain: float = GAIN, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(cout, cin, size, size))
        self.bias = nn.Parameter(torch.zeros(cout)) if bias else None
        self.gain, self.weight_gain, self.dtype = gain, gain / math.sqrt(cin * size * size), torch.float32

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype`."""
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W)."""
        weight = (self.weight * self.weight_gain).to(self.dtype)
        bias = None if self.bias is None else (self.bias * self.gain).to(self.dtype)
        return F.conv2d(x.to(self.dtype), weight, bias, padding=self.weight.shape[2] // 2)


class Modulated(Convolution):
    """Convolution whose input channels a style scales, outputs brought back to deviation 1 (Eqs. 1 and 3).

    Scaling the weights of each picture is scaling its channels before and after, so one convolution serves the batch.
    """

    bias: nn.Parameter

    def __init__(self, cin: int, cout: int, w_dim: int) -> None:
        super().__init__(cin, cout)
        self.affine = linear(w_dim, cin, bias=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:  # type: ignore[override]
        """x (N, cin, H, W), w (N, w_dim) -> (N, cout, H, W)."""
        style = self.affine(w)  # (N, cin), float32
        weight = self.weight * self.weight_gain
        power = weight.square().sum((2, 3))  # (cout, cin)
        scale = self.gain * (style.square() @ power.T + 1e-8).rsqrt()  # (N, cout)
        x = x.to(self.dtype) * style.to(self.dtype)[:, :, None, None]
        x = F.conv2d(x, weight.to(self.dtype), padding=1)
        bias = (self.bias * self.gain).to(x.dtype)
        return torch.addcmul(bias[:, None, None], x, scale.to(x.dtype)[:, :, None, None])


class ToColours(nn.Module):
    """Modulated 1x1 convolution without demodulation: (N, cin, H, W), w -> (N, channels, H, W) float32."""

    def __init__(self, cin: int, channels: int, w_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, cin))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.affine = linear(w_dim, cin, bias=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, cin, H, W), w (N, w_dim) -> (N, channels, H, W)."""
        weight = self.affine(w)[:, None] * (self.weight / math.sqrt(self.weight.shape[1]))  # (N, channels, cin)
        pixels = x.float().permute(0, 2, 3, 1).flatten(1, 2)  # (N, HW, cin), no copy with channels last
        image = torch.baddbmm(self.bias, pixels, weight.transpose(1, 2))  # (N, HW, channels)
        return image.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1], clamped there."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 64, w_dim: int = 128,
        embed_dim: int = 64, mapping_layers: int = 2, widths: Sequence[int] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        numbers = {"z_dim": z_dim, "w_dim": w_dim, "embed_dim": embed_dim, "mapping_layers": mapping_layers}
        self.classes = check_size(resolution, classes, channels=channels, **numbers)
        self.resolution, self.z_dim, self.w_dim, self.embed_dim = resolution, z_dim, w_dim, embed_dim
        chosen = widths_of(resolution, widths)
        self.labels = Condition(self.classes, embed_dim)
        sizes = [z_dim + (embed_dim if classes else 0), *[w_dim] * mapping_layers]
        self.mapping = nn.Sequential(*(linear(a, b, rate=0.01, lrelu=True) for a, b in pairwise(sizes)))
        self.const = nn.Parameter(torch.randn(chosen[0], 4, 4))
        self.first = Modulated(chosen[0], chosen[0], w_dim)
        self.ups = nn.ModuleList(Modulated(a, b, w_dim) for a, b in pairwise(chosen))
        self.convs = nn.ModuleList(Modulated(b, b, w_dim) for b in chosen[1:])
        self.colours = nn.ModuleList(ToColours(b, channels, w_dim) for b in chosen)

    def map(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, z_dim) and labels or embeddings -> w (N, w_dim); both are normalised to a root mean square of 1."""
        condition = self.condition(z, y)
        parts = [moment(z.float())] + ([] if condition is None else [moment(condition.float())])
        w: Tensor = self.mapping(torch.cat(parts, dim=1))
        return w

    def layer_sizes(self) -> list[int]:
        """For each modulated convolution the pixels of the layer that it steers: 4, 8, 8, 16, 16, ..."""
        return [4, *(4 * 2**k for k in range(1, len(self.convs) + 1) for _ in range(2))]

    def synthesise(self, w: Tensor, doublings: int | None = None) -> Tensor:
        """w (N, w_dim), or one for each of `layer_sizes` (N, L, w_dim) -> images (N, channels, R, R).

        With `doublings` only so many: a picture of 4 * 2^doublings pixels.
        """
        ws = [w] * (1 + 2 * len(self.convs)) if w.ndim == 2 else list(w.unbind(1))
        x = self.const.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = F.leaky_relu(self.first(x, ws[0]), SLOPE)
        image: Tensor = self.colours[0](x, ws[0])
        layers = zip(self.ups, self.convs, list(self.colours)[1:], ws[1::2], ws[2::2], strict=True)
        for up, conv, colours, w_up, w_conv in islice(layers, doublings):
            x = F.leaky_relu(_twice(up(x, w_up)), SLOPE)
            x = F.leaky_relu(conv(x, w_conv), SLOPE)
            image = _twice(image) + colours(x, w_conv)
        return image

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        return self.synthesise(self.map(z, y))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Down(nn.Module):
    """Residual block: (N, cin, H, W) -> (N, cout, H / 2, W / 2); both ways are summed, divided by sqrt(2)."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv0, self.conv1 = Convolution(cin, cin), Convolution(cin, cout, gain=1.0)
        self.skip = Convolution(cin, cout, 1, gain=math.sqrt(0.5), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H / 2, W / 2)."""
        beside: Tensor = self.skip(F.avg_pool2d(x, 2))
        h = F.leaky_relu(self.conv0(x), SLOPE)
        return beside + F.leaky_relu(self.conv1(F.avg_pool2d(h, 2)), SLOPE)


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,). Without labels: whatever the class."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, widths: Sequence[int] = (),
        group: int = 8,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes, self.group = check_size(resolution, classes, channels=channels, group=group), group
        chosen = widths_of(resolution, widths)[::-1]  # from the picture down
        self.colours = Convolution(channels, chosen[0], 1)
        self.blocks = nn.Sequential(*(Down(a, b) for a, b in pairwise(chosen)))
        self.last = Convolution(chosen[-1] + 1, chosen[-1])
        self.dense = linear(16 * chosen[-1], chosen[-1], lrelu=True)
        self.real = linear(chosen[-1], 1)
        self.labels = Condition(self.classes, chosen[-1], fine=1.0)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        x = F.leaky_relu(self.colours(images.contiguous(memory_format=torch.channels_last)), SLOPE)
        x = minibatch_deviation(self.blocks(x), self.group)
        x = F.leaky_relu(self.last(x), SLOPE)
        h = self.dense(x.float().flatten(1))  # (N, C)
        logits: Tensor = self.real(h).squeeze(1)
        if self.classes and y is not None:
            logits = logits + (self.labels(y) * h).sum(1) / math.sqrt(h.shape[1])
        return logits
