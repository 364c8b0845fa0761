"""What a generator is: latents -> images, and perhaps an opinion on realism. How any network's colours become RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.spaces import Space

if TYPE_CHECKING:
    from zeuxis.hub.header import Model

COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}


@runtime_checkable
class Generator(Protocol):
    """Latents `(N, D)` float32 -> images `(N, 3, H, W)` float32 in [0, 1], deterministic per latent.

    `sha256` names the exact weights. `set_precision` picks the type the network computes in
    (`torch.float32` or `torch.bfloat16`); what comes out is float32 either way.
    """

    name: str
    sha256: str
    space: Space
    resolution: int
    device: torch.device

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, H, W)`."""
        ...

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on."""
        ...

    def describe(self, x: Tensor) -> str:
        """One latent `(D,)` in words a person can read, e.g. "62 % fire truck, 25 % bus"; "" for none."""
        ...


@runtime_checkable
class HasRealism(Protocol):
    """A generator whose discriminator came with it."""

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W) -> (N,)`, the discriminator's output, higher is more real."""
        ...


def layer_sizes(generator: Any) -> list[int]:
    """For each style of a generator the pixels of the layer that it steers; [] where it has none."""
    return list(generator.layer_sizes()) if hasattr(generator, "layer_sizes") and hasattr(generator, "styles") else []


def check_colours(model: Model) -> int:
    """How many channels the pictures of a model file's generator have. WeightsRefused unless 1, 3 or 4.

    Every generator that draws from a file asks this before it loads a weight.
    """
    facts = model.parts.get("generator", {})
    count = facts.get("img_channels", facts.get("channels"))
    layers = facts.get("layers")
    if isinstance(layers, list) and layers and isinstance(layers[-1], dict):  # StyleGAN3: what its last layer gives
        count = layers[-1].get("out_channels")
    count = count if type(count) is int else 3
    if count not in COLOURS:
        known = ", ".join(f"{n} ({name})" for n, name in COLOURS.items())
        raise WeightsRefused(model.known_as, f"draws pictures of {count} channels, expected {known}; use another one")
    return count


def as_rgb(images: Tensor) -> Tensor:
    """Pictures `(N, C, H, W)` in [0, 1] -> `(N, 3, H, W)`: grey three times, RGBA (straight alpha) on white."""
    channels = images.shape[1]
    if channels == 3:
        return images
    if channels == 1:
        return images.expand(-1, 3, -1, -1).contiguous()
    if channels != 4:
        raise BadInput(f"Expected pictures of 1, 3 or 4 channels, got {channels}.")
    alpha = images[:, 3:]
    return images[:, :3] * alpha + (1 - alpha)


def as_judged(images: Tensor, channels: int, name: str) -> Tensor:
    """RGB pictures `(N, 3, H, W)` as a discriminator of `channels` knows them: grey is the mean of the three.

    BadInput for one of RGBA: the transparency is not kept.
    """
    if channels == 3:
        return images
    if channels == 1:
        return images.mean(dim=1, keepdim=True)
    raise BadInput(
        f"The discriminator of {name} judges pictures of {channels} channels, which are not kept. Set realism to 0."
    )
