"""The best of N draws of the prior that differ: what a generator gives by itself, chosen and not pushed further.

`random` is the same sampling as a yardstick; this one is for its pictures. Of two that look alike (RMS of the pixels
below `zeuxis.metrics.health.DIFFERENT`) only the fitter is kept, so the N kept are N different pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.metrics.health import DIFFERENT, distances
from zeuxis.search.options import Member, Options
from zeuxis.search.random import RandomSearch
from zeuxis.types import Evaluation

LOOKED_AT = 8  # times the population: so many of the best are compared pair by pair


class Samples(RandomSearch):
    """Every generation is a fresh sample of the prior; the survivors are the best different ones ever seen.

    Reads `evaluation.descriptors` `(N, F)`, what the images look like; without them all count as different.
    """

    _state = ("shown",)

    shown = torch.empty(0, 0)  # (M, F), how the survivors look; replaced by `_tell`

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        everyone, scores = torch.cat([self.population_x, x]), torch.cat([self.population_score, score])
        looks = evaluation.descriptors
        if looks is None:
            order = scores.argsort(descending=True, stable=True)[: self.population]
            return everyone[order], scores[order]
        looks = looks.detach().cpu().float()
        looks = torch.cat([self.shown.reshape(-1, looks.shape[1]), looks])
        order = scores.cpu().argsort(descending=True, stable=True)[: LOOKED_AT * self.population]
        kept = order[self._different(looks[order])]
        self.shown = looks[kept]
        rows = kept.to(everyone.device)
        return everyone[rows], scores[rows]

    def _different(self, looks: Tensor) -> Tensor:
        """Places of the first of `looks` `(N, F)` that differ from all before them; filled up with others if few do."""
        alike = distances(looks, looks) < DIFFERENT
        kept: list[int] = []
        for place in range(len(looks)):
            if len(kept) == self.population:
                break
            if not kept or not bool(alike[place, kept].any()):
                kept.append(place)
        spare = [place for place in range(len(looks)) if place not in set(kept)]
        return torch.tensor(sorted([*kept, *spare[: self.population - len(kept)]]))


samples = Member(Samples, Options, "samples")
