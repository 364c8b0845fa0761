"""The judge's view: what somebody the search never listens to makes of its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zeuxis.run.memory import micro_batches
from zeuxis.scorers.base import Judge, Verdict


@dataclass(frozen=True)
class JudgeView:
    """`score` and `confidence` `(N,)` and `label` per image of one generation.

    `guide` is the mean guiding score of the population and `mean` the judge's mean score, each as it comes: the
    scales differ, so one `gap` says nothing. A gap that widens while `guide` rises says that the search has learnt to
    please the scorer without showing what was asked for. `best` and `best_label` are the judge's score and label of
    the image with the highest guiding score.
    """

    generation: int
    score: Tensor
    label: tuple[str, ...]
    confidence: Tensor
    guide: float
    mean: float
    best: float
    best_label: str

    @property
    def gap(self) -> float:
        """Mean guiding score minus the judge's mean score."""
        return self.guide - self.mean


def look(judge: Judge, prepared: Any, images: Tensor, guide: Tensor, generation: int, size: int) -> JudgeView:
    """The judge's view of images `(N, 3, H, W)` with guiding scores `(N,)`, `size` images at a time."""
    verdicts = []
    with torch.no_grad():
        for piece, count in micro_batches(images, size):
            v = judge.verdict(piece, prepared)
            verdicts.append(Verdict(v.score[:count].cpu(), v.label[:count], v.confidence[:count].cpu()))
    score = torch.cat([v.score for v in verdicts])
    confidence = torch.cat([v.confidence for v in verdicts])
    return summarise(generation, guide, score, tuple(label for v in verdicts for label in v.label), confidence)


def summarise(generation: int, guide: Tensor, score: Tensor, label: tuple[str, ...], confidence: Tensor) -> JudgeView:
    """The view that the guiding scores and the judge's score, label and confidence of N images make."""
    guide = guide.detach().cpu()
    top = int(guide.nan_to_num(nan=-torch.inf).argmax())
    return JudgeView(generation, score, label, confidence, _mean(guide), _mean(score), float(score[top]), label[top])


def _mean(x: Tensor) -> float:
    return float(x[x.isfinite()].double().mean())  # NaN when there is nothing to take the mean of
