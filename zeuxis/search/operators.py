"""Variation and selection on batches of latents: pure functions of tensors and one random generator.

All draws come from the CPU generator handed in and are moved to the latents' device, so a search takes the same
steps on every device. Higher scores are better. `lower` and `upper` are `(D,)`. Random choices are float masks of
0 and 1 mixed in with `lerp` (exact at both ends): `torch.where` on a random mask costs eight times as much on a CPU.

    tournament, fittest                    selection
    sbx, uniform_crossover, slerp_crossover                     two parents (M, D) -> two children (M, D)
    polynomial_mutation, gaussian_mutation, uniform_mutation, prior_mutation    (N, D) -> (N, D)
    released                               (N, D) -> (N, D), out of the ball that a prior is cut to
    keep_length                            (N, D) -> (N, D), as long as its parents
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zeuxis.rng import sent

GAP = 1e-12  # parents nearer than this are the same


def uniform(*shape: int, rng: torch.Generator, device: torch.device | None = None) -> Tensor:
    """Float32 numbers in [0, 1), 24 random bits each; two from every 64-bit draw, faster than `torch.rand`."""
    count = math.prod(shape)
    bits = torch.empty((count + 1) // 2, dtype=torch.int64).random_(-(2**63), None, generator=rng)
    low = bits.numpy().view(np.int32)[:count]  # numpy's calls cost less than torch's, and give the same bits
    low &= 0xFFFFFF
    numbers = low.astype(np.float32)
    numbers *= np.float32(2**-24)
    return sent(torch.from_numpy(numbers).view(shape), device)


def chance(prob: float, u: Tensor) -> Tensor:
    """1.0 where `u` in [0, 1) is below `prob`, else 0.0."""
    return (prob - u).ceil_()


def tournament(score: Tensor, count: int, size: int, rng: torch.Generator) -> Tensor:
    """Indices `(count,)` into `score` `(N,)`: the best of `size` entrants, `count` times.

    Entrants come from shuffles of the whole population, so that all enter about equally often
    (Goldberg and Deb, "A comparative analysis of selection schemes", 1991; shuffled as in Deb's NSGA-II code).
    """
    population = len(score)
    shuffles = torch.rand(math.ceil(count * size / population), population, generator=rng).argsort(dim=1)
    entrants = sent(shuffles.flatten()[: count * size].view(count, size), score.device)  # (count, size)
    winner = score[entrants].argmax(dim=1, keepdim=True)
    return entrants.gather(1, winner).flatten()


def fittest(x: Tensor, score: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` best rows, best first; of equals the earlier row."""
    score, order = score.sort(descending=True, stable=True)
    return x[order[:count]], score[:count]


def sbx(
    a: Tensor,
    b: Tensor,
    lower: Tensor,
    upper: Tensor,
    rng: torch.Generator,
    *,
    prob: float = 1.0,
    gene_prob: float = 0.5,
    eta: float = 15.0,
) -> tuple[Tensor, Tensor]:
    """Simulated binary crossover, Deb and Agrawal 1995, with bounds as in Deb's NSGA-II code (and pymoo).

    `prob` that a pair mates at all, `gene_prob` that a gene of a mating pair crosses; a larger `eta` keeps children
    nearer to their parents. A gene that crosses goes to either child with equal chance.
    """
    pairs, dim = a.shape
    u, draw = uniform(2, pairs, dim, rng=rng, device=a.device)
    mates = chance(prob, uniform(pairs, 1, rng=rng, device=a.device))
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    middle, half = (a + b) * 0.5, (high - low) * 0.5
    gap = half.clamp_min(GAP)
    left = middle - half * _spread(1.0 + (low - lower) / gap, u, eta)
    right = middle + half * _spread(1.0 + (upper - high) / gap, u, eta)
    # one number decides whether the gene crosses and which child gets which side
    crosses, swaps = chance(gene_prob, draw) * mates, chance(0.5 * gene_prob, draw)
    c = torch.lerp(a, torch.lerp(left, right, swaps), crosses)
    d = torch.lerp(b, torch.lerp(right, left, swaps), crosses)
    return c.clamp_(lower, upper), d.clamp_(lower, upper)


def _spread(beta: Tensor, u: Tensor, eta: float) -> Tensor:
    """The spread factor beta_q: child distance over parent distance, below `beta` so that no child passes its bound.

    Far from bounds its density is 0.5 (eta + 1) beta_q^eta up to 1 and 0.5 (eta + 1) / beta_q^(eta + 2) above.
    """
    alpha = 2.0 - _power(beta, -(eta + 1.0))
    area = u * alpha
    # (area)^(1 / (eta + 1)) up to area 1, (1 / (2 - area))^(1 / (eta + 1)) above: one formula for both halves
    side = 1.0 - area
    return _power(1.0 - side.abs(), side.sign() / (eta + 1.0))


def _power(base: Tensor, exponent: float | Tensor) -> Tensor:
    """base^exponent for base >= 0, but never below 2^-100 (subnormal numbers are slow). Faster than `torch.pow`."""
    logarithm: Tensor = exponent * torch.log2(base)
    return torch.exp2(logarithm.clamp_(min=-100.0))


def uniform_crossover(
    a: Tensor, b: Tensor, rng: torch.Generator, *, prob: float = 1.0, gene_prob: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Genes exchanged between two parents with chance `gene_prob` each (Syswerda 1989); `prob` as in `sbx`."""
    pairs, dim = a.shape
    mates = chance(prob, uniform(pairs, 1, rng=rng, device=a.device))
    swaps = chance(gene_prob, uniform(pairs, dim, rng=rng, device=a.device)) * mates
    return torch.lerp(a, b, swaps), torch.lerp(b, a, swaps)


def polynomial_mutation(
    x: Tensor, lower: Tensor, upper: Tensor, rng: torch.Generator, *, prob: float, eta: float = 20.0
) -> Tensor:
    """Polynomial mutation, Deb and Goyal 1996, bounded as in Deb's NSGA-II code; `prob` per gene.

    The step is a fraction of the whole range `upper - lower`: 1 / (eta + 2) of it on average, far from bounds.
    """
    u, draw = uniform(2, *x.shape, rng=rng, device=x.device)
    side = (u - 0.5).sign_()  # -1 down, +1 up; the upper half is the mirror image of the lower
    tail = 1.0 - (2.0 * u - 1.0).abs_()  # 2 u going down, 2 (1 - u) going up
    width = upper - lower
    # 1 - room, where room is the way to the bound on that side over the width
    full = (0.5 + side * (x - 0.5 * (lower + upper)) / width.clamp_min(GAP)).clamp_(GAP, 1.0)
    delta = 1.0 - _power(tail + (1.0 - tail) * _power(full, eta + 1.0), 1.0 / (eta + 1.0))
    y: Tensor = x + chance(prob, draw) * side * delta * width
    return y.clamp_(lower, upper)


def gaussian_mutation(
    x: Tensor, lower: Tensor, upper: Tensor, rng: torch.Generator, *, prob: float, sigma: Tensor
) -> Tensor:
    """Adds N(0, sigma^2) to each gene with chance `prob`; `sigma` `(D,)` in units of the genes. Clipped to bounds."""
    step, _ = _steps(x.shape, prob, rng)
    return (x + sent(step, x.device) * sigma).clamp_(lower, upper)


def _steps(shape: Sequence[int], prob: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """N(0, 1) with chance `prob`, else 0, and where it was drawn: both of this `shape`, on the CPU."""
    moved = uniform(*shape, rng=rng) < prob
    places = np.flatnonzero(moved.numpy())  # two and a half times as fast as masked_scatter_
    step = np.zeros(moved.numel(), np.float32)
    step[places] = torch.randn(len(places), generator=rng).numpy()  # no draw wasted
    return torch.from_numpy(step).view(moved.shape), moved


def uniform_mutation(x: Tensor, lower: Tensor, upper: Tensor, rng: torch.Generator, *, prob: float) -> Tensor:
    """Redraws each gene uniformly between its bounds with chance `prob`."""
    u, draw = uniform(2, *x.shape, rng=rng, device=x.device)
    return torch.lerp(x, lower + (upper - lower) * u, chance(prob, draw)).clamp_(lower, upper)


def prior_mutation(
    x: Tensor, lower: Tensor, upper: Tensor, rng: torch.Generator, *, prob: float, strength: float
) -> Tensor:
    """y = sqrt(1 - b^2) x + b N(0, 1) for each gene with chance `prob`; b is `strength`, from 0 to 1.

    It leaves a standard normal prior as it is, however often it is applied, where added noise widens it. Neal,
    "Regression and classification using Gaussian process priors" (1998); as mutation in EvoSearch (2025),
    https://arxiv.org/abs/2505.17618 . A gene that would leave its bounds stays, so that the truncated prior is left as
    it is too (Metropolis' rule).
    """
    step, moved = _steps(x.shape, prob, rng)
    moved, step = sent(moved, x.device), sent(step, x.device)
    y = (1.0 - strength**2) ** 0.5 * x + strength * step
    return torch.where(moved & (y >= lower) & (y <= upper), y, x)


def released(x: Tensor, balls: Sequence[tuple[slice, float]], rng: torch.Generator) -> Tensor:
    """`x` `(N, D)` with the normal genes that were cut to a ball of so large a radius let go beyond it again.

    A cut row keeps its direction; its length is drawn anew from those of normal rows that are longer than the radius.
    Cut normal rows become normal ones, so what leaves a normal prior as it is, and is cut after, leaves the cut one so.
    """
    x = x.clone()
    for part, radius in balls:
        rows = x[:, part]
        length = rows.norm(dim=1, keepdim=True)
        cut = (length >= radius * (1 - 1e-5)).flatten()
        x[cut, part] = rows[cut] * sent(_beyond(radius, rows.shape[1], int(cut.sum()), rng), x.device) / length[cut]
    return x


def _beyond(radius: float, dim: int, count: int, rng: torch.Generator) -> Tensor:
    """`(count, 1)` lengths of standard normal rows of `dim` genes, given that they are longer than `radius`."""
    found = torch.full((count,), radius)
    missing = torch.arange(count)
    for _ in range(64):  # a radius far out is hardly ever reached, and then by next to nothing
        if not len(missing):
            break
        drawn = torch.randn(len(missing), dim, generator=rng).norm(dim=1)
        beyond = drawn > radius
        found[missing[beyond]] = drawn[beyond]
        missing = missing[~beyond]
    return found[:, None]


def slerp_crossover(
    a: Tensor,
    b: Tensor,
    rng: torch.Generator,
    *,
    mean: Tensor,
    deviation: Tensor,
    parts: Sequence[slice],
    prob: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Two points on the great circle through both parents, t and 1 - t of the way, t uniform in [0, 1].

    Shoemake, "Animating rotation with quaternion curves" (1985); lengths are interpolated, so that children are as long
    as their parents, where a straight line would cut the corner. Each of `parts` turns about its own `mean`, in units
    of `deviation`, by a t of its own. `prob` as in `sbx`.

    Lengths stay near those of the prior, its variety does not: children lie between their parents, so that without
    selection a population draws together.
    """
    mates = chance(prob, uniform(len(a), 1, rng=rng, device=a.device))
    c, d = a.clone(), b.clone()
    for part in parts:
        t = uniform(len(a), 1, rng=rng, device=a.device) * mates
        u, v = ((x[:, part] - mean[part]) / deviation[part] for x in (a, b))
        c[:, part], d[:, part] = (mean[part] + deviation[part] * _slerp(u, v, s) for s in (t, 1.0 - t))
    return c, d


def _slerp(u: Tensor, v: Tensor, t: Tensor) -> Tensor:
    """`(N, D)`, `t` `(N, 1)` of the way from rows `u` to rows `v`; their lengths change along a line."""
    first, last = (x.norm(dim=1, keepdim=True) for x in (u, v))
    u, v = u / first.clamp_min(GAP), v / last.clamp_min(GAP)
    angle = torch.acos((u * v).sum(1, keepdim=True).clamp(-1.0, 1.0))
    sine = torch.sin(angle)
    along = (torch.sin((1.0 - t) * angle) * u + torch.sin(t * angle) * v) / sine
    # in the same direction, or in opposite ones, there is no circle: the line
    return torch.where(sine < 1e-4, torch.lerp(u, v, t), along) * torch.lerp(first, last, t)


def keep_length(x: Tensor, like: Tensor, *, mean: Tensor, deviation: Tensor, parts: Sequence[slice]) -> Tensor:
    """`x` `(N, D)`, each of `parts` as far from `mean`, in `deviation`s, as that of `like` `(N, D)`."""
    x = x.clone()
    for part in parts:
        u, v = ((rows[:, part] - mean[part]) / deviation[part] for rows in (x, like))
        factor = v.norm(dim=1, keepdim=True) / u.norm(dim=1, keepdim=True).clamp_min(GAP)
        x[:, part] = mean[part] + deviation[part] * u * factor
    return x
