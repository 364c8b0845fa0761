"""The class embedding of a conditional generator, near the labels that it was trained on."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.algebra import nonnegative_fit, principal_axes
from zeuxis.spaces.base import Bounded, Fixed, positive


class ClassMix(Bounded):
    """The class embedding of a conditional generator, searched along its principal axes.

    `embeddings` `(K, E)`, one row per label, on any device (a copy is kept on the CPU). Genes are coordinates about the
    mean, along the axes in which the labels differ most: a step of the prior's deviation in each gene then leads to an
    embedding like those of the labels, while the same step along raw dimensions leads where no label is. The prior is
    one label, drawn uniformly or in proportion to `shares` `(K,)`; `blend` > 1 draws that many (repeats allowed) and
    mixes them with weights uniform on the simplex; `jitter` adds normal noise, in deviations of each gene over the
    labels. Bounds are the box around all labels, widened on each side by `margin` times its width.

    In many dimensions that box is nearly all corners, where no label is and the network draws nothing. So `reach`
    bounds the way from the nearest label as well, in units of the median distance of a label to its nearest other:
    at 1 a latent can get from a label to its neighbours and no further from all of them.
    """

    def __init__(
        self,
        embeddings: Tensor,
        labels: tuple[str, ...],
        *,
        blend: int = 1,
        jitter: float = 0.0,
        margin: float = 0.1,
        reach: float = math.inf,
        shares: Tensor | None = None,
    ) -> None:
        if embeddings.ndim != 2 or len(labels) != len(embeddings) or not len(labels):
            raise BadInput(
                f"Expected embeddings (K, E) and K labels, got {tuple(embeddings.shape)} and {len(labels)} labels."
            )
        positive(blend=blend)
        positive(zero=True, jitter=jitter, margin=margin)
        self.embeddings = embeddings.detach().to("cpu", torch.float32).clone()
        if not bool(torch.isfinite(self.embeddings).all()):
            raise BadInput("Expected finite embeddings, got NaN or infinity. The weight file may be damaged.")
        if shares is not None and (len(shares) != len(labels) or not bool((shares > 0).all())):
            raise BadInput(f"Expected {len(labels)} shares above 0, one for each label.")
        self.labels = tuple(labels)
        self.blend, self.shares = blend, shares
        self.mean, self.axes = principal_axes(self.embeddings)  # (E,), (E, E)
        self._turn = Fixed(self.mean, self.axes)
        self.places = self.encode(self.embeddings)  # (K, E), the labels as genes
        self._places = Fixed(self.places)
        self.jitter = jitter * self.places.std(dim=0, correction=0)  # (E,)
        low, high = self.places.amin(dim=0), self.places.amax(dim=0)
        self.furthest = math.inf  # from the nearest label
        if math.isfinite(reach) and len(labels) > 1:
            between = torch.cdist(self.places, self.places).fill_diagonal_(math.inf)
            self.furthest = reach * float(between.amin(dim=1).median())
        super().__init__(low - margin * (high - low), high + margin * (high - low))

    def __repr__(self) -> str:
        return f"ClassMix({len(self.labels)} labels, {self.dim})"

    def encode(self, embedding: Tensor) -> Tensor:
        """Embeddings `(N, E)` -> genes `(N, E)`; `decode` is the inverse."""
        mean, axes = self._turn.on(embedding.device)
        return (embedding - mean) @ axes

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, E)` -> embeddings `(N, E)`."""
        mean, axes = self._turn.on(x.device)
        return x @ axes.T + mean

    def clip(self, x: Tensor) -> Tensor:
        """`(N, E) -> (N, E)`, into the box, and within reach of the nearest label."""
        return self.near(x)

    def near(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """`(N, E) -> (N, E)`, into the box, within reach of the nearest label, or of those that `rows` `(K,)` marks."""
        x = super().clip(x)
        if math.isinf(self.furthest):
            return x
        (places,) = self._places.on(x.device)
        places = places if rows is None else places[rows.to(x.device)]
        nearest = places[torch.cdist(x.detach(), places).argmin(dim=1)]  # (N, E)
        # A hair inside, so that what was clipped stays as it is when it is clipped again.
        way = x - nearest
        length = way.norm(dim=1, keepdim=True)
        near = nearest + way * (self.furthest * (1 - 1e-5) / length.clamp_min(1e-12))
        return torch.where(length > self.furthest, near, x)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, E)` float32: a label, or a convex mixture of `blend` of them, plus jitter."""
        if self.shares is None:
            chosen = torch.randint(len(self.labels), (count, self.blend), generator=rng)
        else:
            reached = (self.shares.double() / self.shares.sum()).cumsum(0)  # torch.multinomial cannot draw none
            drawn = torch.rand(count, self.blend, generator=rng, dtype=torch.float64)
            chosen = torch.searchsorted(reached, drawn).clamp(max=len(self.labels) - 1)
        x = self.places[chosen]  # (N, blend, E)
        share = -torch.log1p(-torch.rand(count, self.blend, 1, generator=rng, dtype=torch.float64))  # exponential(1)
        share = (share + 1e-12) / (share + 1e-12).sum(dim=1, keepdim=True)  # normalised: uniform on the simplex
        mixed = (share.float() * x).sum(dim=1)  # -> (N, E)
        return self.clip(mixed + self.jitter * torch.randn(count, self.dim, generator=rng))

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(E,)`, the mean of the labels by their shares; measured where labels are mixed or moved."""
        return self._weights @ self.places if self._plain else super().prior_mean

    @cached_property
    def prior_std(self) -> Tensor:
        """`(E,)`, the deviation of the labels by their shares; measured where labels are mixed or moved."""
        if not self._plain:
            return super().prior_std
        return (self._weights @ (self.places - self.prior_mean).square()).sqrt()

    @property
    def _plain(self) -> bool:
        """Whether a draw is one label, as it is."""
        return self.blend == 1 and not bool(self.jitter.any())

    @property
    def _weights(self) -> Tensor:
        shares = torch.ones(len(self.labels)) if self.shares is None else self.shares.float().cpu()
        return shares / shares.sum()

    def one_of_each(self) -> Tensor:
        """`(K, E)`: each label alone."""
        return self.clip(self.places)

    @property
    def room(self) -> float:
        """The way to go from a label over the deviation of all labels, 1 at most."""
        return min(1.0, self.furthest / float(self.places.var(dim=0, correction=0).sum().sqrt().clamp_min(1e-12)))

    def weights(self, x: Tensor, most: int = 8) -> Tensor:
        """The mixture that one latent `(E,)` is: weights `(K,)` float64, none negative, at most `most` above zero."""
        embedding = self.decode(x.detach().cpu().float()).double()
        return nonnegative_fit(self.embeddings.double(), embedding, most)

    def describe(self, x: Tensor) -> str:
        """The three largest parts over 5 %, e.g. "62 % fire truck, 25 % bus"."""
        weights = self.weights(x)
        share = weights / weights.sum().clamp_min(1.0)
        top = share.sort(descending=True, stable=True)
        pairs = [(float(w), self.labels[int(k)]) for w, k in zip(top.values[:3], top.indices[:3], strict=True)]
        return ", ".join(f"{100 * w:.0f} % {label}" for w, label in pairs if w >= 0.05)
