"""Spaces: what a search may breed. A space knows its prior, its bounds and what its genes mean.

A latent is one flat row of genes, float32 `(D,)`. Bounds are finite, so no search can run away; samples are
drawn on the CPU from the generator handed in, so the same seed gives the same latents on every device.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput


@runtime_checkable
class Space(Protocol):
    """`dim` genes between `lower` and `upper` (each `(D,)` float32, on the CPU)."""

    dim: int
    lower: Tensor
    upper: Tensor

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32 draws from the prior, on the CPU, inside the bounds."""
        ...

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, genes outside the bounds set to the nearest bound; stays on `x.device`."""
        ...

    def decode(self, x: Tensor) -> Any:
        """`(N, D)` -> what the network eats: a tensor, or a tuple of them for `Product`."""
        ...

    def describe(self, x: Tensor) -> str:
        """One latent `(D,)` in words, "" when the genes have no names."""
        ...


def check(space: Space, x: Tensor) -> Tensor:
    """`x` itself if it is a batch `(N, D)` of this space's latents, all of them numbers; else BadInput."""
    if x.ndim != 2 or x.shape[1] != space.dim:
        raise BadInput(
            f"Expected latents of shape (N, {space.dim}), the genes of {space!r}, got {tuple(x.shape)}. "
            "A single latent (D,) becomes a batch with x[None]."
        )
    bad = ~torch.isfinite(x).all(dim=1)
    if bool(bad.any()):
        rows = bad.nonzero().flatten().tolist()
        raise BadInput(
            f"Expected finite genes, got NaN or infinity in {len(rows)} of {len(x)} latents (first: row {rows[0]}). "
            "Look at the search or the file that they came from."
        )
    return x


class _Bounded:
    """What all spaces share: bounds and the clip into them."""

    def __init__(self, lower: Tensor, upper: Tensor) -> None:
        self.lower = lower.detach().to("cpu", torch.float32)
        self.upper = upper.detach().to("cpu", torch.float32)
        self.dim = len(self.lower)

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, genes outside the bounds set to the nearest bound."""
        return torch.minimum(torch.maximum(x, self.lower.to(x.device)), self.upper.to(x.device))

    def decode(self, x: Tensor) -> Tensor:
        """`(N, D)` as it is: the network eats the genes."""
        return x

    def describe(self, x: Tensor) -> str:
        """Nothing to say: these genes have no names."""
        return ""


class Normal(_Bounded):
    """N(0, 1) per gene, cut to `[-bound, bound]` by clipping (at the default 4, one gene in 16 000 is cut).

    `radius` limits the length of a latent to radius * sqrt(dim): a draw from the prior has length sqrt(dim), give or
    take 1 (the Gaussian annulus), and a longer latent is a place the network has never seen.
    """

    def __init__(self, dim: int, bound: float = 4.0, radius: float = math.inf) -> None:
        _positive(dim=dim, bound=bound)
        super().__init__(torch.full((dim,), -bound), torch.full((dim,), bound))
        self.bound, self.radius = bound, radius

    def __repr__(self) -> str:
        return f"Normal({self.dim}, bound={self.bound:g})"

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, into the box and the ball."""
        return shorten(super().clip(x), self.radius * math.sqrt(self.dim))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, standard normal."""
        return self.clip(torch.randn(count, self.dim, generator=rng))


class TruncatedNormal(_Bounded):
    """N(0, 1) per gene given that it lies in `[-bound, bound]`: exact, by the inverse of its distribution function.

    The truncation trick of Brock, Donahue and Simonyan, "Large scale GAN training" (2019), section 3.1.
    """

    def __init__(self, dim: int, bound: float = 2.0) -> None:
        _positive(dim=dim, bound=bound)
        super().__init__(torch.full((dim,), -bound), torch.full((dim,), bound))
        self.bound = bound

    def __repr__(self) -> str:
        return f"TruncatedNormal({self.dim}, bound={self.bound:g})"

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, truncated standard normal."""
        u = torch.rand(count, self.dim, generator=rng, dtype=torch.float64)
        # u = (F(x) - F(-b)) / (F(b) - F(-b)) with F(x) = (1 + erf(x / sqrt 2)) / 2, solved for x
        x = math.sqrt(2) * torch.erfinv((2 * u - 1) * math.erf(self.bound / math.sqrt(2)))
        return self.clip(x.float())


class ClassMix(_Bounded):
    """The class embedding of a conditional generator, searched along its principal axes.

    `embeddings` `(K, E)`, one row per label, on any device (a copy is kept on the CPU). Genes are coordinates about the
    mean, along the axes in which the labels differ most: a step of the prior's deviation in each gene then leads to an
    embedding like those of the labels, while the same step along raw dimensions leads where no label is. The prior is
    one label drawn uniformly; `blend` > 1 draws that many (uniformly, repeats allowed) and mixes them with weights
    uniform on the simplex; `jitter` adds normal noise, in deviations of each gene over the labels. Bounds are the box
    around all labels, widened on each side by `margin` times its width.

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
    ) -> None:
        if embeddings.ndim != 2 or len(labels) != len(embeddings) or not len(labels):
            raise BadInput(
                f"Expected embeddings (K, E) and K labels, got {tuple(embeddings.shape)} and {len(labels)} labels."
            )
        _positive(blend=blend)
        _positive(zero=True, jitter=jitter, margin=margin)
        self.embeddings = embeddings.detach().to("cpu", torch.float32).clone()
        if not bool(torch.isfinite(self.embeddings).all()):
            raise BadInput("Expected finite embeddings, got NaN or infinity. The weight file may be damaged.")
        self.labels = tuple(labels)
        self.blend = blend
        self.mean, self.axes = principal_axes(self.embeddings)  # (E,), (E, E)
        self.places = self.encode(self.embeddings)  # (K, E), the labels as genes
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
        return (embedding - self.mean.to(embedding.device)) @ self.axes.to(embedding.device)

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, E)` -> embeddings `(N, E)`."""
        return x @ self.axes.T.to(x.device) + self.mean.to(x.device)

    def clip(self, x: Tensor) -> Tensor:
        """`(N, E) -> (N, E)`, into the box, and within reach of the nearest label."""
        x = super().clip(x)
        if math.isinf(self.furthest):
            return x
        places = self.places.to(x.device)
        nearest = places[torch.cdist(x.detach(), places).argmin(dim=1)]  # (N, E)
        # A hair inside, so that what was clipped stays as it is when it is clipped again.
        way = x - nearest
        length = way.norm(dim=1, keepdim=True)
        near = nearest + way * (self.furthest * (1 - 1e-5) / length.clamp_min(1e-12))
        return torch.where(length > self.furthest, near, x)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, E)` float32: a label, or a convex mixture of `blend` of them, plus jitter."""
        chosen = torch.randint(len(self.labels), (count, self.blend), generator=rng)
        x = self.places[chosen]  # (N, blend, E)
        share = -torch.log1p(-torch.rand(count, self.blend, 1, generator=rng, dtype=torch.float64))  # exponential(1)
        share = (share + 1e-12) / (share + 1e-12).sum(dim=1, keepdim=True)  # normalised: uniform on the simplex
        mixed = (share.float() * x).sum(dim=1)  # -> (N, E)
        return self.clip(mixed + self.jitter * torch.randn(count, self.dim, generator=rng))

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


class Product:
    """Several spaces side by side: the genes of the first, then those of the second, ..."""

    def __init__(self, *spaces: Space) -> None:
        if not spaces:
            raise BadInput("Product() needs at least one space.")
        self.spaces = spaces
        self.sizes = tuple(space.dim for space in spaces)
        self.dim = sum(self.sizes)
        self.lower = torch.cat([space.lower for space in spaces])
        self.upper = torch.cat([space.upper for space in spaces])

    def __repr__(self) -> str:
        return f"Product({', '.join(map(repr, self.spaces))})"

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """`(..., D)` -> one `(..., D_i)` per space."""
        return tuple(torch.split(x, list(self.sizes), dim=-1))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, each space's prior in turn."""
        return torch.cat([space.sample(count, rng) for space in self.spaces], dim=1)

    def clip(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, D)`, each part into its own bounds."""
        parts = zip(self.spaces, self.split(x), strict=True)
        return torch.cat([space.clip(part) for space, part in parts], dim=-1)

    def decode(self, x: Tensor) -> tuple[Any, ...]:
        """`(N, D)` -> the tuple of what each space decodes to."""
        return tuple(space.decode(part) for space, part in zip(self.spaces, self.split(x), strict=True))

    def describe(self, x: Tensor) -> str:
        """What each space has to say, joined by "; "."""
        parts = zip(self.spaces, self.split(x), strict=True)
        return "; ".join(words for space, part in parts if (words := space.describe(part)))


@runtime_checkable
class HasClasses(Protocol):
    """A space in which each label has a place."""

    def one_of_each(self) -> Tensor:
        """`(K, D)`: each label alone."""
        ...


def class_sweep(space: Space, rng: torch.Generator) -> Tensor | None:
    """`(K, D)`: one latent for each label of a space, all else drawn from the prior; None where there are no labels."""
    parts = space.spaces if isinstance(space, Product) else (space,)
    labelled = [part for part in parts if isinstance(part, HasClasses)]
    if len(labelled) != 1:
        return None
    each = labelled[0].one_of_each()
    return torch.cat([each if part is labelled[0] else part.sample(len(each), rng) for part in parts], dim=1)


def room(space: Space) -> Tensor:
    """`(D,)`: how far a latent can go, in deviations of the prior: 1, or less for genes bound to the nearest label."""
    parts = space.spaces if isinstance(space, Product) else (space,)
    return torch.cat([torch.full((part.dim,), part.room if isinstance(part, ClassMix) else 1.0) for part in parts])


def shorten(x: Tensor, length: float) -> Tensor:
    """Rows `(N, D)` no longer than `length`; shorter ones keep every bit."""
    if math.isinf(length):
        return x
    norm = x.norm(dim=-1, keepdim=True)
    # A hair inside, so that what was shortened stays as it is when it is shortened again.
    return torch.where(norm > length, x * (length * (1 - 1e-6) / norm.clamp_min(1e-12)), x)


def principal_axes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean `(E,)` and orthonormal axes `(E, E)` (columns) of rows `(K, E)`, the widest first; signs made definite."""
    mean = rows.mean(dim=0)
    centred = (rows - mean).double()
    _, axes = torch.linalg.eigh(centred.T @ centred)  # (E, E), columns, the widest last
    axes = axes.flip(1)
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))  # (1, E)
    return mean, (axes * largest.sign()).float()


def nonnegative_fit(rows: Tensor, x: Tensor, most: int) -> Tensor:
    """Weights `(K,)`, none negative and at most `most` above zero, such that `weights @ rows` is near `x` `(E,)`.

    Greedy: the row that points best along what is still missing joins, then all that joined are fitted again by least
    squares and those that turn negative leave (Bruckstein, Elad and Zibulevsky, "On the uniqueness of nonnegative
    sparse solutions", 2008, section V; the refit is the inner loop of Lawson and Hanson's NNLS, 1974).
    """
    weights = rows.new_zeros(len(rows))
    length = rows.norm(dim=1).clamp_min(1e-12)
    active: list[int] = []
    for _ in range(most):
        missing = x - weights @ rows
        gain = rows @ missing / length
        gain[active] = 0.0
        best = int(gain.argmax())
        if gain[best] <= 1e-4 * x.norm():
            break
        active.append(best)
        weights, active = _refit(rows, x, active)
    return weights


def _refit(rows: Tensor, x: Tensor, active: list[int]) -> tuple[Tensor, list[int]]:
    """Least squares over the active rows, dropping negative ones until none is left."""
    weights = rows.new_zeros(len(rows))
    while active:
        fit = torch.linalg.lstsq(rows[active].T, x[:, None]).solution.flatten()
        if bool((fit > 0).all()):
            weights[active] = fit
            break
        active = [k for k, w in zip(active, fit.tolist(), strict=True) if w > 0]
    return weights, active


def _positive(zero: bool = False, **values: float) -> None:
    for name, value in values.items():
        if not (value >= 0 if zero else value > 0) or not math.isfinite(value):
            raise BadInput(f"Expected {name} {'>= 0' if zero else '> 0'}, got {value}.")
