"""GAN losses on discriminator logits of any shape. One signature: real and fake for D, fake for G."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss (Lim and Ye 2017, arXiv 1705.02894): mean of max(0, 1 - D(x)) + max(0, 1 + D(G(z)))."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """-D(G(z))."""
    return -fake.mean()
