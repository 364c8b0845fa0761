"""Divergences between distributions, for tables of probabilities and for Gaussians: what GAN objectives minimise.

Probabilities are tensors `(K,)`, non-negative, summing to 1. D_f(p || q) = sum q f(p / q) with f convex, f(1) = 0
(Ali and Silvey 1966; Csiszar 1967); Nowozin, Cseke and Tomioka 2016 (arXiv 1606.00709, Table 1) list the generators of
GANs. All logarithms are natural. Distances of samples have files of their own and are named here too: Wasserstein's,
the Frechet distance of Gaussians, the log-likelihood of a Parzen window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.frechet import gaussian_distance as gaussian_distance
from zeuxis.metrics.parzen import parzen_log_likelihood as parzen_log_likelihood
from zeuxis.metrics.wasserstein import sliced_wasserstein as sliced_wasserstein
from zeuxis.metrics.wasserstein import wasserstein_1d as wasserstein_1d
from zeuxis.metrics.wasserstein import wasserstein_exact as wasserstein_exact

SUM = 1e-6  # how far a sum of probabilities may be from 1


@dataclass(frozen=True)
class Generator:
    """A convex f with f(1) = 0. `at_zero` is f(0), `slope` the limit of f(t) / t for large t; both may be infinite.

    They say what p = 0 and q = 0 cost: q f(0), and p times the slope.
    """

    f: Callable[[Tensor], Tensor]
    at_zero: float
    slope: float


GENERATORS: dict[str, Generator] = {
    "kl": Generator(lambda t: t * t.log(), 0.0, math.inf),
    "reverse-kl": Generator(lambda t: -t.log(), math.inf, 0.0),
    "total-variation": Generator(lambda t: (t - 1).abs() / 2, 0.5, 0.5),
    "squared-hellinger": Generator(lambda t: (t.sqrt() - 1).square() / 2, 0.5, 0.5),
    "jensen-shannon": Generator(
        lambda t: (t * t.log() - (t + 1) * ((t + 1) / 2).log()) / 2, math.log(2) / 2, math.log(2) / 2
    ),
    "pearson-chi2": Generator(lambda t: (t - 1).square(), 1.0, math.inf),
    "gan": Generator(lambda t: t * t.log() - (t + 1) * (t + 1).log() + math.log(4), math.log(4), 0.0),
}  # "gan" is 2 JSD, the value of the original game plus log 4


def f_divergence(p: Tensor, q: Tensor, generator: Generator | str) -> float:
    """D_f(p || q) of probabilities `(K,)`; `generator` is one of GENERATORS or your own. May be infinite."""
    p, q = _check(p, q)
    if isinstance(generator, str):
        if generator not in GENERATORS:
            raise BadInput(f"Expected a divergence out of {', '.join(GENERATORS)}, got {generator!r}.")
        generator = GENERATORS[generator]
    both = (p > 0) & (q > 0)
    found = float((q[both] * generator.f(p[both] / q[both])).sum())
    only_p, only_q = float(p[q == 0].sum()), float(q[p == 0].sum())
    return found + (generator.slope * only_p if only_p else 0.0) + (generator.at_zero * only_q if only_q else 0.0)


def total_variation(p: Tensor, q: Tensor) -> float:
    """sum |p - q| / 2, in [0, 1]: the largest difference of the probabilities of any event."""
    p, q = _check(p, q)
    return float((p - q).abs().sum() / 2)


def hellinger(p: Tensor, q: Tensor) -> float:
    """||sqrt p - sqrt q||_2 / sqrt 2, in [0, 1]. H^2 <= TV <= sqrt 2 H."""
    p, q = _check(p, q)
    return float((p.sqrt() - q.sqrt()).norm() / math.sqrt(2))


def kl(p: Tensor, q: Tensor) -> float:
    """KL(p || q) = sum p log(p / q), infinite where q = 0 < p. 2 TV^2 <= KL (Pinsker)."""
    p, q = _check(p, q)
    if bool(((q == 0) & (p > 0)).any()):
        return math.inf
    at = p > 0
    return max(float((p[at] * (p[at] / q[at]).log()).sum()), 0.0)


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """JSD = (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2: in [0, log 2], log 2 where the supports are apart."""
    p, q = _check(p, q)
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


def entropy(p: Tensor) -> float:
    """-sum p log p, in [0, log K]."""
    p, _ = _check(p, p)
    return float(-torch.special.xlogy(p, p).sum())


def cross_entropy(p: Tensor, q: Tensor) -> float:
    """-sum p log q = H(p) + KL(p || q), what maximum likelihood minimises over q: the expected loss of a model q.

    H(p) does not depend on q, so the most likely q is the one nearest to p in KL(p || q).
    """
    return entropy(p) + kl(p, q)


def kl_of_gaussians(m1: Tensor, c1: Tensor, m2: Tensor, c2: Tensor) -> float:
    """KL(N(m1, C1) || N(m2, C2)) of means `(D,)` and positive definite covariances `(D, D)`.

    (tr(C2^-1 C1) + |m2 - m1|^2 in C2^-1 - D + log det C2 / det C1) / 2.
    """
    m1, c1, m2, c2 = (x.double() for x in (m1, c1, m2, c2))
    try:
        lower = [torch.linalg.cholesky(c) for c in (c1, c2)]
    except RuntimeError as error:
        raise BadInput("Expected positive definite covariances, got one that is not. Add more rows.") from error
    solved = torch.linalg.solve_triangular(lower[1], lower[0], upper=False)
    shift = torch.linalg.solve_triangular(lower[1], (m2 - m1)[:, None], upper=False)
    logs = [2 * x.diagonal().log().sum() for x in lower]
    return float((solved.square().sum() + shift.square().sum() - len(m1) + logs[1] - logs[0]) / 2)


def _check(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    p, q = p.double(), q.double()
    if p.ndim != 1 or p.shape != q.shape or not len(p):
        raise BadInput(f"Expected probabilities (K,) of the same K, got {tuple(p.shape)} and {tuple(q.shape)}.")
    for x in (p, q):
        if bool((x < 0).any()):
            raise BadInput(f"Expected probabilities from 0 on, got {float(x.min()):.6g}.")
        if not bool(torch.isfinite(x).all()) or abs(float(x.sum()) - 1) > SUM:
            raise BadInput(f"Expected probabilities from 0 on that sum to 1, got a sum of {float(x.sum()):.6g}. "
                           "Divide counts by their sum.")  # fmt: skip
    return p, q
