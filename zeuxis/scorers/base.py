"""What a scorer is: images and a prepared prompt -> one score per image, higher is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput


@dataclass(frozen=True)
class Phrase:
    """One part of a prompt: words, or an image `(3, H, W)` in [0, 1]. A negative weight pushes away."""

    text: str = ""
    weight: float = 1.0
    image: Tensor | None = None


@dataclass(frozen=True)
class Prompt:
    """All that the user asked for. `notes` are sentences about what reading the prompt changed in it."""

    phrases: tuple[Phrase, ...]
    templates: bool = True
    strict: bool = False
    notes: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()  # templates with one {}; () for the usual ones

    @property
    def title(self) -> str:
        """The positive words, for headings and file metadata."""
        words = [p.text for p in self.phrases if p.text and p.weight > 0]
        return " | ".join(words) or "(image prompt)"


@runtime_checkable
class Scorer(Protocol):
    """`prepare` once per run, `score` every generation.

    `prepare` returns whatever `score` needs (an embedding); `notes` of a prepared prompt, when it has them,
    are sentences for the user ("cut after 77 tokens: ...").
    """

    name: str
    sha256: str
    device: torch.device

    def prepare(self, prompt: Prompt) -> Any:
        """Prompt -> prepared prompt. BadInput for a prompt that this scorer cannot read."""
        ...

    def score(self, images: Tensor, prepared: Any) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size -> `(N,)` float32."""
        ...

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on; normalisation and cosine stay float32."""
        ...


@dataclass(frozen=True)
class Verdict:
    """A judge's view of a set of images.

    `score` `(N,)` the probability of what was asked for (NaN when the judge has no word for it),
    `label` what it takes each image for, `confidence` `(N,)` how sure it is of that label.
    """

    score: Tensor
    label: tuple[str, ...]
    confidence: Tensor


@runtime_checkable
class Judge(Scorer, Protocol):
    """A scorer that can also say in words what it sees."""

    def verdict(self, images: Tensor, prepared: Any) -> Verdict:
        """`(N, 3, H, W) -> Verdict`."""
        ...


def checked_scores(score: Any, count: int, name: str) -> Tensor:
    """A scorer's answer; BadInput where it is not one score for each of `count` pictures."""
    if not isinstance(score, Tensor) or tuple(score.shape) != (count,):
        got = f"a tensor {tuple(score.shape)}" if isinstance(score, Tensor) else type(score).__name__
        raise BadInput(f"Expected the scorer {name!r} to give a tensor ({count},), a score a picture, got {got}.")
    return score
