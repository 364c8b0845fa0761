"""The game of Goodfellow et al. 2014 (arXiv 1406.2661) on a finite set, where all of it can be computed.

V(D, G) = E_p log D + E_q log(1 - D), p the data and q what G draws (Eq. 1). Proposition 1: the best D is p / (p + q).
Theorem 1: with it V = 2 JSD(p, q) - log 4, smallest where q = p. `play` finds both by gradients alone, knowing neither.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.divergences import jensen_shannon, total_variation


class Played(NamedTuple):
    """After the game: `q` `(K,)` of the generator, `discriminator` `(K,)`, and `value` V of the two."""

    q: Tensor
    discriminator: Tensor
    value: float


def game_value(p: Tensor, q: Tensor, discriminator: Tensor) -> float:
    """V(D, G) of probabilities `(K,)` and D(x) in [0, 1] `(K,)`."""
    p, q, d = p.double(), q.double(), discriminator.double()
    if d.shape != p.shape or bool(((d < 0) | (d > 1)).any()):
        raise BadInput(f"Expected D(x) from 0 to 1 for {len(p)} points, got {tuple(d.shape)}.")
    total_variation(p, q)  # checks both
    return float((torch.special.xlogy(p, d) + torch.special.xlogy(q, 1 - d)).sum())


def optimal_discriminator(p: Tensor, q: Tensor) -> Tensor:
    """D* = p / (p + q) `(K,)` float64 (Proposition 1); 1/2 where neither has mass and nothing depends on it."""
    total_variation(p, q)  # checks both
    both = p.double() + q.double()
    return torch.where(both > 0, p.double() / both.clamp(min=torch.finfo(torch.float64).tiny), 0.5)


def best_value(p: Tensor, q: Tensor) -> float:
    """max_D V = 2 JSD(p, q) - log 4 (Theorem 1), in [-log 4, 0]."""
    return 2 * jensen_shannon(p, q) - math.log(4)


def trained_discriminator(p: Tensor, q: Tensor, *, steps: int = 200) -> Tensor:
    """D `(K,)` found by gradient ascent on V from D = 1/2, as a network would be trained: comes to D*."""
    total_variation(p, q)
    p, q = p.double(), q.double()
    logit = torch.zeros_like(p, requires_grad=True)
    step = torch.optim.LBFGS([logit], max_iter=steps, tolerance_grad=1e-12, tolerance_change=1e-14)

    def loss() -> Tensor:
        step.zero_grad()
        value = -(p * torch.nn.functional.logsigmoid(logit) + q * torch.nn.functional.logsigmoid(-logit)).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    step.step(loss)  # type: ignore[no-untyped-call]
    return logit.detach().sigmoid()


def play(p: Tensor, *, steps: int = 300, rate: float = 0.5, seed: int = 0) -> Played:
    """Algorithm 1 with an inner maximisation: G descends V(D*, G), D is trained anew for every step of G.

    `p` `(K,)`. G starts at a random q; at the end q is near p, D near 1/2 and V near -log 4.
    """
    total_variation(p, p)
    p = p.double()
    logit = torch.randn(len(p), generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()
    step = torch.optim.Adam([logit], lr=rate)
    for index in range(steps):
        q = logit.softmax(0)
        d = optimal_discriminator(p, q.detach())  # held fixed while G moves
        step.param_groups[0]["lr"] = rate * (1 - index / steps)
        step.zero_grad()
        (q * (1 - d).clamp(min=1e-300).log()).sum().backward()  # type: ignore[no-untyped-call]
        step.step()
    q = logit.detach().softmax(0)
    d = trained_discriminator(p, q)
    return Played(q, d, game_value(p, q, d))
