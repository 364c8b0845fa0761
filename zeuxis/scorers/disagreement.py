"""Disagreement of an ensemble: a gain counts as far as the scorers agree on it, and one that is held out may end a run.

Coste, Anwar, Kirk and Krueger, "Reward model ensembles help mitigate overoptimization", 2024,
https://arxiv.org/abs/2310.02743 : the mean less a multiple of the members' spread, there their variance. Here it is the
lower confidence bound mean - k std (Srinivas et al. 2010, https://arxiv.org/abs/0912.3995 , with the sign of a bound
from below), so that both terms have one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zeuxis.compute.micro_batches import over_micro_batches
from zeuxis.scorers.base import Prompt, Scorer

NAME = "disagreement"  # of the part of the score
SMALLEST = 1e-6  # of the spread: its slope has no value at 0


def disagreement(contributions: Sequence[Tensor], weights: Sequence[float], k: float) -> Tensor:
    """The part -k W std that makes the sum of contributions w_i z_i a lower confidence bound, `(N,)`, at most 0.

    W is the sum of |w_i|, std the weighted deviation of the members' values sign(w_i) z_i about their weighted mean m,
    so that the whole score is W (m - k std). With two equal weights and k = 1 it is W times the lower of the two.
    """
    size = torch.tensor([abs(weight) for weight in weights], device=contributions[0].device)[:, None]  # (K, 1)
    total = size.sum()
    value = torch.stack(list(contributions)) / size  # (K, N)
    mean = (size * value).sum(dim=0) / total
    variance = (size * (value - mean).square()).sum(dim=0) / total
    return -k * total * (variance + SMALLEST**2).sqrt()


class HeldOut:
    """Scorers that guide nothing: what they think of a generation is written down every `every` generations."""

    def __init__(self, scorers: Sequence[Scorer], every: int) -> None:
        self.scorers, self.every = tuple(scorers), every

    def prepare(self, prompt: Prompt) -> tuple[Any, ...]:
        """The prompt, prepared by each of them. BadInput for one that a scorer cannot read."""
        return tuple(scorer.prepare(prompt) for scorer in self.scorers)

    @torch.no_grad()
    def mean(self, images: Tensor, prepared: Sequence[Any], size: int, *, threads: int = 1) -> float:
        """The mean score of images `(N, 3, H, W)` over pictures and scorers, `size` images at a time; NaN for none."""

        def work(piece: Tensor) -> Tensor:
            return torch.stack([s.score(piece, p) for s, p in zip(self.scorers, prepared, strict=True)]).mean(dim=0)

        for scorer in self.scorers:
            scorer.set_precision(torch.float32)
        pieces = over_micro_batches(work, images, size, threads)
        score = torch.cat([score[:count] for score, count in pieces]).double()
        return float(score[score.isfinite()].mean())
