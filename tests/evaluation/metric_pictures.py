"""Small pictures with content, drawn by the pocket generator, and ways to spoil them by a strength from 0 to 1."""

import io
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from zeuxis.generators.pocket import Pocket
from zeuxis.rng import stream


@cache
def drawn(count, seed=0):
    """uint8 (count, 3, 32, 32)."""
    generator = Pocket(torch.device("cpu"))
    with torch.no_grad():
        images = generator.render(generator.space.sample(count, stream(seed, "pictures of tests")))
    return (images * 255).round().byte()


def noise(images, strength):
    """Gaussian."""
    shift = torch.randn(images.shape, generator=stream(0, "noise")) * 80 * strength
    return (images + shift).clamp(0, 255).byte()


def blur(images, strength):
    """By a smaller picture."""
    side = max(int(32 * (1 - 0.8 * strength)), 4)
    small = F.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)
    return F.interpolate(small, (32, 32), mode="bilinear").clamp(0, 255).byte()


def swirl(images, strength):
    """About the middle, most there."""
    place = torch.linspace(-1, 1, 32)
    y, x = torch.meshgrid(place, place, indexing="ij")
    turn = 3 * strength * torch.exp(-(x**2 + y**2) / 0.5)
    grid = torch.stack([x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()], 2)
    grid = grid.expand(len(images), -1, -1, -1)
    return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=True).clamp(0, 255).byte()


def salt_and_pepper(images, strength):
    """Pixels that become black or white."""
    hit = torch.rand(images[:, :1].shape, generator=stream(1, "salt"))
    x = torch.where(hit < 0.04 * strength, torch.tensor(0, dtype=torch.uint8), images)
    return torch.where(hit > 1 - 0.04 * strength, torch.tensor(255, dtype=torch.uint8), x)


def jpeg(images, strength):
    """Coarser and coarser."""
    if not strength:
        return images
    rows = []
    for picture in images.permute(0, 2, 3, 1).numpy():
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "JPEG", quality=int(80 - 75 * strength))
        rows.append(np.array(Image.open(data)))
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2)


def saved(images, folder, ending="png", classes=()):
    """Into a folder, in sub-folders of the classes by turns."""
    for k, picture in enumerate(images.permute(0, 2, 3, 1).numpy()):
        place = folder / classes[k % len(classes)] if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{k:03}.{ending}")
    return folder
