"""Dual encoder in the manner of CLIP (Radford et al. 2021, arXiv 2103.00020): two towers, one joint space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import bounded
from zeuxis.nets.text_tower import TextTower
from zeuxis.nets.trunk import Trunk


class DualEncoder(nn.Module):
    """Images (N, 3, 32, 32) in [-1, 1] and token numbers (N, T) -> unit vectors (N, E) in one space.

    `log_scale` is the learned inverse temperature of the contrastive loss, exp(log_scale) <= 100.
    """

    def __init__(self, trunk: Trunk, text: TextTower, joint: int = 128, sentence: int = 384) -> None:
        super().__init__()
        self.trunk, self.text = trunk, text
        self.image_head = nn.Linear(2 * trunk.widths[-1], joint)
        self.text_head = nn.Linear(sentence, joint)
        first, last = nn.Linear(sentence, 2 * joint), nn.Linear(2 * joint, joint)
        self.text_bend = nn.Sequential(first, nn.GELU(), last)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.zeros_(last.weight)

    def image(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, E); normalised in float32."""
        return F.normalize(self.image_head(self.trunk(x)).float(), dim=1)

    def sentence(self, s: Tensor) -> Tensor:
        """Sentence vectors of the text tower (N, S) -> (N, E)."""
        return F.normalize((self.text_head(s) + self.text_bend(s)).float(), dim=1)

    def words(self, tokens: Tensor) -> Tensor:
        """(N, T) -> (N, E)."""
        return self.sentence(self.text(tokens))


def without_text(joint: int, widths: Sequence[int], sentence: int = 384) -> DualEncoder:
    """A dual encoder whose text tower is still to come: in a file it is a part of its own, which files may share.

    Set `.text` before asking for `words`. BadInput for sizes that no such network has.
    """
    bounded("joint", joint, 1, 4096)
    bounded("sentence", sentence, 1, 4096)
    return DualEncoder(Trunk(widths), cast(TextTower, nn.Identity()), joint, sentence)
