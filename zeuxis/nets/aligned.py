"""Two heads that bring frozen picture features and frozen sentence vectors into one space.

The space is CLIP's (Radford et al. 2021, arXiv 2103.00020). Both towers stay as they are, as in LiT (Zhai et al. 2022,
arXiv 2111.07991) and FuseMix (Vouitsis et al. 2024, arXiv 2312.10144): what is trained sees cached vectors only, and
takes minutes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import bounded

LIMIT = 6.0  # standard deviations; a search cannot push a feature further


class AlignedHeads(nn.Module):
    """Features (N, D) and sentence vectors (N, S) -> unit vectors (N, E). BadInput for sizes that no such net has.

    `log_scale` is the log of the inverse temperature, `bias` the sigmoid loss's (Zhai et al. 2023, arXiv 2303.15343).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, joint: int = 256, hidden: int = 512, sentence: int = 384) -> None:
        super().__init__()
        for name, value in (("features", features), ("joint", joint), ("hidden", hidden), ("sentence", sentence)):
            bounded(name, value, 1, 2**16)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.image_head, self.image_bend = nn.Linear(features, joint), _bend(features, hidden, joint)
        self.text_head, self.text_bend = nn.Linear(sentence, joint), _bend(sentence, hidden, joint)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.bias = nn.Parameter(torch.tensor(-10.0))

    def standard(self, features: Tensor) -> Tensor:
        """Features (N, D) as they come -> mean 0, deviation 1 over the training pictures, softly within +-6."""
        return LIMIT * torch.tanh((features.float() - self.mean) / (LIMIT * self.deviation))

    def image(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, E)."""
        return self.joined(self.standard(features))

    def joined(self, standard: Tensor) -> Tensor:
        """Standardised features (N, D) -> (N, E)."""
        return F.normalize(self.image_head(standard) + self.image_bend(standard), dim=1)

    def sentence(self, s: Tensor) -> Tensor:
        """Sentence vectors of the text tower (N, S) -> (N, E)."""
        return F.normalize((self.text_head(s) + self.text_bend(s)).float(), dim=1)


def _bend(cin: int, hidden: int, cout: int) -> nn.Sequential:
    first, last = nn.Linear(cin, hidden), nn.Linear(hidden, cout)
    nn.init.zeros_(last.weight)
    return nn.Sequential(first, nn.GELU(), nn.Dropout(0.1), last)
