"""Evaluators of a run's pictures that guide nothing: the judge, and scorers of weight 0 that are held out.

What they say is written down and may end a run; the search never hears it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from zeuxis.compute.micro_batches import over_micro_batches
from zeuxis.errors import BadInput
from zeuxis.scorers.base import Judge, Prompt, Scorer, Verdict
from zeuxis.types import JudgeEvaluation


class Observers:
    """A judge and held-out scorers with the prompt they are asked about, the latter every `every` generations.

    A judge that cannot read the prompt is left out, and `note` hears why.
    """

    def __init__(
        self, judge: Judge | None, held_out: Sequence[Scorer], every: int, prompt: Prompt, note: Callable[[str], None]
    ) -> None:
        self._judge, self._held_out, self._every, self._prompt, self._note = judge, held_out, every, prompt, note

    @cached_property
    def _asked(self) -> tuple[Judge, Any] | None:
        if self._judge is None:
            return None
        try:
            return self._judge, self._judge.prepare(self._prompt)
        except BadInput as error:
            self._note(f"No judge: {error}")
            return None

    @cached_property
    def _prepared(self) -> tuple[Any, ...]:
        return tuple(scorer.prepare(self._prompt) for scorer in self._held_out)

    def prepare(self) -> list[str]:
        """Read the prompt; sentences on how it was read. BadInput for one that a held-out scorer cannot read."""
        read = (*(() if self._asked is None else self._asked[1:]), *self._prepared)
        return [note for one in read for note in getattr(one, "notes", ())]

    def judged(
        self,
        images: Tensor,
        guide: Tensor,
        generation: int,
        size: int,
        *,
        dtype: torch.dtype,
        threads: int = 1,
        most: int = 0,
    ) -> JudgeEvaluation | None:
        """The judge's evaluation of images `(N, 3, H, W)` with guiding scores `(N,)`, of `most` of them (0: of all),
        `size` images at a time in `dtype`; None without a judge.
        """
        if self._asked is None:
            return None
        if rows := spread(guide, most):
            images, size = images[list(rows)], min(size, len(rows))  # a larger micro-batch would only be filled up
        judge, prepared = self._asked
        judge.set_precision(dtype)
        with torch.no_grad():
            pieces = over_micro_batches(lambda piece: judge.verdict(piece, prepared), images, size, threads)
        verdicts = [Verdict(v.score[:count].cpu(), v.label[:count], v.confidence[:count].cpu()) for v, count in pieces]
        score = torch.cat([v.score for v in verdicts])
        confidence = torch.cat([v.confidence for v in verdicts])
        label = tuple(label for v in verdicts for label in v.label)
        return summarise(generation, guide, score, label, confidence, rows)

    def due(self, generation: int) -> bool:
        """Whether held-out scorers are asked in this generation."""
        return bool(self._held_out) and generation % self._every == 0

    @torch.no_grad()
    def mean(self, images: Tensor, size: int, *, threads: int = 1) -> float:
        """The mean score of images `(N, 3, H, W)` over pictures and held-out scorers, in float32, `size` images at a
        time; NaN where none could be scored.
        """

        def work(piece: Tensor) -> Tensor:
            return torch.stack([s.score(piece, p) for s, p in zip(self._held_out, self._prepared, strict=True)]).mean(0)

        for scorer in self._held_out:
            scorer.set_precision(torch.float32)
        pieces = over_micro_batches(work, images, size, threads)
        score = torch.cat([score[:count] for score, count in pieces]).double()
        return float(score[score.isfinite()].mean())


def spread(score: Tensor, most: int) -> tuple[int, ...]:
    """`most` rows of scores `(N,)`, the best one and others evenly spaced by rank; () for all of them."""
    count = len(score)
    if not 0 < most < count:
        return ()
    order = score.detach().cpu().nan_to_num(nan=-torch.inf).argsort(descending=True, stable=True).tolist()
    return tuple(sorted(order[k * (count - 1) // max(1, most - 1)] for k in range(most)))


def summarise(
    generation: int,
    guide: Tensor,
    score: Tensor,
    label: tuple[str, ...],
    confidence: Tensor,
    rows: tuple[int, ...] = (),
) -> JudgeEvaluation:
    """From the guiding scores of a generation, and the judge's score, label and confidence of its images, or of those
    in `rows`.
    """
    guide = guide.detach().cpu()
    guide = guide[list(rows)] if rows else guide
    top = int(guide.nan_to_num(nan=-torch.inf).argmax())
    return JudgeEvaluation(
        generation, score, label, confidence, _mean(guide), _mean(score), float(score[top]), label[top], rows
    )


def _mean(x: Tensor) -> float:
    return float(x[x.isfinite()].double().mean())  # NaN when there is nothing to take the mean of
