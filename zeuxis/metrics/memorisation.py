"""Does a generator copy its training set: nearer to training rows than to held-out rows of the same number?

Distance ratio: nearest training row against nearest held-out row, as in the three-sample test of Meehan, Chaudhuri and
Dasgupta 2020 (arXiv 2004.05675), here as plain shares and medians. AuthPct: Alaa et al. 2022 (arXiv 2102.08921),
section 3.3. A Frechet distance is perfect for copies; these are not.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.intervals import wilson
from zeuxis.metrics.neighbours import neighbours, radii
from zeuxis.metrics.rows import check_rows
from zeuxis.rng import stream


class Memorisation(NamedTuple):
    """`nearer` share of generated rows nearer to a training row than to any held-out one: about 0.5 without copying.

    `nearer_interval` Wilson's; `ratio` median distance to training rows over that to held-out rows: about 1 without,
    0 for copies; `copies` share at distance 0 from a training row.
    """

    nearer: float
    nearer_interval: tuple[float, float]
    ratio: float
    copies: float


class Nearest(NamedTuple):
    """Distance of each generated row `(N,)` to the nearest of all training rows, and to that of as many training and
    held-out rows.
    """

    all_train: Tensor
    train: Tensor
    held_out: Tensor


def distance_ratio(generated: Tensor, train: Tensor, held_out: Tensor, *, seed: int = 0) -> Memorisation:
    """Of features `(N, D)`, `(M, D)`, `(L, D)`; the larger of the two real sets is thinned to the smaller's number.

    Without that a generator would be nearer to the larger set for its number alone. A tie counts half.
    """
    return ratio_of(nearest_rows(generated, train, held_out, seed=seed))


def nearest_rows(
    generated: Tensor, train: Tensor, held_out: Tensor, *, seed: int = 0, to_train: Tensor | None = None
) -> Nearest:
    """What `distance_ratio` compares; `to_train` the distances to all training rows `(N,)`, where they are known."""
    check_rows({"generated": generated, "training": train, "held-out": held_out})
    count = min(len(train), len(held_out))

    def thinned(rows: Tensor) -> Tensor:
        """The distance to the nearest of `count` of them."""
        some = torch.randperm(len(rows), generator=stream(seed, "thin"))[:count].sort().values
        return neighbours(generated, rows[some], 1)[0][:, 0]

    near = neighbours(generated, train, 1)[0][:, 0] if to_train is None else to_train
    far = thinned(held_out) if len(held_out) > count else neighbours(generated, held_out, 1)[0][:, 0]
    return Nearest(near, thinned(train) if len(train) > count else near, far)


def ratio_of(found: Nearest) -> Memorisation:
    """BadInput where the held-out rows are copies of the generated ones."""
    near, far = found.train, found.held_out
    nearer = float(((near < far).double() + 0.5 * (near == far).double()).mean())
    apart = float(far.median())
    if apart == 0:
        raise BadInput("Expected held-out rows that the generated ones differ from, got copies of them. Check the set.")
    copies = float((found.all_train == 0).double().mean())
    return Memorisation(nearer, wilson(nearer, len(near)), float(near.median()) / apart, copies)


def authentic_share(generated: Tensor, train: Tensor) -> float:
    """AuthPct / 100: share of generated rows farther from their nearest training row than that is from its own nearest.

    Of features `(N, D)` and `(M, D)`. Copies give 0. An independent draw gives well below 1 where the rows are many or
    the dimension is high, so it is read beside the same figure of held-out real rows.
    """
    check_rows({"generated": generated, "training": train})
    check_rows({"training": train}, 2, "for the distance between two of them")
    near, where = neighbours(generated, train, 1)
    return float((near[:, 0] > radii(train, 1)[where[:, 0]]).double().mean())
