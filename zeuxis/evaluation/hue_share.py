"""Where in a picture a colour is: inside and outside of the object, which is told from a flat ground or by its place.

A ground is flat where most of the border has one colour, as in product photos on white: then the object is what differs
from it. Elsewhere the object is taken to be the middle, and the border what is outside of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput

NEAR = 0.12  # RMS over the channels within which a pixel has the colour of the ground
FLAT = 0.8  # share of the border that must be near its median for a flat ground
RADIUS = 0.5  # of the middle, in half widths; the border begins at 0.85
BORDER = 0.85
LEAST = 0.02  # share of the picture that an object covers at least


@dataclass(frozen=True)
class Regions:
    """Masks `(N, H, W)` of the object and of what is outside; `flat` `(N,)` whether a flat ground told them apart."""

    inside: Tensor
    outside: Tensor
    flat: Tensor


def regions(pixels: Tensor) -> Regions:
    """Of pictures uint8 `(N, 3, H, W)`. BadInput for other shapes."""
    if pixels.ndim != 4 or pixels.shape[1] != 3 or min(pixels.shape) < 1 or min(pixels.shape[2:]) < 8:
        raise BadInput(f"Expected pictures (N, 3, H, W) of 8 pixels at least, got {tuple(pixels.shape)}.")
    x = pixels.float() / 255
    height, width = x.shape[2:]
    down, across = (torch.linspace(-1, 1, size).abs() for size in (height, width))
    far = torch.maximum(down[:, None], across[None])  # 0 in the middle, 1 along the border
    middle, border = far <= RADIUS, far >= BORDER
    ground = x[:, :, border].median(2).values  # (N, 3)
    near = (x - ground[:, :, None, None]).square().mean(1).sqrt() <= NEAR  # (N, H, W)
    covered = (~near).float().mean((1, 2))
    flat = (near[:, border].float().mean(1) >= FLAT) & (covered >= LEAST) & (covered <= 1 - LEAST)
    inside = torch.where(flat[:, None, None], ~near, middle.expand_as(near))
    outside = torch.where(flat[:, None, None], near, border.expand_as(near))
    return Regions(inside, outside, flat)


def shares(named: Tensor, colour: int, found: Regions) -> tuple[Tensor, Tensor]:
    """The share of a colour inside and outside, `(N,)` each, of pixels `(N, H, W)` that are called by number."""
    if named.shape != found.inside.shape:
        raise BadInput(f"Expected a colour for each pixel {tuple(found.inside.shape)}, got {tuple(named.shape)}.")
    hit = (named == colour).float()
    inner, outer = ((hit * mask).sum((1, 2)) / mask.sum((1, 2)).clamp_min(1) for mask in (found.inside, found.outside))
    return inner, outer
