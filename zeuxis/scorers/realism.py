"""Realism: the opinion of the discriminator that was trained against the generator, as a scorer.

Goodfellow et al., "Generative Adversarial Nets", 2014, https://arxiv.org/abs/1406.2661 (D(x), the probability
that x came from the data), as used beside CLIP by Galatolo et al., "Generating images from caption and vice
versa via CLIP-Guided Generative Latent Space Search", 2021, https://arxiv.org/abs/2102.01645.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.scorers.base import Prompt


@runtime_checkable
class HasRealism(Protocol):
    """What is asked of a generator here; the families do not import each other."""

    name: str
    sha256: str
    device: torch.device

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W) -> (N,)`, the discriminator's output, higher is more real."""
        ...


class Realism:
    """The scorer 1 / (1 + exp(-D(x))), in [0, 1]; the words of the prompt do not matter to it.

    A discriminator's output D(x) has no fixed scale. Squashed, 0.5 is its own border between generated and
    real, whatever it was trained with: with the logistic loss the value is its probability of "real", with the
    hinge loss the margins -1 and +1 become 0.27 and 0.73. So `realism = 0.1` moves the score by at most 0.1,
    about what separates a good match from a fair one in cosine, and an extreme D(x) cannot outbid the phrase.
    """

    def __init__(self, generator: object) -> None:
        if not isinstance(generator, HasRealism):
            name = getattr(generator, "name", type(generator).__name__)
            raise BadInput(
                f"Expected a generator with a discriminator, got {name!r}, which has none. Set realism to 0, "
                "or choose a generator that offers realism: `zeuxis list generators` shows them."
            )
        self.generator = generator
        self.name = "realism"
        self.sha256, self.device = generator.sha256, generator.device

    def prepare(self, prompt: Prompt) -> None:
        """Nothing to prepare."""

    def score(self, images: Tensor, prepared: None) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> `(N,)` float32 in [0, 1]; NaN where the discriminator says NaN."""
        return torch.sigmoid(self.generator.realism(images).float())

    def set_precision(self, dtype: torch.dtype) -> None:
        """Nothing to set: the discriminator computes in the generator's precision."""
