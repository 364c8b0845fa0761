"""Image-space drift: how far a picture is from those that the generator draws by itself, in a network's features.

Scorers are over-optimised by pictures such as no draw of the prior looks like, while the latent still looks like one:
MIRA (2025), https://arxiv.org/abs/2510.01549 , whose remedy is a distance between pictures instead of latents.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zeuxis.compute.micro_batches import MICRO_BATCH, micro_batches
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.layers import placed
from zeuxis.nets.mobilenet import load_pocket
from zeuxis.nets.picture_features import resized
from zeuxis.rng import stream
from zeuxis.scorers.bank import Draws
from zeuxis.scorers.base import Prompt

PICTURES = 512  # of the prior, the same in every run
NEIGHBOURS = 3
SIZE = 96  # pixels a side of what MobileNet sees


class Drift:
    """The scorer -max(0, d / r - 1): 0 for pictures as near to the prior's as those are to one another, else below.

    d is the distance of a picture's MobileNet v2 features to the third nearest of 512 pictures of the prior, r the
    median of that distance over these pictures. The words of the prompt do not matter; the gradient flows.
    """

    name = "drift"

    def __init__(self, generator: Draws) -> None:
        self.generator, self.device = generator, generator.device
        self.sha256 = file_sha256(pocket_path("mobilenet_v2"))
        self.net = placed(load_pocket("v2"), self.device)

    @torch.no_grad()
    def prepare(self, prompt: Prompt) -> tuple[Tensor, float]:
        """The prior's features `(512, 1280)` and r."""
        x = self.generator.space.sample(PICTURES, stream(0, "drift")).to(self.device)
        pieces = micro_batches(x, MICRO_BATCH)
        prior = torch.cat([self._features(self.generator.render(piece))[:count] for piece, count in pieces])
        nearest = torch.cdist(prior, prior).kthvalue(NEIGHBOURS + 1, dim=1).values  # the nearest of all is itself
        return prior, float(nearest.median().clamp_min(1e-6))

    def score(self, images: Tensor, prepared: tuple[Tensor, float]) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> `(N,)` float32, 0 or less."""
        return -(self.distance(images, prepared) - 1).clamp_min(0)

    def distance(self, images: Tensor, prepared: tuple[Tensor, float]) -> Tensor:
        """`(N, 3, H, W) -> (N,)`, d / r: about 1 for a picture of the prior."""
        prior, usual = prepared
        found: Tensor = torch.cdist(self._features(images), prior).kthvalue(NEIGHBOURS, dim=1).values / usual
        return found

    def set_precision(self, dtype: torch.dtype) -> None:
        """Nothing to set: distances are taken in float32."""

    def _features(self, images: Tensor) -> Any:
        return self.net.features(resized(images.float(), SIZE) * 2 - 1)
