"""The pocket judge for a thousand classes: MobileNet v1 (Howard et al. 2017, arXiv 1704.04861), trained by Google.

No network of this project had a part in its training, and it has no part in a search: it only says what it sees.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.layers import exact_convolutions
from zeuxis.nets.mobilenet import MobileNetV1
from zeuxis.scorers.image_classifier import BATCH, ImageClassifier


class MobileNetJudge(ImageClassifier):
    """ImageNet's 1000 classes, and everyday words for groups of them (zeuxis.scorers.imagenet_words).

    score = the probability of the classes that the words of the prompt name, summed; NaN where they name none.
    """

    name = "mobilenet-v1"
    net: MobileNetV1

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__(pocket_path("mobilenet_v1"), device)

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size -> `(N, 512)` float32: pooled features, for distances between sets.

        They belong to a network that took no part in the search. BadInput for other shapes.
        """
        with exact_convolutions():
            return torch.cat([self.net.features(self._shown(piece)) for piece in torch.split(images, BATCH)])
