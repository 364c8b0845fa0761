"""The shape vocabulary: what `ask` returns, what `tell` takes, what the run yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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
class Event:
    """One finished generation. Yielded only after `tell`, so every event is a legal checkpoint.

    `images_so_far` counts images evaluated, this generation included. `best_latent` `(D,)` and
    `best_score` are the search's `best`: the best ever seen in this run, or with several objectives its pick from the
    front as it is now; `image_seconds` is the time spent on this generation's images (wall clock). `images`
    `(N, 3, H, W)` in [0, 1] are the pictures that were scored. `health` says how alive the population is
    (`zeuxis.evaluation.health`); `view` what the judge made of it, where it looked.
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
    view: object | None = None
