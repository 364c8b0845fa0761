"""What is bred by hand: latents, one for each group of layers, and the operators on them.

A genome is float32 `(G, D)`. A generator without styles has one group, and its genome is one latent. One with styles
has up to three, "coarse", "middle" and "fine" (Karras et al., "A style-based generator architecture", 2019, section
3.1): the styles of each group's layers come from that group's latent, so that the groups can be mixed and locked.
Random numbers come from the CPU generator handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator, layer_sizes
from zeuxis.spaces import ClassMix, Normal, Space, TruncatedNormal, Whitened, parts
from zeuxis.tools.mixing import GROUPS

CLASS = "class"
SUBTLE, STRONG = 0.05, 1.0  # the ends of the slider


@dataclass(frozen=True)
class Variation:
    """Operators on genomes of one generator. `groups` names the rows of a genome, `locks` what can be kept as it is.

    `kinds` are those of its labels, "type" and "colour" say, as `LabGenerator.label_kinds` gives them.
    """

    space: Space
    groups: tuple[str, ...] = ("",)
    kinds: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, generator: Generator) -> Variation:
        """The groups are those that have layers in this generator."""
        sizes = layer_sizes(generator)
        found = tuple(name for name, (low, high) in GROUPS.items() if any(low <= size <= high for size in sizes))
        mixes = any(isinstance(part, ClassMix) for part in parts(generator.space))
        kinds = generator.label_kinds() if mixes and hasattr(generator, "label_kinds") else {}
        return cls(generator.space, found if len(found) > 1 else ("",), kinds)

    @property
    def locks(self) -> tuple[str, ...]:
        """Parts that can be locked: the class, each kind of label, and groups of layers where there are several."""
        kinds = (name for name in self.kinds if name != CLASS)  # one called so would be lost in the whole
        labelled = (CLASS, *kinds) if any(not _is_noise(part) for part in parts(self.space)) else ()
        return labelled + (self.groups if len(self.groups) > 1 else ())

    def draws(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, G, D)`: draws of the prior, the same latent in every group."""
        return self.space.sample(count, rng)[:, None].repeat(1, len(self.groups), 1)

    def of_latents(self, x: Tensor) -> Tensor:
        """Latents `(N, D)` -> genomes `(N, G, D)`."""
        return x.detach().cpu().to(torch.float32)[:, None].repeat(1, len(self.groups), 1)

    def mutate(self, genome: Tensor, strength: float, rng: torch.Generator, locks: Sequence[str] = ()) -> Tensor:
        """A child `(G, D)` of one parent; `strength` in [0, 1].

        Noise: child = mean + sqrt(1 - s^2) (parent - mean) + s draw, which keeps the prior (Neal, "Regression and
        classification using Gaussian process priors", 1998, Eq. 15). A class moves by s^2 of the way to a draw, and
        only in a share s of the children: half a way between two classes shows neither.
        """
        s = min(max(float(strength), 0.0), 1.0)
        drawn = self.space.sample(1, rng)[0]
        moves = bool(torch.rand((), generator=rng) < s)
        child = genome.clone()
        for part, at in self._parts():
            if _is_noise(part):
                mean = part.prior_mean
                child[:, at] = mean + (1 - s * s) ** 0.5 * (genome[:, at] - mean) + s * drawn[at]
            elif moves:
                child[:, at] = torch.lerp(genome[:, at], drawn[at].expand_as(genome[:, at]), s * s)
        return self.locked(self._clipped(child), genome, locks)

    def cross(self, a: Tensor, b: Tensor, rng: torch.Generator, locks: Sequence[str] = ()) -> Tensor:
        """A child of two parents: each gene of the noise from one of them (uniform crossover, Syswerda 1989), the
        class of one of them or between both. What is locked is the first parent's.
        """
        share = 0.25 + 0.5 * torch.rand((), generator=rng)
        child = a.clone()
        for part, at in self._parts():
            if _is_noise(part):
                mask = torch.rand(a[:1, at].shape, generator=rng) < share  # the same genes in all groups
                child[:, at] = torch.where(mask, b[:, at], a[:, at])
            else:
                child[:, at] = torch.lerp(a[:, at], b[:, at], float(torch.randint(3, (), generator=rng)) / 2)
        return self.locked(self._clipped(child), a, locks)

    def mix_styles(self, a: Tensor, b: Tensor, rng: torch.Generator, locks: Sequence[str] = ()) -> Tensor:
        """A child of two: one group of layers of `b`, all else of `a`. BadInput without groups, or with all locked."""
        free = [row for row, name in enumerate(self.groups) if name not in locks]
        if len(self.groups) < 2 or not free:
            why = "all its groups of layers are locked" if free == [] and len(self.groups) > 1 else "it has no styles"
            raise BadInput(f"Style mixing needs a generator with layers to exchange, but {why}. Cross them instead.")
        child = a.clone()
        row = free[int(torch.randint(len(free), (), generator=rng))]
        child[row] = b[row]
        return self.locked(child, a, locks)

    def on_plane(self, a: Tensor, b: Tensor, c: Tensor, u: float, v: float, locks: Sequence[str] = ()) -> Tensor:
        """The genome `(G, D)` at (u, v) of the plane on which (0, 0) is `a`, (1, 0) is `b` and (0, 1) is `c`.

        Noise goes from `a` along great circles, by the exponential map of the sphere, and its length is mixed of the
        three and never beyond them, so that it stays one of the prior. A class is mixed of the three too, with shares
        of u and v where those are above 0. What is locked is that of `a`.
        """
        left, down = max(u, 0.0), max(v, 0.0)
        whole = max(1.0, left + down)
        point = a + left / whole * (b - a) + down / whole * (c - a)
        for part, at in self._parts():
            if _is_noise(part):
                mean = part.prior_mean
                x, y, z = (one[:, at] - mean for one in (a, b, c))
                rows = [_on_sphere(x[k], y[k], z[k], u, v) for k in range(len(a))]
                point[:, at] = mean + torch.stack(rows)
        return self.locked(self._clipped(point), a, locks)

    def locked(self, child: Tensor, parent: Tensor, locks: Sequence[str]) -> Tensor:
        """The child with its parent's locked parts."""
        child = child.clone()
        for row, name in enumerate(self.groups):
            if name in locks:
                child[row] = parent[row]
        for part, at in self._parts():
            if CLASS in locks and not _is_noise(part):
                child[:, at] = parent[:, at]
            elif isinstance(part, ClassMix):
                for kind in (name for name in self.kinds if name in locks):
                    rows = [self._kept(part, kind, child[k, at], parent[k, at]) for k in range(len(child))]
                    child[:, at] = torch.stack(rows)
        return child

    def _kept(self, part: ClassMix, kind: str, child: Tensor, parent: Tensor) -> Tensor:
        """Genes of labels `(E,)`: those of `child`, with the parent's mixture of one kind of label in place of its own.

        An embedding is the sum of its kinds' parts, so one is exchanged for the other; then it is brought within reach
        of a row that has the label of this kind that weighs most in the parent.
        """
        if torch.equal(child, parent):
            return child
        labels, vectors = self.kinds[kind]
        of_child, of_parent = (w / w.sum().clamp_min(1e-9) for w in (part.weights(child), part.weights(parent)))
        moved = part.decode(child[None]) + ((of_parent - of_child) @ vectors.double()).float()
        shares = torch.zeros(int(labels.max()) + 1, dtype=torch.float64).index_add_(0, labels, of_parent)
        return part.near(part.encode(moved), labels == shares.argmax())[0]

    def _clipped(self, genome: Tensor) -> Tensor:
        return self.space.clip(genome)

    def _parts(self) -> list[tuple[Space, slice]]:
        found, start = [], 0
        for part in parts(self.space):
            found.append((part, slice(start, start + part.dim)))
            start += part.dim
        return found


def is_latent(genome: Tensor) -> bool:
    """Whether a genome `(G, D)` is one latent: then its picture can be drawn from it alone."""
    return bool((genome == genome[:1]).all())


def group_of_layers(generator: Any, groups: Sequence[str]) -> list[int]:
    """For each style the row of the genome that it is taken from."""
    bounds = [GROUPS[name] for name in groups]
    rows = []
    for size in layer_sizes(generator):
        inside = [row for row, (low, high) in enumerate(bounds) if low <= size <= high]
        rows.append(inside[0] if inside else len(groups) - 1)
    return rows


def _is_noise(part: Space) -> bool:
    return isinstance(part, Normal | TruncatedNormal | Whitened)


def _on_sphere(a: Tensor, b: Tensor, c: Tensor, u: float, v: float) -> Tensor:
    """exp_a(u log_a(b) + v log_a(c)) of directions `(D,)`, at a length between those of the three; in float64."""
    x, y, z = a.double(), b.double(), c.double()
    lengths = torch.stack([x.norm(), y.norm(), z.norm()])
    if float(lengths.min()) < 1e-9:  # no direction: a straight line
        return torch.lerp(a, b, u) + v * (c - a)
    unit = x / lengths[0]
    way = u * _toward(unit, y / lengths[1]) + v * _toward(unit, z / lengths[2])
    angle = way.norm()
    length = lengths[0] + u * (lengths[1] - lengths[0]) + v * (lengths[2] - lengths[0])
    length = length.clamp(lengths.min(), lengths.max())
    there = unit * angle.cos() + way * torch.sinc(angle / torch.pi)  # sin(t) / t
    point: Tensor = length * there / there.norm()
    return point.to(a.dtype)


def _toward(unit: Tensor, other: Tensor) -> Tensor:
    """log_unit(other) of two unit vectors: the way along the sphere, as long as its angle; 0 where none is shortest."""
    across = other - (other @ unit) * unit
    sine = across.norm()
    return across * (torch.atan2(sine, other @ unit) / sine) if float(sine) > 1e-9 else torch.zeros_like(unit)
