"""W and W+ of the StyleGANs, as genes a search can breed."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.algebra import principal_axes, shorten, shortened_deviation
from zeuxis.spaces.base import Bounded, Fixed


class Whitened(Bounded):
    """W of a StyleGAN, or W+: coordinates about the mean style along the principal axes of styles, in deviations.

    So the prior is N(0, 1) per gene by construction, and a latent as long as a draw from it is a plausible style (the
    norm prior): `clip` keeps each layer's row within radius * sqrt(E). Härkönen et al., "GANSpace" (2020) use the
    same axes; Abdal, Qin and Wonka, "Image2StyleGAN" (2019) introduced W+, one style per layer.

    `styles` `(M, E)` are mapped samples of the prior. `layers` 1 is W; more is W+: rows side by side. The prior of W+
    is one style for coarse, middle and fine layers each, so that children of a search differ per layer.
    """

    def __init__(self, styles: Tensor, layers: int = 1, radius: float = 1.0, bound: float = 4.0) -> None:
        if styles.ndim != 2 or len(styles) < 2 or layers < 1:
            raise BadInput(f"Expected styles (M, E) and at least one layer, got {tuple(styles.shape)} and {layers}.")
        styles = styles.detach().to("cpu", torch.float32)
        self.layers, self.radius, self.width = layers, radius, styles.shape[1]
        self.mean, self.axes = principal_axes(styles)  # (E,), (E, E)
        self.deviation = ((styles - self.mean) @ self.axes).std(dim=0).clamp_min(1e-6)  # (E,)
        self._turn = Fixed(self.mean, self.axes, self.deviation)
        most = torch.full((layers * self.width,), bound)
        super().__init__(-most, most)

    def __repr__(self) -> str:
        return f"Whitened({self.width}, layers={self.layers})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`: 0 by symmetry."""
        return torch.zeros(self.dim)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`: a little under 1, since rows that are too long are shortened."""
        return torch.full((self.dim,), shortened_deviation(self.width, self.radius))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, standard normal; for W+ three styles over coarse, middle and fine layers."""
        if self.layers == 1:
            return self.clip(torch.randn(count, self.dim, generator=rng))
        groups = [min(2, 3 * i // self.layers) for i in range(self.layers)]
        x = torch.randn(count, 3, self.width, generator=rng)[:, groups]
        return self.clip(x.reshape(count, self.dim))

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D)` into the box and, row by row, into the ball."""
        rows = super().clip(x).reshape(-1, self.width)
        return shorten(rows, self.radius * math.sqrt(self.width), hair=1e-5).reshape(x.shape)

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, D)` -> styles `(N, layers, E)`."""
        mean, axes, deviation = self._turn.on(x.device)
        return x.reshape(len(x), self.layers, self.width) * deviation @ axes.T + mean

    def encode(self, w: Tensor) -> Tensor:
        """Styles `(N, layers, E)` -> genes `(N, D)`; the inverse of `decode`."""
        mean, axes, deviation = self._turn.on(w.device)
        return ((w - mean) @ axes / deviation).reshape(len(w), self.dim)
