"""Colours and scenes, measured in the pixels of small images. Rules of thumb, tuned by looking; no network."""

from __future__ import annotations

import torch
from torch import Tensor

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "grey", "white")
SCENES = (
    "under a blue sky", "on grass", "at night", "on a white background", "on a black background", "on blue water",
    "on sand",
)  # fmt: skip


def colour_map(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> int64 (N, H, W): the number in COLOURS that each pixel is called.

    Lightness, chroma and hue of the RGB hexagon; brown is dark orange, pink is light red or magenta.
    """
    x = pixels.float() / 255
    top, low = x.amax(-1), x.amin(-1)
    chroma = top - low
    light = (top + low) / 2
    r, g, b = x.unbind(-1)
    safe = chroma.clamp(min=1e-6)
    hue = (
        torch.where(top == r, ((g - b) / safe) % 6, torch.where(top == g, (b - r) / safe + 2, (r - g) / safe + 4)) * 60
    )
    edges = torch.tensor([15.0, 42.0, 70.0, 165.0, 260.0, 305.0, 345.0])  # degrees between neighbours
    wheel = torch.tensor([0, 1, 2, 3, 4, 5, 6, 0])  # red orange yellow green blue purple pink red
    name = wheel[torch.bucketize(hue, edges)]
    saturation = chroma / (1 - (2 * light - 1).abs()).clamp(min=1e-3)
    name = torch.where((name == 1) & (light < 0.45), torch.tensor(7), name)  # dark orange
    name = torch.where((name == 1) & (saturation < 0.5) & (light < 0.65), torch.tensor(7), name)
    name = torch.where((name == 0) & (light > 0.7), torch.tensor(6), name)  # light red
    name = torch.where((name == 0) & (saturation < 0.45), torch.tensor(7), name)
    grey = (chroma < 0.09) | ((saturation < 0.16) & (light > 0.25))
    shade = torch.where(light < 0.18, torch.tensor(8), torch.where(light > 0.78, torch.tensor(10), torch.tensor(9)))
    name = torch.where(grey, shade, name)
    return torch.where(light < 0.1, torch.tensor(8), name)


def histogram(names: Tensor, weight: Tensor) -> Tensor:
    """Shares of the colours: (N, H, W), (H, W) -> (N, 11), rows sum to 1."""
    flat = names.flatten(1)
    out = torch.zeros(len(flat), len(COLOURS))
    out.scatter_add_(1, flat, weight.flatten().expand(len(flat), -1).contiguous())
    return out / weight.sum()


def main_colour(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> int64 (N,): the colour of what stands in the middle, -1 when none is clear.

    The share of a colour in the middle counts, less half of its share along the border.
    """
    size = pixels.shape[1]
    place = torch.linspace(-1, 1, size)
    middle = torch.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 0.4**2))
    border = ((place[:, None].abs() > 0.8) | (place[None].abs() > 0.8)).float()
    names = colour_map(pixels)
    inside, outside = histogram(names, middle), histogram(names, border)
    bright = torch.tensor([1.25, 1.15, 1.3, 1.15, 1.0, 1.4, 1.3, 1.0, 0.75, 0.6, 0.85])  # strong colours stand out
    salience = (inside - 0.5 * outside) * bright
    best, which = salience.max(1)
    second = salience.scatter(1, which[:, None], -1).amax(1)
    clear = (best > 0.16) & (inside.gather(1, which[:, None]).squeeze(1) > 0.25) & (best - second > 0.05)
    return torch.where(clear, which, torch.tensor(-1))


def scenes(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> bool (N, 7): which of SCENES can be seen."""
    size = pixels.shape[1]
    names = colour_map(pixels)
    light = (pixels.float().amax(-1) + pixels.float().amin(-1)) / 510
    upper, lower = torch.zeros(size, size), torch.zeros(size, size)
    upper[: size // 4], lower[-size // 4 :] = 1, 1
    frame = torch.zeros(size, size)
    frame[: size // 10], frame[-size // 10 :], frame[:, : size // 10], frame[:, -size // 10 :] = 1, 1, 1, 1
    top, bottom, around = (histogram(names, mask) for mask in (upper, lower, frame))
    bright_top = (light * upper).sum((1, 2)) / upper.sum()
    sand = bottom[:, 1] + bottom[:, 2] + bottom[:, 7]
    found = [
        (top[:, 4] > 0.6) & (bright_top > 0.4),
        bottom[:, 3] > 0.5,
        (light.mean((1, 2)) < 0.25) & (bright_top < 0.2),
        around[:, 10] > 0.75,
        around[:, 8] > 0.75,
        bottom[:, 4] > 0.6,
        (sand > 0.75) & ((light * lower).sum((1, 2)) / lower.sum() > 0.4),
    ]
    return torch.stack(found, 1)
