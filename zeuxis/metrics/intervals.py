"""Intervals beside values: bootstrap of a mean, parts of the sets for everything else, Wilson's for a share.

A distance between sets cannot be bootstrapped: rows drawn twice lie at distance 0 from themselves and make covariances
smaller. Parts drawn without replacement have no repeated row, and by the delete-d jackknife (Shao and Wu 1989, Annals
of Statistics 17, p. 1176) the deviation of a smooth statistic over parts of a share f of the rows, times
sqrt(f / (1 - f)), estimates that over whole sets: over halves it is that deviation itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows
from zeuxis.rng import stream

Z = 1.96  # 95 % of a normal distribution
FEW = 10  # runs, up to which a bootstrap is too narrow
DRAWN = 2**18  # values drawn together for a bootstrap
T = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448),
    *(2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484),
    *(2.0452, 2.0423, Z),
)  # the same of Student's t with 1 to 30 degrees of freedom; more are taken as normal


def wilson(share: float, count: int, z: float = Z) -> tuple[float, float]:
    """95 % interval of a share of `count` independent trials (Wilson 1927), within 0 and 1."""
    if count < 1 or not 0 <= share <= 1:
        raise BadInput(f"Expected a share from 0 to 1 of at least one trial, got {share} of {count}.")
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def student(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of a few independent values and its 95 % interval by Student's t (1908); of one value that value thrice.

    For seeds: with two to ten of them a bootstrap is too narrow.
    """
    x = torch.tensor(list(values), dtype=torch.float64)
    check_rows({"value": x[:, None]})
    mean = float(x.mean())
    if len(x) < 2:
        return mean, mean, mean
    half = T[min(len(x) - 2, len(T) - 1)] * float(x.std()) / math.sqrt(len(x))
    return mean, mean - half, mean + half


def of_runs(values: Sequence[float], *, within: tuple[float, float] | None = None) -> tuple[float, float] | None:
    """95 % interval of the mean of a value each run: Student's t for up to ten runs, else bootstrap; None for one.

    `within` are the bounds of the value, where it has any: (0, 1) of a share, (-1, 1) of a difference of two.
    """
    if len(values) < 2:
        return None
    few = len(values) <= FEW
    low, high = student(values)[1:] if few else bootstrap(torch.tensor(list(values), dtype=torch.float64))
    return (max(within[0], low), min(within[1], high)) if within else (low, high)


def ratio_of_runs(above: Sequence[float], below: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of mean(above) / mean(below), pairs of a run: Student's t of the delete-one jackknife.

    None for fewer than three runs, or where a mean below is not above zero without any one of them. Tukey 1958, Annals
    of Mathematical Statistics 29, p. 614.
    """
    count = len(above)
    x, y = (torch.tensor(list(values), dtype=torch.float64) for values in (above, below))
    if count < 3 or bool((y.sum() - y <= 0).any()):
        return None
    value, without = float(x.sum() / y.sum()), (x.sum() - x) / (y.sum() - y)
    deviation = math.sqrt((count - 1) / count * float((without - without.mean()).square().sum()))
    half = T[min(count - 2, len(T) - 1)] * deviation
    return value - half, value + half


def bootstrap(values: Tensor, *, draws: int = 1000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean of independent values `(N,)` (Efron 1979)."""
    check_rows({"value": values[:, None] if values.ndim == 1 else values})
    if draws < 20 or not 0 < level < 1:
        raise BadInput(f"Expected at least 20 draws and a level between 0 and 1, got {draws} and {level}.")
    rng, x = stream(seed, "bootstrap"), values.double()
    at_once = max(1, DRAWN // len(x))
    means = torch.cat([x[torch.randint(0, len(x), (min(at_once, draws - k), len(x)), generator=rng)].mean(1)
                       for k in range(0, draws, at_once)])  # fmt: skip
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64))
    return float(low), float(high)


def parts(count: int, draws: int, seed: int = 0, share: float = 0.5) -> Iterator[Tensor]:
    """`draws` random parts of the rows 0 to `count` - 1, of `share` of them (at most half), each without repetition."""
    for index in range(draws):
        yield torch.randperm(count, generator=stream(seed, "part", index))[: int(count * min(share, 0.5))]


def around(value: float, of_parts: Sequence[float], share: float = 0.5, z: float = Z) -> tuple[float, float] | None:
    """95 % interval about `value` from the same statistic of parts; None for fewer than two of them.

    The bias that comes with fewer rows shifts all parts alike and so does not widen it.
    """
    found = torch.tensor([x for x in of_parts if math.isfinite(x)], dtype=torch.float64)
    if len(found) < 2 or not math.isfinite(value):
        return None
    half = z * float(found.std()) * math.sqrt(share / (1 - share))
    return value - half, value + half
