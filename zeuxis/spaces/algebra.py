"""Linear algebra of latents: lengths, principal axes, mixtures of rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def shorten(x: Tensor, length: float, hair: float = 1e-6) -> Tensor:
    """Rows `(N, D)` no longer than `length`; shorter ones keep every bit.

    Those cut end a share `hair` inside, so that what was shortened stays as it is when it is shortened again.
    """
    if math.isinf(length):
        return x
    norm = x.norm(dim=-1, keepdim=True)
    return torch.where(norm > length, x * (length * (1 - hair) / norm.clamp_min(1e-12)), x)


def shortened_deviation(dim: int, radius: float) -> float:
    """The deviation of each of `dim` standard normal numbers of a row that is no longer than radius * sqrt(dim).

    Length and direction of a normal row are independent, so the variance is E[min(chi^2, R^2)] / dim, with
    E[chi^2; chi^2 < R^2] = dim P(chi^2_(dim + 2) < R^2).
    """
    if math.isinf(radius):
        return 1.0
    half = torch.tensor(radius**2 * dim / 2, dtype=torch.float64)
    inside = torch.special.gammainc(torch.tensor(dim / 2 + 1, dtype=torch.float64), half)
    beyond = torch.special.gammaincc(torch.tensor(dim / 2, dtype=torch.float64), half)
    return math.sqrt(float(inside + radius**2 * beyond))


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
