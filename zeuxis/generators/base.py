"""What a generator is: latents -> images, and perhaps an opinion on realism. How any network's colours become RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.rng import stream
from zeuxis.spaces import Space

if TYPE_CHECKING:
    from zeuxis.hub.header import Model

RANGE = 1e-3  # of colours beyond [0, 1], by rounding
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


def check_drawn(generator: Generator, name: str) -> None:
    """BadInput for a generator whose pictures or words are not what the protocol asks for, seen at two draws."""
    size, count = generator.resolution, 2
    if not isinstance(size, int) or size < 1:
        raise BadInput(f"Expected the resolution of the generator {name!r} to be a whole number, got {size!r:.40}.")
    if not hasattr(generator.space, "sample"):
        raise BadInput(f"Expected the space of the generator {name!r} to be one of zeuxis.spaces, got "
                       f"{type(generator.space).__name__}.")  # fmt: skip
    x = generator.space.sample(count, stream(0, "check")).to(generator.device)
    with torch.no_grad():
        images = generator.render(x)
    got = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
    if got != f"torch.float32 {(count, 3, size, size)}":
        raise BadInput(
            f"Expected the generator {name!r} to draw {count} latents as torch.float32 {(count, 3, size, size)}, got "
            f"{got}. What render gives: zeuxis.generators.base.Generator."
        )
    low, high = float(images.min()), float(images.max())
    if low < -RANGE or high > 1 + RANGE:
        raise BadInput(
            f"Expected the pictures of the generator {name!r} in [0, 1], got values from {low:.3g} to {high:.3g}. "
            "Scale them, e.g. by (images / 2 + 0.5).clamp(0, 1) or images / 255."
        )
    if not isinstance(words := generator.describe(x[0].cpu()), str):
        raise BadInput(f"Expected describe of the generator {name!r} to give a text, got {type(words).__name__}.")


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
