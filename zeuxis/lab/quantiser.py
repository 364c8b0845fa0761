"""Vector quantisation in training: the nearest code with a straight-through gradient, and how the codes learn.

van den Oord, Vinyals and Kavukcuoglu, "Neural discrete representation learning" (2017), https://arxiv.org/abs/1711.00937
: section 3.1, Eqs. 1 to 3, and appendix A.1, codes as moving averages. Codes that are no longer used start again at
random outputs of the encoder (Dhariwal et al., "Jukebox", 2020, https://arxiv.org/abs/2005.00341 , section 3).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COUNT = 1e-5  # added to every code's count, so that none divides by 0


class Usage(nn.Module):
    """Moving averages of how often each of K codes was used in a step (K,), and of the sums of its vectors (K, E)."""

    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, width))


def nearest(rows: Tensor, codes: Tensor) -> Tensor:
    """Vectors (M, E) and codes (K, E) -> the number of the nearest code of each (M,)."""
    return (codes.square().sum(1) - 2 * rows @ codes.T).argmin(1)


def as_rows(grid: Tensor) -> Tensor:
    """(N, E, h, w) -> one vector for each place (N h w, E)."""
    return grid.permute(0, 2, 3, 1).reshape(-1, grid.shape[1])


def as_grid(rows: Tensor, like: Tensor) -> Tensor:
    """The inverse of `as_rows`, in the shape of `like`."""
    count, width, height, across = like.shape
    return rows.reshape(count, height, across, width).permute(0, 3, 1, 2)


def quantised(grid: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vectors z (N, E, h, w) and codes e (K, E) -> what is decoded, the numbers (N h w,) and two losses.

    Decoded is z + sg[e - z], e the nearest code (Eqs. 1 and 2; sg stops the gradient): e, with the gradient to z as if
    nothing had been replaced. The losses are the last two terms of Eq. 3 as means over numbers: of the codes,
    |sg[z] - e|^2, and of commitment, |z - sg[e]|^2.
    """
    rows = as_rows(grid)
    chosen = nearest(rows.detach(), codes.detach())
    found = codes[chosen]
    of_codes, commitment = F.mse_loss(found, rows.detach()), F.mse_loss(rows, found.detach())
    return as_grid(rows + (found - rows).detach(), grid), chosen, of_codes, commitment


@torch.no_grad()
def follow(usage: Usage, codes: Tensor, rows: Tensor, chosen: Tensor, decay: float, *, move: bool) -> None:
    """Appendix A.1: N <- g N + (1 - g) n, m <- g m + (1 - g) sum of z; `move`: codes e = m / N, in place.

    `rows` (M, E) are what the encoder gave, `chosen` (M,) their codes, g is `decay`.
    """
    rows = rows.detach().float()
    count = torch.bincount(chosen, minlength=len(codes)).to(usage.counts.dtype)
    total = torch.zeros_like(usage.sums).index_add_(0, chosen, rows)
    usage.counts.lerp_(count, 1 - decay)
    usage.sums.lerp_(total, 1 - decay)
    if move:
        used = usage.counts > COUNT
        codes[used] = (usage.sums[used] / usage.counts[used, None]).to(codes.dtype)


@torch.no_grad()
def restart(usage: Usage, codes: Tensor, rows: Tensor, least: float, rng: torch.Generator) -> int:
    """Codes used less often than `least` of their even share become random rows (M, E), in place -> how many did.

    A restarted code counts as if it had been used twice as often as that, so it is soon tried elsewhere.
    """
    even = len(rows) / len(codes)  # of a step
    dead = (usage.counts < least * even).nonzero().flatten()
    if len(dead):
        picked = torch.randint(len(rows), (len(dead),), generator=rng).to(rows.device)
        codes[dead] = rows.detach()[picked].to(codes.dtype)
        usage.counts[dead] = 2 * least * even
        usage.sums[dead] = 2 * least * even * codes[dead].to(usage.sums.dtype)
    return len(dead)


def perplexity(counts: Tensor) -> float:
    """How many codes are in use: exp of the entropy of their shares, counts (K,) -> 1 to K."""
    share = counts.double() / counts.sum().clamp(min=1)
    return math.exp(float(-torch.special.xlogy(share, share).sum()))
