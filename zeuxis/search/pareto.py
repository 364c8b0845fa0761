"""Pareto fronts: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6 (2002), https://doi.org/10.1109/4235.996017

Objectives are the columns of `(N, M)`, and all of them are maximised. A row of -inf is a candidate that could not be
judged: every other row dominates it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class HasFront(Protocol):
    """A search with several objectives. `pick` says how `best` is taken from the front."""

    population_objectives: Tensor  # (N, M), of the rows of `population_x`
    pick: str

    @property
    def front(self) -> Tensor:
        """`(K,)` rows of `population_x` that no other row dominates, from the best in the first objective on."""
        ...


def objectives(parts: Mapping[str, Tensor], score: Tensor) -> Tensor:
    """`(N, M)`, a column for each part of a score `(N,)`; with less than two parts the score alone.

    A row with any number that is not finite, the score's among them, becomes -inf.
    """
    columns = list(parts.values()) if len(parts) > 1 else [score]
    f = torch.stack([column.detach().to(score) for column in columns], dim=1)
    lost = ~(f.isfinite().all(dim=1) & score.isfinite())
    return f.masked_fill(lost[:, None], -torch.inf)


def dominance(f: Tensor) -> Tensor:
    """`(N, N)` bool, row i dominates row j: nowhere worse and somewhere better. Section III-A."""
    no_worse = torch.ones(len(f), len(f), dtype=torch.bool, device=f.device)
    for column in f.T:
        no_worse &= column[:, None] >= column
    return no_worse & ~no_worse.T


def ranks(f: Tensor, enough: int | None = None) -> Tensor:
    """Number of the front of each row `(N,)` int64: 0 not dominated, 1 dominated by front 0 only, ... Section III-A.

    Sorting ends when `enough` rows have a front; all others then share the next number.
    """
    if f.shape[1] == 1:  # as many fronts as values: counting dominators would take as many steps
        rank: Tensor = torch.unique(-f[:, 0], return_inverse=True)[1]
        return rank
    dominates = dominance(f).float()
    rank = torch.zeros(len(f), dtype=torch.int64, device=f.device)
    left = torch.ones(len(f), device=f.device)  # 1 while without a front
    while float(left.sum()) > len(f) - (len(f) if enough is None else enough):
        left = left * (left @ dominates > 0)  # those that one of the rest dominates
        rank += left.long()
    return rank


def crowding(f: Tensor, rank: Tensor) -> Tensor:
    """`(N,)`: sum over the objectives of the gap between a row's neighbours in its front. Section III-B.

    In units of the front's width; infinite at both ends of an objective. An objective in which all agree says nothing.
    """
    distance = torch.zeros(len(f), device=f.device)
    for column in f.T:
        order = column.argsort(stable=True)
        order = order[rank[order].argsort(stable=True)]  # front by front, each from low to high
        value, front = column[order], rank[order]
        first = front != front.roll(1)
        first[0] = True
        last = first.roll(-1)
        width = (value[last] - value[first])[first.cumsum(0) - 1]  # (N,), NaN where all are -inf
        gap = ((value.roll(-1) - value.roll(1)) / width).masked_fill(first | last, torch.inf)
        distance[order] += torch.where(width > 0, gap, 0.0)
    return distance


def crowded_order(f: Tensor, rank: Tensor) -> Tensor:
    """`(N,)` indices, the fittest first: lower front, then more room (the crowded comparison). Section III-B."""
    order = crowding(f, rank).argsort(descending=True, stable=True)
    return order[rank[order].argsort(stable=True)]


def front_of(f: Tensor) -> Tensor:
    """`(K,)` indices of the finite rows that none dominates, from the best in the first objective to the worst."""
    on = (~dominance(f).any(dim=0) & f.isfinite().all(dim=1)).nonzero().flatten()
    return on[f[on, 0].argsort(descending=True, stable=True)]


def knee(f: Tensor) -> int:
    """The row of a front `(K, M)` where it bulges most: farthest beyond the plane through its extremes.

    Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection", Structural
    Optimization 18 (1999), https://doi.org/10.1007/BF01195985 . With every objective from 0 (its worst on the front) to
    1 (its best) that plane is sum = 1, so the farthest row is the one with the largest sum. Where nothing bulges, as on
    a hollow front or with two rows, it is the end that is best in the first objective.
    """
    low, high = f.amin(dim=0), f.amax(dim=0)
    width = high - low
    beyond = ((f - low) / torch.where(width > 0, width, 1.0)).sum(dim=1)
    return int(torch.where(beyond == beyond.max(), f[:, 0], -torch.inf).argmax())
