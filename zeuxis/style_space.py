"""Spaces of class mixtures and of styles: what BigGAN's and StyleGAN's networks eat, as genes a search can breed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces import principal_axes


class SparseMix:
    """A mixture of at most `most` of K classes: one gene in [0, 1] per class, the largest few count.

    With g the (most + 1)-th largest gene, class k weighs max(0, x_k - g), normalised: a sparse, continuous map onto
    the simplex that reaches every single class. (A softmax over bits never leaves the average class.) The prior is one
    class near 1 above a floor of small genes, so one class holds about nine tenths.
    """

    def __init__(self, labels: tuple[str, ...], most: int = 3) -> None:
        if not labels or most < 1:
            raise BadInput("Expected at least one class to mix.")
        self.labels, self.most = tuple(labels), min(most, len(labels))
        self.dim = len(labels)
        self.lower, self.upper = torch.zeros(self.dim), torch.ones(self.dim)

    def __repr__(self) -> str:
        return f"SparseMix({self.dim} classes, most {self.most})"

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, K)` float32."""
        x = 0.5 * torch.rand(count, self.dim, generator=rng)
        chosen = torch.randint(self.dim, (count,), generator=rng)
        x[torch.arange(count), chosen] = 0.9 + 0.1 * torch.rand(count, generator=rng)
        return x

    def clip(self, x: Tensor) -> Tensor:
        """`(N, K)` with every gene in [0, 1]."""
        return x.clamp(0, 1)

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, K)` -> weights `(N, K)`, none negative, at most `most` above zero, summing to 1."""
        if self.dim == 1:
            return torch.ones_like(x)
        top = x.topk(min(self.most + 1, self.dim), dim=1)
        floor = top.values[:, -1:] if self.dim > self.most else torch.zeros_like(top.values[:, :1])
        above = (top.values - floor).clamp_min(0)[:, : self.most] + 1e-6
        above = above / above.sum(dim=1, keepdim=True)
        return torch.zeros_like(x).scatter(1, top.indices[:, : self.most], above)

    def one_of_each(self) -> Tensor:
        """`(K, K)`: each class alone, as high above the others as the prior draws it."""
        return torch.full((self.dim, self.dim), 0.25).fill_diagonal_(0.95)

    def describe(self, x: Tensor) -> str:
        """The parts over 5 %, e.g. "62 % Persian cat, 25 % lynx"."""
        weights = self.decode(x.detach().cpu().float()[None])[0].sort(descending=True)
        pairs = zip(weights.values[: self.most].tolist(), weights.indices[: self.most].tolist(), strict=True)
        return ", ".join(f"{100 * w:.0f} % {self.labels[k]}" for w, k in pairs if w >= 0.05)


class Whitened:
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
        self.dim = layers * self.width
        self.lower, self.upper = torch.full((self.dim,), -bound), torch.full((self.dim,), bound)

    def __repr__(self) -> str:
        return f"Whitened({self.width}, layers={self.layers})"

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, standard normal; for W+ three styles over coarse, middle and fine layers."""
        if self.layers == 1:
            return self.clip(torch.randn(count, self.dim, generator=rng))
        groups = [min(2, 3 * i // self.layers) for i in range(self.layers)]
        x = torch.randn(count, 3, self.width, generator=rng)[:, groups]
        return self.clip(x.reshape(count, self.dim))

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D)` into the box and, row by row, into the ball."""
        x = torch.minimum(torch.maximum(x, self.lower.to(x.device)), self.upper.to(x.device))
        rows, longest = x.reshape(-1, self.width), self.radius * math.sqrt(self.width)
        norm = rows.norm(dim=1, keepdim=True)
        # A hair inside, so that what was clipped stays as it is when it is clipped again.
        return torch.where(norm > longest, rows * (longest * (1 - 1e-5) / norm), rows).reshape(x.shape)

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, D)` -> styles `(N, layers, E)`."""
        rows = x.reshape(len(x), self.layers, self.width) * self.deviation.to(x.device)
        return rows @ self.axes.T.to(x.device) + self.mean.to(x.device)

    def encode(self, w: Tensor) -> Tensor:
        """Styles `(N, layers, E)` -> genes `(N, D)`; the inverse of `decode`."""
        rows = (w - self.mean.to(w.device)) @ self.axes.to(w.device) / self.deviation.to(w.device)
        return rows.reshape(len(w), self.dim)

    def describe(self, x: Tensor) -> str:
        """Nothing to say: these genes have no names."""
        return ""
