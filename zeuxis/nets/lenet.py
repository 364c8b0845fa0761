"""LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998), figure
2; with ReLU and max pooling, as it is taught today. The published file is from csinva's gan-vae-pretrained-pytorch.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.layers import bounded

CLASSES, WIDTHS = 10, (6, 16, 120, 84)


class LeNet(nn.Module):
    """Pictures (N, 3, 32, 32) in [-1, 1], light digits on black -> logits (N, classes). It sees their grey values."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.classes = bounded("classes", classes, 1, 10_000)
        a, b, c, d = WIDTHS
        self.c1, self.c3, self.c5 = nn.Conv2d(1, a, 5), nn.Conv2d(a, b, 5), nn.Conv2d(b, c, 5)
        self.f6, self.f7 = nn.Linear(c, d), nn.Linear(d, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, classes)."""
        h = self.features(x)
        logits: Tensor = self.f7(h)
        return logits

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, 84): what the last layer sees, for distances between sets of digits."""
        h = x.mean(1, keepdim=True) / 2 + 0.5  # grey, 0 to 1, as in its training
        h = F.max_pool2d(F.relu(self.c1(h)), 2)
        h = F.max_pool2d(F.relu(self.c3(h)), 2)
        h = F.relu(self.c5(h)).flatten(1)
        return F.relu(self.f6(h))
