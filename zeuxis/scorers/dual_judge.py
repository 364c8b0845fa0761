"""A scorer of two towers as judge: another network than the one that guided looks at the result."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.scorers.base import Prompt, Scorer, Verdict

SCALE = 100.0  # CLIP's logit scale: Radford et al. 2021, section 2.5
OTHERS = ("a photo", "a blurry picture", "an abstract pattern", "a face", "an animal", "a vehicle", "a building",
          "a landscape", "food", "a piece of furniture")  # fmt: skip


class DualJudge:
    """The probability of the prompt against everyday alternatives, by softmax over scaled cosines."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer: Any = scorer
        self.name, self.sha256, self.device = scorer.name, scorer.sha256, scorer.device

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> Any:
        """The prompt as the scorer prepares it."""
        return self.scorer.prepare(prompt), F.normalize(self.scorer.embed_texts(list(OTHERS)), dim=1), prompt.title

    def score(self, images: Tensor, prepared: Any) -> Tensor:
        """`(N, 3, H, W) -> (N,)`: the probability of the prompt."""
        return self.verdict(images, prepared).score

    @torch.no_grad()
    def verdict(self, images: Tensor, prepared: Any) -> Verdict:
        """`(N, 3, H, W) -> Verdict`; labels are the prompt or the nearest alternative."""
        asked, others, title = prepared
        own = self.scorer.score(images, asked)  # (N,)
        rest = self.scorer.embed_images(images) @ others.T  # (N, K)
        probability = (SCALE * torch.cat([own[:, None], rest], dim=1)).softmax(dim=1)
        confidence, label = probability.max(dim=1)
        names = (title, *OTHERS)
        return Verdict(probability[:, 0], tuple(names[k] for k in label.tolist()), confidence)
