"""StyleGAN3: Karras et al., "Alias-free generative adversarial networks" (2021), https://arxiv.org/abs/2106.12423

Configurations T (equivariant to translation: 3x3 convolutions, separable filters) and R (to rotation as well: 1x1
convolutions, twice the channels, radially symmetric filters but in the critically sampled layers). The generator is
the one that published files are read into; the discriminator is StyleGAN2's. There is no noise: a latent is a picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.nets.gan.base import check_size
from zeuxis.nets.gan.stylegan2_full import LARGEST, Discriminator
from zeuxis.nets.gan.styles import StyleGenerator, first_weights
from zeuxis.nets.layers import bounded
from zeuxis.nets.stylegan3 import Layer, StyleGAN3

FIRST_CUTOFF, FIRST_STOPBAND, LAST_STOPBAND = 2.0, 2**2.1, 2**0.3  # appendix C; the last is a multiple of the cutoff
MARGIN, CRITICAL, TAPS = 10, 2, 6  # pixels around the picture, critically sampled layers, taps per sample of a filter


class Generator(StyleGenerator, StyleGAN3):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R), nominally in [-1, 1].

    `layers` synthesis layers stand between the Fourier features and the colours. In training each layer follows the
    mean square of its input (section 3.1, config D).
    """

    published = "stylegan3"  # the family of published files that it may start from

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 512, w_dim: int = 512,
        channel_base: int = 32768, channel_max: int = 512, mapping_layers: int = 2, layers: int = 14, kernel: int = 3,
        radial: bool = False, conv_clamp: float | None = 256,
    ) -> None:  # fmt: skip
        known = check_size(resolution, classes, least=16, most=LARGEST, channels=channels)
        bounded("layers", layers, CRITICAL + 1, 64)
        bounded("kernel", kernel, 1, 3)
        for name, value in (("channel_base", channel_base), ("channel_max", channel_max)):
            bounded(name, value, 1, 2**20)
        plan = Plan(resolution, layers, channel_base, channel_max, channels)
        facts = [plan.layer(k, kernel, conv_clamp, radial) for k in range(layers + 1)]
        source = {"channels": plan.widths[0], "size": plan.sizes[0], "sampling_rate": float(plan.rates[0]),
                  "bandwidth": FIRST_CUTOFF}  # fmt: skip
        super().__init__(
            z_dim, sum(known), w_dim, resolution, source, facts, mapping_layers=mapping_layers,
            embed_dim=w_dim if known else None,
        )  # fmt: skip
        self.plan = plan
        self._begin(resolution, known)
        if self.w_avg.is_meta:
            return
        first_weights(self)
        self._first_input()
        for k, name in enumerate(self.synthesis.names[:-1]):
            layer = self.synthesis.get_submodule(name)
            assert isinstance(layer, Layer)
            for filtered, made in zip((layer.up_filter, layer.down_filter), plan.filters(k, radial), strict=True):
                filtered.copy_(made)

    def _first_input(self) -> None:
        """Frequencies uniform in the disc that the first layer passes, random phases; no shift and no turn at first."""
        source = self.synthesis.input
        freqs = torch.randn_like(source.freqs)
        radii = freqs.square().sum(1, keepdim=True).sqrt()
        source.freqs.copy_(freqs / (radii * radii.square().exp().pow(0.25)) * source.bandwidth)
        source.phases.copy_(torch.rand_like(source.phases) - 0.5)
        nn.init.zeros_(source.affine.weight)
        with torch.no_grad():
            source.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def layer_sizes(self) -> list[int]:
        """For each style the pixels of the layer that it steers, by its sampling rate."""
        return [self.plan.rates[0], *self.plan.rates]


class TGenerator(Generator):
    """Configuration T."""


class RGenerator(Generator):
    """Configuration R."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 512, w_dim: int = 512,
        channel_base: int = 65536, channel_max: int = 1024, mapping_layers: int = 2, layers: int = 14,
        conv_clamp: float | None = 256,
    ) -> None:  # fmt: skip
        super().__init__(
            resolution, classes, channels=channels, z_dim=z_dim, w_dim=w_dim, channel_base=channel_base,
            channel_max=channel_max, mapping_layers=mapping_layers, layers=layers, kernel=1, radial=True,
            conv_clamp=conv_clamp,
        )  # fmt: skip


def pair_t() -> tuple[type[TGenerator], type[Discriminator]]:
    """Generator and discriminator of configuration T."""
    return TGenerator, Discriminator


def pair_r() -> tuple[type[RGenerator], type[Discriminator]]:
    """Generator and discriminator of configuration R."""
    return RGenerator, Discriminator


class Plan:
    """Cutoffs f_c, stopbands f_t, sampling rates s and widths of the layers 0 to N, the last one the colours: Fig. 4c
    and appendix C. Frequencies rise geometrically to the Nyquist limit, which the last CRITICAL layers have.
    """

    def __init__(self, resolution: int, layers: int, channel_base: int, channel_max: int, channels: int) -> None:
        share = [min(k / (layers - CRITICAL), 1.0) for k in range(layers + 1)]
        last, stop = resolution / 2, resolution / 2 * LAST_STOPBAND
        self.last = layers
        self.cutoffs = [FIRST_CUTOFF * (last / FIRST_CUTOFF) ** e for e in share]
        stopbands = [FIRST_STOPBAND * (stop / FIRST_STOPBAND) ** e for e in share]
        self.rates = [2 ** math.ceil(math.log2(min(2 * f, resolution))) for f in stopbands]
        self.halves = [max(f, s / 2) - c for f, s, c in zip(stopbands, self.rates, self.cutoffs, strict=True)]
        self.sizes = [*(rate + 2 * MARGIN for rate in self.rates[:-2]), resolution, resolution]
        wide = [max(1, round(min(channel_base / 2 / c, channel_max))) for c in self.cutoffs]
        self.widths = [*wide[:-1], channels]

    def _between(self, k: int) -> tuple[int, int, int]:
        """The layer before, and by how much layer k goes up for its leaky ReLU and down after it."""
        before = max(k - 1, 0)
        inside = max(self.rates[before], self.rates[k]) * (1 if k == self.last else 2)
        return before, inside // self.rates[before], inside // self.rates[k]

    def layer(self, k: int, kernel: int, clamp: float | None, radial: bool) -> dict[str, Any]:
        """What builds layer k of the generator that published files are read into."""
        before, up, down = self._between(k)
        rgb = k == self.last
        kernel, up_taps, down_taps = (1, 1, 1) if rgb else (kernel, TAPS * up, TAPS * down)
        total = (self.sizes[k] - 1) * down + 1 - (self.sizes[before] + kernel - 1) * up + up_taps + down_taps - 2
        low = (total + up) // 2
        taps = {"up_taps": [up_taps], "down_taps": [down_taps] * (2 if radial and not self._critical(k) else 1)}
        return {
            "name": f"L{k}_{self.sizes[k]}_{self.widths[k]}", "rgb": rgb,
            "in_channels": self.widths[before], "out_channels": self.widths[k], "conv_kernel": kernel,
            "up_factor": up, "down_factor": down, **({} if rgb else taps),
            "in_size": self.sizes[before], "out_size": self.sizes[k],
            "padding": [low, total - low] * 2, "conv_clamp": clamp,
        }  # fmt: skip

    def _critical(self, k: int) -> bool:
        return k >= self.last - CRITICAL

    def filters(self, k: int, radial: bool) -> tuple[Tensor, Tensor]:
        """The low-pass filters up and down of layer k."""
        before, up, down = self._between(k)
        inside = self.rates[before] * up
        round_one = radial and not self._critical(k)
        return (
            low_pass(TAPS * up, self.cutoffs[before], 2 * self.halves[before], inside),
            low_pass(TAPS * down, self.cutoffs[k], 2 * self.halves[k], inside, radial=round_one),
        )


def low_pass(taps: int, cutoff: float, width: float, rate: float, *, radial: bool = False) -> Tensor:
    """A Kaiser-windowed sinc (taps,), or jinc (taps, taps) if `radial`, its sum 1: appendix C.

    `width` of the transition band in the unit of `cutoff`; `rate` is the sampling rate.
    """
    ripple = 2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95  # dB that this width and length attain
    beta = 0.1102 * (ripple - 8.7) if ripple > 50 else 0.5842 * (ripple - 21) ** 0.4 + 0.07886 * (ripple - 21)
    with torch.device("cpu"):
        beta = beta if ripple > 21 else 0.0
        window = torch.kaiser_window(taps, periodic=False, beta=beta, dtype=torch.float64)
        x = (torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / rate
        if radial:
            r = torch.hypot(x[:, None], x[None])
            f = torch.special.bessel_j1(2 * cutoff * math.pi * r) / (math.pi * r) * torch.outer(window, window)
        else:
            f = torch.sinc(2 * cutoff * x) * window
        return torch.as_tensor(f / f.sum()).float()
