"""Clipped Density and Clipped Coverage (Salvy, Talbot and Thirion 2025, arXiv 2507.01761): shares of good pictures.

As density and coverage, but no row counts for more than one: the contribution of a generated row, and of a real ball,
is clipped at k neighbours, and radii are clipped at their median for density. Both are then calibrated to fall
linearly with the share of bad pictures: density by division by the value of the real rows themselves (each among the
others), coverage by inverting what is expected when only m of N generated rows are good.

The definition follows the paper and its authors' public program; the code here is written anew. The expectation is
computed in closed form for every m from 0 on; the authors' program leaves it at 0 below m = k, and takes the next whole
m where this one interpolates between two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.intervals import Z
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.metrics.rows import check_rows


class Clipped(NamedTuple):
    """Each in [0, 1], to be read as a share of good pictures (density) and of covered reality (coverage).

    95 % intervals are of the mean contribution, of the generated rows for density and of the real ones for coverage,
    the other set held fixed, and calibrated like the values.
    """

    density: float
    coverage: float
    density_interval: tuple[float, float]
    coverage_interval: tuple[float, float]


def clipped_density_coverage(generated: Tensor, real: Tensor, *, k: int = 5) -> Clipped:
    """Of features `(N, D)` and `(M, D)`, in float64; `k` neighbours, the row itself not counted."""
    if k < 1:
        raise BadInput(f"Expected at least 1 neighbour, got k = {k}.")
    check_rows({"generated": generated, "real": real})
    check_rows({"real": real}, k + 1, f"for the distance to neighbour {k}")
    reach = radii(real, k)
    short = clipped_radii(reach)
    own = inside(real, real, short)[0] - 1  # in its own ball every row is
    return calibrated(inside(generated, real, short)[0], inside(generated, real, reach)[1], own, k)


def clipped_radii(reach: Tensor) -> Tensor:
    """Radii `(M,)`, none above their median."""
    middle = reach.sort().values
    return reach.clamp(max=(middle[(len(middle) - 1) // 2] + middle[len(middle) // 2]) / 2)  # of an even number too


def calibrated(in_short: Tensor, held: Tensor, own: Tensor, k: int) -> Clipped:
    """From counts: in how many clipped balls each generated row lies `(N,)` and each real row but its own `(M,)`, and
    how many generated rows each whole ball holds `(M,)`.
    """
    ideal = _mean(own, k)[0]
    density = [min(max(x / ideal, 0.0), 1.0) if ideal else 0.0 for x in _mean(in_short, k)]
    table = expected_coverage(len(in_short), len(held), k)
    coverage = [share_of_good(x, table) for x in _mean(held, k)]
    return Clipped(density[0], coverage[0], (density[1], density[2]), (coverage[1], coverage[2]))


def expected_coverage(good: int, real: int, k: int) -> Tensor:
    """Clipped coverage before calibration, expected with m = 0 to `good` rows of the real distribution: `(good + 1,)`.

    The mass in a ball that reaches to the k-th of `real` - 1 others is Beta(k, real - k), whatever the distribution;
    so the number J of m rows in it is beta-binomial, and f(m) = E min(J, k) / k = 1 - sum_{j < k} (k - j) P(J = j) / k.
    """
    if not 1 <= k < real or good < 0:
        raise BadInput(f"Expected 1 <= k < {real} real rows and no negative number of good ones, got {k} and {good}.")
    m = torch.arange(good + 1, dtype=torch.float64)
    missing = torch.zeros_like(m)
    for j in range(k):
        fits = m >= j
        n = m.clamp(min=j)
        choose = torch.lgamma(n + 1) - torch.lgamma(n - j + 1) - torch.lgamma(torch.tensor(j + 1.0).double())
        log_p = choose + _log_beta(k + j, real - k + n - j) - _log_beta(k, torch.tensor(float(real - k)).double())
        missing += torch.where(fits, (k - j) * log_p.exp(), 0.0)
    return (1 - missing / k).clamp(0, 1)


def share_of_good(raw: float, table: Tensor) -> float:
    """The share m / N at which `table` `(N + 1,)` expects `raw`, between whole m by a straight line; 1 at most."""
    generated = len(table) - 1
    upper = int(torch.searchsorted(table, torch.tensor(raw).double()))
    if upper == 0:
        return 0.0
    if upper > generated:
        return 1.0
    low, high = float(table[upper - 1]), float(table[upper])
    return (upper - 1 + (raw - low) / (high - low)) / generated if high > low else upper / generated


def _mean(counts: Tensor, k: int) -> tuple[float, float, float]:
    """Of the clipped contributions, and the ends of its interval."""
    shares = counts.clamp(max=k).double() / k
    half = Z * float(shares.std(correction=0)) / len(shares) ** 0.5
    value = float(shares.mean())
    return value, value - half, value + half


def _log_beta(a: float, b: Tensor) -> Tensor:
    one = torch.tensor(float(a)).double()
    return torch.lgamma(one) + torch.lgamma(b) - torch.lgamma(one + b)
