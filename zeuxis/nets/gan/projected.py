"""Projected GAN: Sauer et al., "Projected GANs converge faster" (2021), https://arxiv.org/abs/2111.01007

The generator is StyleGAN2's. The discriminator is a set of small heads on frozen features of an ImageNet network,
MobileNet v2, at the picture's own size, and one head on the pixels themselves: fixed features do not see every
artefact. Each head knows the labels by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637) and the
deviation of its batch. The paper mixes features across channels and scales by fixed random layers (section 3.2): option
`mixed`; without it the pixel head and the deviation take their place. From StyleGAN-XL (Sauer et al. 2022,
https://arxiv.org/abs/2202.00273): a stem of few pixels that is trained first, then frozen (section 3.2), option `stem`;
and a classifier that guides (section 3.3), the recipe's `trunk` and `guidance`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan import stylegan2
from zeuxis.nets.gan.base import Condition, check_size, minibatch_deviation
from zeuxis.nets.gan.pocket import Activation
from zeuxis.nets.layers import bounded, conv, dtype_of, normalise_spectrum
from zeuxis.nets.mobilenet import MobileNetV2, load_pocket
from zeuxis.nets.trunk import Trunk

STRIDES, CHANNELS = (4, 8, 16, 32), (24, 32, 96, 320)  # of the four feature maps
SCALES = (7.0, 7.0, 5.5, 2.0)  # root mean squares of the maps, alike for photos of products and of things


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def _check_stem(stem: int, share: float, resolution: int) -> tuple[int, float]:
    """Both. BadInput for a stem that is no smaller size of this network, or a share that is none."""
    sizes = [0, *(4 * 2**k for k in range(max(resolution, 4).bit_length() - 3))]
    if isinstance(stem, bool) or stem not in sizes:
        raise BadInput(f"Expected a stem of {', '.join(map(str, sizes))} pixels (0: none), got {repr(stem)[:40]}.")
    if not isinstance(share, int | float) or not 0 < share < 1:
        raise BadInput(f"Expected stem_share between 0 and 1, got {repr(share)[:40]}.")
    return stem, share


class Generator(stylegan2.Generator):
    """StyleGAN2's, small; with a `stem` of so many pixels, if not 0, that is trained first, its pictures enlarged.

    After the share `stem_share` of the training the stem is frozen, with the mapping network, and the layers above it
    are trained. They draw nothing at first, so that the picture does not jump.
    """

    stage: Tensor

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 64, w_dim: int = 128,
        embed_dim: int = 64, mapping_layers: int = 2, widths: Sequence[int] = (), stem: int = 0,
        stem_share: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__(
            resolution, classes, channels=channels, z_dim=z_dim, w_dim=w_dim, embed_dim=embed_dim,
            mapping_layers=mapping_layers, widths=widths,
        )  # fmt: skip
        self.stem, self.stem_share = _check_stem(stem, stem_share, resolution)
        if stem:
            self.doublings = stem.bit_length() - 3
            self.register_buffer("stage", torch.ones(()))  # 0 while the stem is trained; a file is drawn as it was then
            for colours in list(self.colours)[self.doublings + 1 :]:
                nn.init.zeros_(colours.weight)  # type: ignore[arg-type]

    def set_progress(self, progress: float) -> None:
        """`progress` of the training in [0, 1]."""
        if not self.stem:
            return
        self.stage.fill_(float(progress >= self.stem_share))
        if progress >= self.stem_share:
            k = self.doublings
            below = (self.labels, self.mapping, self.first, *self.ups[:k], *self.convs[:k], *self.colours[: k + 1])
            self.const.requires_grad_(False)
            for module in below:
                module.requires_grad_(False)

    def synthesise(self, w: Tensor, doublings: int | None = None) -> Tensor:
        """w (N, w_dim), or one for each of `layer_sizes` (N, L, w_dim) -> images (N, channels, R, R)."""
        if not self.stem or self.stage > 0:
            return super().synthesise(w, doublings)
        image = super().synthesise(w, self.doublings)
        while image.shape[2] < self.resolution:  # as the layers above will do
            image = F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
        return image


def mobilenet_maps(trunks: list[MobileNetV2], images: Tensor) -> list[Tensor]:
    """MobileNet v2's four maps of images (N, 3, R, R), of about deviation 1. `trunks` holds the network once it is
    loaded: in a list it is no part of a discriminator's state.
    """
    if not trunks:
        trunks.append(load_pocket("v2").to(images.device))
    return [x / scale for x, scale in zip(trunks[0].taps(images, STRIDES), SCALES, strict=True)]


class Mixing(nn.Module):
    """Fixed random layers: 1x1 across channels, then 3x3 from the coarse scale to the fine one. Section 3.2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.across = nn.ModuleList(conv(c, width, 1, bias=False) for c in CHANNELS)
        self.down = nn.ModuleList(conv(width, width, bias=False) for _ in CHANNELS[1:])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        self.requires_grad_(False)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Four maps (N, CHANNELS[k], S_k, S_k) -> as many (N, width, S_k, S_k), each knowing the coarser ones."""
        flat = [layer(x.to(dtype_of(self))) for layer, x in zip(self.across, maps, strict=True)]
        out = [flat[-1]]
        for layer, x in zip(list(self.down)[::-1], flat[-2::-1], strict=True):
            coarse = F.interpolate(out[0], size=x.shape[2:], mode="bilinear", align_corners=False)
            out.insert(0, layer((x + coarse) * 0.5**0.5))
        return out


class Head(nn.Module):
    """Convolutions down to 4x4 pixels, then w.h + e(y).h: (N, cin, S, S), (N, L) -> (N,)."""

    def __init__(self, cin: int, size: int, width: int, classes: Sequence[int], group: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(cin, width, 1), Activation()]
        while size > 4:
            layers += [conv(width, width, 4, 2), Activation()]
            size //= 2
        self.body, self.group = nn.Sequential(*layers), group
        self.last = nn.Sequential(conv(width + 1, width), Activation())
        self.real = nn.Linear(width, 1)
        self.labels = Condition(classes, width, fine=1.0)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        """(N, cin, S, S), (N, L) or None -> (N,)."""
        h = self.last(minibatch_deviation(self.body(x), self.group)).mean((2, 3))  # (N, width)
        logit: Tensor = self.real(h).squeeze(1)
        return logit if y is None or not self.labels.tables else logit + (self.labels(y) * h).sum(1)


class Discriminator(nn.Module):
    """Images (N, 3, R, R) in [-1, 1] and labels (N, L) -> one logit a head (N, 5), spectrally normalised.

    The frozen network is part of the package, not of this one's weights, and neither is the `trunk` of a classifier
    that guides. `mixed` is the width of the random layers, 0 for none. With a `stem`, the generator's, it sees all
    pictures at so many pixels, enlarged again, for as long as the stem is trained: sharp real pictures beside enlarged
    ones are told apart at a glance, and nothing is learned.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, width: int = 48,
        pixel_width: int = 32, group: int = 8, mixed: int = 0, trunk: Trunk | None = None,
        trunk_widths: Sequence[int] = (), normalised: bool = True, stem: int = 0, stem_share: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        numbers = {"width": width, "pixel_width": pixel_width, "group": group}
        self.classes = check_size(resolution, classes, least=32, **numbers)
        if channels != 3:
            raise BadInput(f"The projected discriminator sees colour pictures: expected 3 channels, got {channels}.")
        self._trunks: list[MobileNetV2] = []  # in a list: no part of the state
        self._guide = [] if trunk is None else [trunk.requires_grad_(False).eval()]
        bounded("mixed", mixed, 0, 4096)
        self.stem, self.stem_share = _check_stem(stem, stem_share, resolution)
        self.reduced = False
        self.pixels = nn.Sequential(conv(3, pixel_width, 4, 2), Activation(), conv(pixel_width, 64), Activation())
        seen = (mixed,) * len(CHANNELS) if mixed else CHANNELS
        shapes = [(64, resolution // 2), *((c, resolution // s) for c, s in zip(seen, STRIDES, strict=True))]
        self.heads = nn.ModuleList(Head(c, size, width, self.classes, group) for c, size in shapes)
        if normalised:
            normalise_spectrum(self)
        self.mixing = Mixing(mixed) if mixed else None

    def set_progress(self, progress: float) -> None:
        """`progress` of the training in [0, 1]."""
        self.reduced = bool(self.stem) and progress < self.stem_share

    def _seen(self, images: Tensor) -> Tensor:
        """The images, at the stem's size and enlarged again while that is trained."""
        if not self.reduced:
            return images
        few = F.avg_pool2d(images, images.shape[2] // self.stem)
        return F.interpolate(few, size=images.shape[2:], mode="bilinear", align_corners=False)

    def frozen(self, images: Tensor) -> list[Tensor]:
        """The feature maps that never change, for one batch that serves two updates; gradients flow to `images`.

        With a guide its last map stands behind them.
        """
        images = self._seen(images)
        maps = mobilenet_maps(self._trunks, images)
        maps = maps if self.mixing is None else self.mixing(maps)
        return [*maps, *(trunk.stages(images)[-1] for trunk in self._guide)]

    def forward(self, images: Tensor, y: Tensor | None = None, frozen: list[Tensor] | None = None) -> Tensor:
        """(N, 3, R, R), (N, L) -> (N, heads). `frozen` are the maps of these images, where they are at hand."""
        maps = self.frozen(images) if frozen is None else frozen
        images = self._seen(images).to(dtype_of(self.pixels)).contiguous(memory_format=torch.channels_last)
        maps = [self.pixels(images), *maps[: len(STRIDES)]]
        return torch.stack([head(x.to(dtype_of(head)), y) for head, x in zip(self.heads, maps, strict=True)], dim=1)
