"""The shape vocabulary: what `ask` returns, what `tell` takes, what the run yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

NO_PARTS: Mapping[str, Tensor] = MappingProxyType({})
NO_HEALTH: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Batch:
    """Candidates that a search wants scored.

    `x` is float32 `(N, D)`, one latent per row. `gradient` asks for d score / d x as well
    (a gradient step then counts 3 images of the budget).
    """

    x: Tensor
    gradient: bool = False


@dataclass(frozen=True)
class Evaluation:
    """What a batch is worth. Higher scores are better; NaN means "could not be scored".

    `score` `(N,)` float32; `parts` named contributions, each `(N,)`; `measures` `(N, M)` coordinates
    for quality-diversity archives; `gradient` `(N, D)` when the batch asked for it; `descriptors` `(N, F)` what the
    images look like, where something wants to tell them apart.
    """

    score: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=lambda: NO_PARTS)
    measures: Tensor | None = None
    gradient: Tensor | None = None
    descriptors: Tensor | None = None


@dataclass(frozen=True)
class JudgeEvaluation:
    """`score` and `confidence` `(N,)` and `label` per image of one generation, of all or of those in its `rows`.

    `guide` is the mean guiding score of these images and `mean` the judge's mean score, each as it comes: the
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
    rows: tuple[int, ...] = ()

    @property
    def gap(self) -> float:
        """Mean guiding score minus the judge's mean score."""
        return self.guide - self.mean


class Evaluated(NamedTuple):
    """What a problem returns for a batch: the evaluation that the search is told, and what it is not.

    `images` `(N, 3, H, W)` in [0, 1] are the pictures that were scored, `seconds` the time spent on them (wall clock),
    `health` says how alive the population is (`zeuxis.metrics.health`).
    """

    evaluation: Evaluation
    images: Tensor | None = None
    seconds: float = 0.0
    health: Mapping[str, float] = NO_HEALTH


@dataclass(frozen=True)
class Event:
    """One finished generation. Yielded only after `tell`, so every event is a legal checkpoint.

    `images_so_far` counts images evaluated, this generation included. `best_latent` `(D,)` and
    `best_score` are the search's `best`: the best ever seen in this run, or with several objectives its pick from the
    front as it is now; `image_seconds` is the time spent on this generation's images (wall clock). `images`
    `(N, 3, H, W)` in [0, 1] are the pictures that were scored. `health` says how alive the population is
    (`zeuxis.metrics.health`); `judged` is the judge's evaluation, in those
    generations where it was asked.
    """

    generation: int
    images_so_far: int
    batch: Batch
    evaluation: Evaluation
    best_latent: Tensor
    best_score: float
    images: Tensor | None = None
    image_seconds: float = 0.0
    health: Mapping[str, float] = field(default_factory=lambda: NO_HEALTH)
    judged: JudgeEvaluation | None = None
