"""Penalties on the slope of a discriminator, by the name that recipes use, computed in float32 and without autocast.

Each is `penalty(D, real, fake, y_real, y_fake, rng) -> scalar`, times its weight in the loss of D. `every` n steps
(lazy, Karras et al. 2020, appendix B) it is n times as heavy. It differentiates a gradient, which a compiled network
cannot: give the plain one. A penalty whose own gradient to the weights is zero does nothing: tests hold each against
that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zeuxis.registry import Entry, Table

PENALTIES = Table(
    "penalty",
    {
        "r1": Entry("zeuxis.lab.penalties:r1", "slope at real pictures, Mescheder et al. 2018, arXiv 1801.04406"),
        "r2": Entry("zeuxis.lab.penalties:r2", "slope at generated pictures, the same"),
        "gradient": Entry("zeuxis.lab.penalties:gradient", "a slope of 1, Gulrajani et al. 2017, arXiv 1704.00028"),
    },
)

Network = Callable[..., Any]


def _squared_slope(discriminator: Network, images: Tensor, y: Tensor) -> Tensor:
    """|d D(x) / d x|^2 for each picture: (N, C, H, W), (N, L) -> (N,)."""
    images = images.detach().float().requires_grad_(True)
    with torch.autocast(images.device.type, enabled=False):
        logits: Tensor = discriminator(images, y)
        (slope,) = torch.autograd.grad(logits.float().sum(), images, create_graph=True)
    return slope.square().sum((1, 2, 3))


def r1(
    discriminator: Network, real: Tensor, fake: Tensor, y_real: Tensor, y_fake: Tensor, rng: torch.Generator
) -> Tensor:
    """Eq. 9: half the mean squared slope at real pictures."""
    return _squared_slope(discriminator, real, y_real).mean() / 2


def r2(
    discriminator: Network, real: Tensor, fake: Tensor, y_real: Tensor, y_fake: Tensor, rng: torch.Generator
) -> Tensor:
    """Eq. 10: half the mean squared slope at generated pictures."""
    return _squared_slope(discriminator, fake, y_fake).mean() / 2


def gradient(
    discriminator: Network, real: Tensor, fake: Tensor, y_real: Tensor, y_fake: Tensor, rng: torch.Generator
) -> Tensor:
    """Eq. 3: mean (|slope| - 1)^2 at points drawn uniformly between a real and a generated picture, the real labels."""
    place = torch.rand(len(real), 1, 1, 1, generator=rng).to(real.device)
    between = torch.lerp(real.float(), fake.float(), place)
    return ((_squared_slope(discriminator, between, y_real) + 1e-12).sqrt() - 1).square().mean()
