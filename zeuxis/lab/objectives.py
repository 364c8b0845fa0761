"""GAN objectives on discriminator logits of any shape, by the name that recipes use.

One signature: `discriminator(real, fake) -> loss`, `generator(fake) -> loss`; scalars to be minimised.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from zeuxis.registry import Entry, Table

OBJECTIVES = Table(
    "GAN objective",
    {
        "hinge": Entry("zeuxis.lab.objectives:Hinge", "Lim and Ye 2017, arXiv 1705.02894"),
        "non-saturating": Entry("zeuxis.lab.objectives:NonSaturating", "Goodfellow et al. 2014, arXiv 1406.2661"),
        "least-squares": Entry("zeuxis.lab.objectives:LeastSquares", "Mao et al. 2017, arXiv 1611.04076"),
        "wasserstein": Entry("zeuxis.lab.objectives:Wasserstein", "Arjovsky et al. 2017, arXiv 1701.07875"),
    },
)


class Hinge:
    """D: mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))); G: -mean D(G(z))."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real and of generated pictures -> scalar."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Logits of generated pictures -> scalar."""
        return -fake.mean()


class NonSaturating:
    """Section 3, with log sigmoid written as softplus. D: -log s(D(x)) - log(1 - s(D(G(z)))); G: -log s(D(G(z)))."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real and of generated pictures -> scalar."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Logits of generated pictures -> scalar."""
        return F.softplus(-fake).mean()


class LeastSquares:
    """Eq. 9, labels 0 and 1. D: (D(x) - 1)^2 / 2 + D(G(z))^2 / 2; G: (D(G(z)) - 1)^2 / 2."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Outputs for real and for generated pictures -> scalar."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, fake: Tensor) -> Tensor:
        """Outputs for generated pictures -> scalar."""
        return (fake - 1).square().mean() / 2


class Wasserstein:
    """D: mean D(G(z)) - mean D(x), an estimate of minus the distance; G: -mean D(G(z)). Needs a penalty on slopes."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Values of real and of generated pictures -> scalar."""
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Values of generated pictures -> scalar."""
        return -fake.mean()


def mode_seeking(one: Tensor, two: Tensor, z_one: Tensor, z_two: Tensor) -> Tensor:
    """Mode seeking (Mao et al. 2019, arXiv 1903.05628), as a loss: mean over pairs of |z1 - z2| / |G(z1) - G(z2)|.

    Pairs (N, C, H, W) of one condition with their latents (N, D), mean absolute differences; at most 100. Large when a
    class collapses to one picture.
    """
    size = min(len(one), len(two))
    images = (one[:size] - two[:size]).abs().mean((1, 2, 3))
    latents = (z_one[:size] - z_two[:size]).abs().mean(1)
    return (latents / (images + 1e-3)).mean().clamp(max=100.0)
