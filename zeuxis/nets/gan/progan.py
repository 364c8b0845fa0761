"""Progressive GAN: Karras, Aila, Laine and Lehtinen, "Progressive growing of GANs for improved quality, stability, and
variation" (2018), https://arxiv.org/abs/1710.10196

Both networks begin at 4x4 pixels and grow: a new layer of twice the size is faded in (Fig. 2), then trained. Equalised
learning rate (section 4.1), pixel norm in the generator (section 4.2), minibatch deviation (section 3). The objective
is Wasserstein's with a gradient penalty and a drift term (appendix A.1), by the recipe. Pictures keep their full size:
those of a small network are enlarged, and the discriminator takes means of pixels down to its size; its own fading
takes the place of blended real pictures. Labels, which the paper has none of, stand behind z, and in the logit by
projection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size, minibatch_deviation
from zeuxis.nets.gan.stylegan2_full import LARGEST, widths
from zeuxis.nets.layers import upsample
from zeuxis.nets.stylegan_layers import GAIN, SLOPE, EqualLinear


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


class Growing(nn.Module):
    """A network of `levels` resolutions that grows by `set_progress`; fully grown when it is made.

    The share of the training up to `grown_by` is cut into equal parts, in turn training a level and fading in the next.
    How far it is lies in the state, so that an export of a half-grown network is drawn as it was trained.
    """

    grown: Tensor

    def _begin_growing(self, levels: int, grown_by: float) -> None:
        if not isinstance(grown_by, int | float) or not 0 < grown_by <= 1:
            raise BadInput(f"Expected grown_by above 0 up to 1, got {repr(grown_by)[:40]}.")
        self.levels, self.grown_by = levels, grown_by
        self.register_buffer("grown", torch.tensor(float(levels - 1)))

    def set_progress(self, progress: float) -> None:
        """`progress` of the training in [0, 1]."""
        steps = self.levels - 1
        part = min(progress / self.grown_by, 1.0) * 2 * steps  # even parts train, odd ones fade
        level, inside = divmod(part, 2)
        self.grown.fill_(min(level + max(inside - 1, 0.0), float(steps)))

    def level(self) -> tuple[int, float]:
        """The newest level, and the share of it in [0, 1]: 1 where it is trained, rising while it fades in."""
        grown = float(self.grown)
        level = math.ceil(grown)
        return level, 1.0 if level == grown else grown - level + 1


class Convolution(nn.Module):
    """A convolution whose weights are N(0, 1) and scaled when used (equalised), leaky ReLU, pixel norm if `norm`."""

    def __init__(self, cin: int, cout: int, size: int = 3, *, lrelu: bool = True, norm: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(cout, cin, size, size))
        self.bias = nn.Parameter(torch.zeros(cout))
        self.weight_gain = (GAIN if lrelu else 1.0) / math.sqrt(cin * size * size)
        self.lrelu, self.norm, self.dtype = lrelu, norm, torch.float32

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype`."""
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W)."""
        weight = (self.weight * self.weight_gain).to(self.dtype)
        x = F.conv2d(x.to(self.dtype), weight, self.bias.to(self.dtype), padding=weight.shape[2] // 2)
        x = F.leaky_relu(x, SLOPE) if self.lrelu else x
        return pixel_norm(x) if self.norm else x


def pixel_norm(x: Tensor) -> Tensor:
    """Each pixel's features, or each row (N, C), divided by their root mean square: section 4.2."""
    return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


def _linear(cin: int, cout: int, gain: float) -> EqualLinear:
    layer = EqualLinear(cin, cout)
    nn.init.normal_(layer.weight)
    layer.weight_gain *= gain
    return layer


class Generator(LatentGenerator, Growing):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1]."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 512, embed_dim: int = 32,
        channel_base: int = 16384, channel_max: int = 512, grown_by: float = 0.6,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"z_dim": z_dim, "embed_dim": embed_dim}
        self.classes = check_size(resolution, classes, most=LARGEST, channels=channels, **sizes)
        self.resolution, self.z_dim, self.embed_dim = resolution, z_dim, embed_dim
        self.labels = Condition(self.classes, embed_dim)
        chosen = widths(resolution, channel_base, channel_max)
        cin = z_dim + (embed_dim if classes else 0)
        self.first = _linear(cin, 16 * chosen[0], GAIN / 4)  # a full 4x4 convolution of one pixel
        self.second = Convolution(chosen[0], chosen[0], norm=True)
        self.blocks = nn.ModuleList(
            nn.Sequential(Convolution(a, b, norm=True), Convolution(b, b, norm=True)) for a, b in pairwise(chosen)
        )
        self.colours = nn.ModuleList(Convolution(c, channels, 1, lrelu=False) for c in chosen)
        self._begin_growing(len(chosen), grown_by)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        level, share = self.level()
        x = self.first(pixel_norm(self.joined(z, y).float())).view(len(z), -1, 4, 4)
        x = self.second(pixel_norm(F.leaky_relu(x, SLOPE)).contiguous(memory_format=torch.channels_last))
        below = x
        for block in self.blocks[:level]:
            below, x = x, block(upsample(x))
        image: Tensor = self.colours[level](x).float()
        if share < 1:
            image = torch.lerp(upsample(self.colours[level - 1](below).float()), image, share)
        return F.interpolate(image, scale_factor=float(self.resolution // image.shape[2]), mode="nearest")


class Discriminator(Growing):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> the critic's values (N,)."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, channel_base: int = 16384,
        channel_max: int = 512, group: int = 4, grown_by: float = 0.6,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes = check_size(resolution, classes, most=LARGEST, channels=channels, group=group)
        self.resolution, self.group = resolution, group
        chosen = widths(resolution, channel_base, channel_max)
        self.colours = nn.ModuleList(Convolution(channels, c, 1) for c in chosen)
        self.blocks = nn.ModuleList(
            nn.Sequential(Convolution(b, b), Convolution(b, a), nn.AvgPool2d(2)) for a, b in pairwise(chosen)
        )
        self.last = Convolution(chosen[0] + 1, chosen[0])
        self.dense = _linear(16 * chosen[0], chosen[0], GAIN)
        self.real = _linear(chosen[0], 1, 1.0)
        self.labels = Condition(self.classes, chosen[0], fine=1.0)
        self._begin_growing(len(chosen), grown_by)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        level, share = self.level()
        images = F.avg_pool2d(images, self.resolution // (4 * 2**level)).contiguous(memory_format=torch.channels_last)
        x = self.colours[level](images)
        for k in range(level, 0, -1):
            x = self.blocks[k - 1](x)
            if k == level and share < 1:
                x = torch.lerp(self.colours[level - 1](F.avg_pool2d(images, 2)).to(x.dtype), x, share)
        x = self.last(minibatch_deviation(x, self.group))
        h = F.leaky_relu(self.dense(x.float().flatten(1)), SLOPE)
        values: Tensor = self.real(h).squeeze(1)
        if self.classes and y is not None:
            values = values + (self.labels(y) * h).sum(1) / math.sqrt(h.shape[1])
        return values
