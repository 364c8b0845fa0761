"""A picture as a small network from a place to a colour, whose weights are the latent; nothing was trained.

SIREN: Sitzmann et al., "Implicit neural representations with periodic activation functions" (2020),
https://arxiv.org/abs/2006.09661 ; weights drawn as in its section 3.2. deep-daze turns such a network by CLIP's
gradient.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded
from zeuxis.spaces import Fixed, Normal, check

OUTPUT = 2.0  # deviation of the logits of a colour
PHASE = math.pi / math.sqrt(3)  # deviation of a phase that is uniform over a turn


class Siren:
    """Genes: weights and biases of sine layers, standard normal, times what each layer is drawn with.

    resolution  pixels a side, 16 to 512
    width       units of a layer, 4 to 96
    depth       sine layers, 1 to 6
    frequency   omega_0: how fine the waves of the first layer are; 30 in the paper, for larger pictures
    """

    name = "siren"

    def __init__(
        self,
        device: torch.device | None = None,
        *,
        resolution: int = 64,
        width: int = 32,
        depth: int = 3,
        frequency: float = 10.0,
    ) -> None:
        self.resolution = bounded("resolution of siren", resolution, 16, 512)
        self.width, self.depth = bounded("width of siren", width, 4, 96), bounded("depth of siren", depth, 1, 6)
        if isinstance(frequency, bool) or not isinstance(frequency, int | float) or not 0.1 <= frequency <= 100:
            raise BadInput(f"Expected frequency of siren from 0.1 to 100, got {frequency!r:.40}.")
        self.device = device or torch.device("cpu")
        self.exact = torch.float32 if self.device.type == "mps" else torch.float64  # rounding must not show
        self.dtype = torch.float32
        self.sha256 = hashlib.sha256(b"zeuxis siren 1").hexdigest()  # raise the number when a pixel changes
        widths = [2, *[width] * depth, 3]
        # Section 3.2: W ~ U(-sqrt(6 / n), sqrt(6 / n)) / omega_0 before sin(omega_0 W x), so a deviation of sqrt(2 / n)
        # in all; in the first layer U(-1 / n, 1 / n), n = 2
        self._layers, scales = [], []
        for number, (n, m) in enumerate(pairwise(widths)):
            weight, bias = math.sqrt(2 / n), 0.5
            if number == 0:
                weight, bias = frequency / (2 * math.sqrt(3)), PHASE
            elif number == depth:
                weight, bias = OUTPUT * math.sqrt(2 / n), 0.5
            self._layers.append((n, m))
            scales += [torch.full((n * m,), weight), torch.full((m,), bias)]
        scale = torch.cat(scales).double()
        self.space = Normal(len(scale), bound=4.0)
        line = (torch.arange(resolution, dtype=torch.float64) + 0.5) * (2 / resolution) - 1
        down, across = torch.meshgrid(line, line, indexing="ij")
        self._fixed = Fixed(scale, torch.stack([across.flatten(), down.flatten()], dim=1))  # (P, 2)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Colour in `dtype`; the waves stay exact, and images come out as float32."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        x = check(self.space, x).to(self.device, self.exact)
        scale, places = (value.to(self.exact) for value in self._fixed.on(self.device))
        genes, first = x * scale, 0
        h = places[None].expand(len(x), -1, -1)  # (N, P, 2)
        for number, (n, m) in enumerate(self._layers):
            weight = genes[:, first : first + n * m].reshape(-1, n, m)
            bias = genes[:, first + n * m : first + n * m + m]
            first += n * m + m
            h = torch.baddbmm(bias[:, None], h, weight)  # (N, P, m)
            h = h if number == self.depth else torch.sin(h)
        colours = torch.sigmoid(h.to(self.dtype)).float()
        return colours.transpose(1, 2).reshape(len(x), 3, self.resolution, self.resolution)

    def describe(self, x: Tensor) -> str:
        """Nothing to say: weights have no names."""
        return ""
