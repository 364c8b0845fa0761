"""A gene for each class, of which the largest few count: for generators that take weights of classes."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.base import Bounded


class SparseMix(Bounded):
    """A mixture of at most `most` of K classes: one gene in [0, 1] per class, the largest few count.

    With g the (most + 1)-th largest gene, class k weighs max(0, x_k - g), normalised: a sparse, continuous map onto
    the simplex that reaches every single class. (A softmax over bits never leaves the average class.) The prior is one
    class near 1 above a floor of small genes, so one class holds about nine tenths.
    """

    def __init__(self, labels: tuple[str, ...], most: int = 3) -> None:
        if not labels or most < 1:
            raise BadInput("Expected at least one class to mix.")
        self.labels, self.most = tuple(labels), min(most, len(labels))
        super().__init__(torch.zeros(len(labels)), torch.ones(len(labels)))

    def __repr__(self) -> str:
        return f"SparseMix({self.dim} classes, most {self.most})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(K,)`: a gene is uniform in [0.9, 1] once in K times, else in [0, 0.5]."""
        one = 1 / self.dim
        return torch.full((self.dim,), one * 0.95 + (1 - one) * 0.25)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(K,)`, of that mixture of two uniform distributions."""
        one = 1 / self.dim
        variance = (one * 0.1**2 + (1 - one) * 0.5**2) / 12 + one * (1 - one) * 0.7**2
        return torch.full((self.dim,), math.sqrt(variance))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, K)` float32."""
        x = 0.5 * torch.rand(count, self.dim, generator=rng)
        chosen = torch.randint(self.dim, (count,), generator=rng)
        x[torch.arange(count), chosen] = 0.9 + 0.1 * torch.rand(count, generator=rng)
        return x

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
