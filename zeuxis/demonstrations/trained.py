"""The networks of the shipped product generator, with its names, for demonstrations that train nothing."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.generators.pocket import PocketProducts
from zeuxis.hub.model_file import build
from zeuxis.rng import stream

SOURCE = "By the shipped generator pocket-products, a small StyleGAN2 of 64 pixels (zeuxis.nets.gan.stylegan2)."


class Products:
    """z (N, 64) and a name ("red casual shoes") -> styles w, pictures in [0, 1], features of its discriminator."""

    def __init__(self) -> None:
        self.of = PocketProducts(torch.device("cpu"))
        self.net: Any = build(self.of.path, "generator")
        self.z_dim = self.of.space.spaces[0].dim  # type: ignore[attr-defined]

    @cached_property
    def discriminator(self) -> Any:
        """The discriminator that it was trained against."""
        return build(self.of.path, "discriminator")

    def z(self, count: int, seed: int, *where: str) -> Tensor:
        """(N, z_dim)."""
        return torch.randn(count, self.z_dim, generator=stream(seed, "demonstration", *where))

    def y(self, name: str, count: int) -> Tensor:
        """The labels of that name, so many times: (N, 2)."""
        return self.of.rows[self.of.labels.index(name)].expand(count, -1)

    def frequent(self, count: int) -> list[str]:
        """The names that occur most often in the training data."""
        return [self.of.labels[int(k)] for k in self.of.counts.argsort(descending=True, stable=True)[:count]]

    @torch.no_grad()
    def styles(self, z: Tensor, name: str) -> Tensor:
        """(N, z_dim) -> w (N, w_dim)."""
        return torch.as_tensor(self.net.map(z, self.y(name, len(z))))

    @torch.no_grad()
    def draw(self, w: Tensor) -> Tensor:
        """w (N, w_dim) or (N, L, w_dim) -> pictures (N, 3, 64, 64) in [0, 1]."""
        drawn = [self.net.synthesise(piece) for piece in torch.split(w, 32)]
        return (torch.cat(drawn) / 2 + 0.5).clamp(0, 1)

    def pictures(self, count: int, name: str, seed: int, *where: str) -> Tensor:
        """Pictures of one name (N, 3, 64, 64) in [0, 1]."""
        return self.draw(self.styles(self.z(count, seed, *where, name), name))

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """What the discriminator says of pictures in [0, 1], whatever their labels: (N,)."""
        return torch.cat([self.discriminator(piece * 2 - 1) for piece in torch.split(images, 32)])

    def features(self, images: Tensor, network: nn.Module | None = None) -> Tensor:
        """What the discriminator's last layer, or that of another `network`, sees of pictures in [0, 1]: (N, D)."""
        return penultimate(self.discriminator if network is None else network, images * 2 - 1)


@torch.no_grad()
def penultimate(discriminator: Any, images: Tensor) -> Tensor:
    """The input of its layer `real`: pictures (N, C, H, W) in [-1, 1] -> (N, D)."""
    seen: list[Tensor] = []
    hook = discriminator.real.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].flatten(1)))
    try:
        for piece in torch.split(images, 32):
            discriminator(piece)
    finally:
        hook.remove()
    return torch.cat(seen)
