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


def mode_seeking(one: Tensor, two: Tensor, z_one: Tensor, z_two: Tensor) -> Tensor:
    """Mode seeking (Mao et al. 2019, arXiv 1903.05628), as a loss: mean over pairs of |z1 - z2| / |G(z1) - G(z2)|.

    Pairs (N, 3, H, W) of one condition with their latents (N, D), mean absolute differences; at most 100. Large when a
    class collapses to one picture.
    """
    size = min(len(one), len(two))
    images = (one[:size] - two[:size]).abs().mean((1, 2, 3))
    latents = (z_one[:size] - z_two[:size]).abs().mean(1)
    return (latents / (images + 1e-3)).mean().clamp(max=100.0)
