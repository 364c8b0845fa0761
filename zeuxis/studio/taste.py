"""What a person's picks say: a linear utility of features, learnt from choices alone.

Picking one of several pictures follows Luce, "Individual choice behavior" (1959), with a share e of clicks that miss:

    P(pick k of S) = (1 - e) exp(u_k) / sum over S of exp(u_j) + e / |S|,   u = w f

so that no single click can say more than log((1 - e) |S| / e). The weights have a Gaussian prior, and a Gaussian about
the most probable ones stands for what is still open (Laplace); each candidate can be ranked by a draw from it, which
shows people what would tell most (Thompson sampling; Chapelle and Li, "An empirical evaluation", 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SCALE = 3.0  # deviation of the prior of a weight, in units of utility for a step of 1 in a feature
MISSED = 0.12  # share of clicks that are chance
STEPS = 30
CLEAR = 0.35  # deviations: a learnt direction is put into words from here on
MOST_WORDS = 3

Choice = tuple[int, tuple[int, ...]]  # the row picked, and the other rows it was picked from


@dataclass(frozen=True)
class Taste:
    """Utility of features `(f - mean) @ weights`, with the covariance `(F, F)` of the weights; `picks` it is from."""

    mean: Tensor
    weights: Tensor
    covariance: Tensor
    picks: int

    def __call__(self, features: Tensor) -> Tensor:
        """`(N, F) -> (N,)`, higher is more to this person's taste; 0 for all while nothing was picked."""
        utility: Tensor = (features.double() - self.mean) @ self.weights
        return utility.float()

    def drawn(self, features: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """`(count, N)`: the utilities by weights drawn from what the picks leave open."""
        root = torch.linalg.cholesky(self.covariance)  # (F, F)
        noise = torch.randn(count, len(self.weights), generator=rng, dtype=torch.float64)
        utilities: Tensor = (self.weights + noise @ root.T) @ (features.double() - self.mean).T
        return utilities.float()


def learn(features: Tensor, choices: Sequence[Choice], scores: Tensor | None = None, scale: float = SCALE) -> Taste:
    """From features `(N, F)` of all pictures seen, and the choices between rows of them.

    With `scores` `(N,)`, in units of utility, the utility is score plus taste: only what the score does not explain is
    learnt.
    """
    x = features.double()
    mean = x.mean(dim=0)
    z, width = x - mean, x.shape[1]
    w, prior = torch.zeros(width, dtype=torch.float64), torch.eye(width, dtype=torch.float64) / scale**2
    precision = prior
    known = torch.zeros(len(x)).double() if scores is None else scores.double()
    asked = [[won, *others] for won, others in choices if others]
    sets = [(z[row], known[row]) for row in asked]  # each (S, F) and (S,), the winner first
    for _ in range(STEPS if sets else 0):
        pull, precision = -prior @ w, prior.clone()
        for rows, offset in sets:
            p = torch.softmax(rows @ w + offset, dim=0)
            chance = MISSED / len(rows)
            meant = (1 - MISSED) * p[0] / ((1 - MISSED) * p[0] + chance)  # the chance that it was no miss
            centre = p @ rows
            pull = pull + meant * (rows[0] - centre)
            precision = precision + meant * ((p[:, None] * rows).T @ rows - torch.outer(centre, centre))
        step = torch.linalg.solve(precision, pull)
        w = w + step
        if float(step.norm()) < 1e-6 * (1 + float(w.norm())):
            break
    covariance = torch.linalg.inv(precision)
    return Taste(mean, w, (covariance + covariance.T) / 2, len(sets))


def standard(values: Tensor, known: int | None = None) -> Tensor:
    """`(N,)` less the mean, over the deviation of the first `known` of them (all); zeros where those are the same."""
    base = values[:known]
    base = base[base.isfinite()].double()
    if len(base) < 2 or float(base.std()) < 1e-9:
        return torch.zeros(len(values))
    z = (values.double() - base.mean()) / base.std()
    return z.nan_to_num(nan=-4.0).clamp(-8, 8).float()


def in_words(taste: Taste, directions: Tensor, names: Sequence[str], most: int = MOST_WORDS) -> list[str]:
    """Names of the directions `(K, F)` along which the picks say something clear, the clearest first: "more red".

    Clear is a learnt slope of more than `CLEAR` deviations of what the picks leave open.
    """
    if not taste.picks or not len(names):
        return []
    d = directions.double()
    slope = d @ taste.weights  # (K,)
    open_still = ((d @ taste.covariance) * d).sum(dim=1).clamp_min(1e-12).sqrt()
    clear = slope / open_still
    order = clear.abs().argsort(descending=True).tolist()
    said = [k for k in order if float(clear[k].abs()) > CLEAR][:most]
    return [f"{'more' if float(clear[k]) > 0 else 'less'} {names[k]}" for k in said]
