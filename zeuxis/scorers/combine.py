"""Several scorers as one: a weighted sum, with each contribution kept for reports and for multi-objective searches.

With their disagreement as one more part, a gain counts as far as the scorers agree on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.scorers.augment import HasGeneration
from zeuxis.scorers.base import Prompt, Scorer, checked_scores
from zeuxis.scorers.weights import MAX_WEIGHT, split_weight

DISAGREEMENT = "disagreement"  # the name of the part of the score
SMALLEST = 1e-6  # of the spread: its slope has no value at 0


def parse_weighted(name: str) -> tuple[str, float]:
    """Read "pocket:0.5" as ("pocket", 0.5) and "pocket" as ("pocket", 1.0). BadInput for no name or a bad weight."""
    rest, weight = split_weight(name.strip())
    if not rest:
        raise BadInput(
            f"Expected a scorer's name before ':weight', got {name[:40]!r}. `zeuxis list scorers` shows them."
        )
    return rest, 1.0 if weight is None else weight


@dataclass(frozen=True)
class CombinedPrompt:
    """One prepared prompt per scorer; `notes` are the sentences of all of them."""

    prepared: tuple[Any, ...]
    notes: tuple[str, ...]


class Combined:
    """The scorer s(x) = sum over k of w_k s_k(x). The weights are used as given: scores differ in scale.

    BadInput for no scorers, weights that do not fit, all weights 0, or scorers on different devices.
    """

    def __init__(self, scorers: Sequence[Scorer], weights: Sequence[float]) -> None:
        _check(scorers, weights)
        self.scorers = tuple(scorers)
        self.weights = tuple(float(weight) for weight in weights)
        self.names = _distinct([scorer.name for scorer in scorers])
        self.name = " + ".join(f"{weight:g} {name}" for weight, name in zip(self.weights, self.names, strict=True))
        self.device = scorers[0].device
        exact = "\n".join(f"{w!r} {s.name} {s.sha256}" for w, s in zip(self.weights, scorers, strict=True))
        self.sha256 = hashlib.sha256(exact.encode()).hexdigest()

    def prepare(self, prompt: Prompt) -> CombinedPrompt:
        """The prompt, prepared by every scorer."""
        prepared = tuple(scorer.prepare(prompt) for scorer in self.scorers)
        notes = [note for p in prepared for note in getattr(p, "notes", ())]
        return CombinedPrompt(prepared, tuple(dict.fromkeys(notes)))

    def parts(self, images: Tensor, prepared: CombinedPrompt) -> dict[str, Tensor]:
        """Contributions w_k s_k(x), `(N,)` each, that sum to the score: higher is better in every one of them.

        A scorer of weight 0 is not asked: its contribution is 0 even where it would have said NaN.
        """
        members = zip(self.names, self.weights, self.scorers, prepared.prepared, strict=True)
        return {
            name: weight * checked_scores(scorer.score(images, p), len(images), name)
            if weight
            else torch.zeros(len(images), device=self.device)
            for name, weight, scorer, p in members
        }

    def score(self, images: Tensor, prepared: CombinedPrompt) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> `(N,)` float32."""
        return torch.stack(list(self.parts(images, prepared).values())).sum(dim=0)

    def generation(self, rng: torch.Generator) -> None:
        """Pass a new generation on to the scorers that want to know, in their order."""
        for scorer in self.scorers:
            if isinstance(scorer, HasGeneration):
                scorer.generation(rng)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on."""
        for scorer in self.scorers:
            scorer.set_precision(dtype)


def _distinct(names: list[str]) -> tuple[str, ...]:
    """["a", "a", "b"] -> ("a", "a#2", "b"), so that no contribution hides another."""
    seen = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return tuple(name if count == 1 else f"{name}#{count}" for name, count in zip(names, seen, strict=True))


def disagreement(contributions: Sequence[Tensor], weights: Sequence[float], k: float) -> Tensor:
    """The part -k W std that makes the sum of contributions w_i z_i a lower confidence bound, `(N,)`, at most 0.

    W is the sum of |w_i|, std the weighted deviation of the members' values sign(w_i) z_i about their weighted mean m,
    so that the whole score is W (m - k std). With two equal weights and k = 1 it is W times the lower of the two.
    Coste et al. 2024, https://arxiv.org/abs/2310.02743 , whose remedy for the over-optimisation of learned scores takes
    off a multiple of the variance; here it is the deviation, as in the upper bound of Srinivas et al. 2010,
    https://arxiv.org/abs/0912.3995 , so that both terms have one unit.
    """
    size = torch.tensor([abs(weight) for weight in weights], device=contributions[0].device)[:, None]  # (K, 1)
    total = size.sum()
    value = torch.stack(list(contributions)) / size  # (K, N)
    mean = (size * value).sum(dim=0) / total
    variance = (size * (value - mean).square()).sum(dim=0) / total
    return -k * total * (variance + SMALLEST**2).sqrt()


def _check(scorers: Sequence[Scorer], weights: Sequence[float]) -> None:
    if not scorers or len(scorers) != len(weights):
        raise BadInput(
            f"Expected one weight for each of 1 or more scorers, got {len(scorers)} scorers and {len(weights)} weights."
            " Name a scorer, e.g. 'pocket' or 'pocket:0.5'."
        )
    if not all(abs(weight) <= MAX_WEIGHT for weight in weights) or not any(weights):
        raise BadInput(
            f"Expected finite scorer weights of at most {MAX_WEIGHT:g}, one of them not 0, got {list(weights)}. "
            "Correct the number after ':' in the scorer's name."
        )
    if len(devices := {str(scorer.device) for scorer in scorers}) > 1:
        raise BadInput(f"Expected all scorers on one device, got {sorted(devices)}. Build them with the same device.")
