"""Pictures of numbered seeds, without a search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.compute.micro_batches import at_once, over_micro_batches
from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.pictures.enlarge import Enlarge
from zeuxis.pictures.grid import grid, picture_png, to_pixels
from zeuxis.pictures.metadata import PictureInfo
from zeuxis.pictures.writing import check_picture_place, encoded
from zeuxis.rng import stream
from zeuxis.storage.files import atomic_write, make_folder

MICRO_BATCH = 8
MOST = 4096


def parse_seeds(text: str) -> list[int]:
    """ "0-3,7" -> [0, 1, 2, 3, 7]. BadInput for anything else."""
    seeds: list[int] = []
    for piece in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,18})(?:\s*-\s*(\d{1,18}))?\s*", piece)
        if not found:
            raise BadInput(f"Expected seeds like 0-31 or 1,5,9, got {text[:60]!r}.")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first >= MOST:
            raise BadInput(f"Expected at most {MOST} seeds in rising order, got {piece.strip()!r}.")
        seeds += range(first, last + 1)
    return seeds


def latents_of(generator: Generator, seeds: Sequence[int]) -> Tensor:
    """`(N, D)`: each seed's own draw from the prior, the same whatever seeds stand beside it."""
    return torch.cat([generator.space.sample(1, stream(seed, "sample")) for seed in seeds])


@torch.no_grad()
def draw(generator: Generator, x: Tensor) -> np.ndarray:
    """`(N, D)` -> `(N, H, W, 3)` uint8, in fixed micro-batches."""
    threads = at_once(generator.device, generator.resolution)
    pieces = over_micro_batches(generator.render, x.to(generator.device), MICRO_BATCH, threads)
    return np.concatenate([to_pixels(images[:count]) for images, count in pieces])


def sample(
    generator: Generator,
    seeds: Sequence[int],
    out: Path,
    *,
    each: bool = False,
    options: dict[str, Any] | None = None,
    enlarge: Enlarge | None = None,
) -> list[Path]:
    """A grid of the seeds' pictures at `out`, whose ending says its kind; `each` writes them one by one as PNG beside
    it, as they were drawn and with their metadata. BadInput for a place or an ending that cannot be.
    """
    check_picture_place(out)
    x = latents_of(generator, seeds)
    pixels = draw(generator, x)
    written = [save(out, encoded(grid(pixels, [f"seed {seed}" for seed in seeds], None, enlarge), out))]
    if each:
        folder = out.with_suffix("")
        for seed, latent, picture in zip(seeds, x, pixels, strict=True):
            info = info_of(generator, latent, seed, options or {})
            written.append(save(folder / f"seed{seed:04d}.png", picture_png(picture, info)))
    return written


def info_of(generator: Generator, latent: Tensor, seed: int, options: dict[str, Any], title: str = "") -> PictureInfo:
    """What a picture drawn without a search says about itself; `zeuxis replay` reads it."""
    return PictureInfo(
        prompt=title or f"seed {seed}",
        latent=tuple(latent.tolist()),
        generator=generator.name,
        sha256=generator.sha256,
        seed=seed,
        generation=0,
        score=None,
        micro_batch=MICRO_BATCH,
        precision="fp32",
        device=generator.device.type,
        options=options,
    )


def save(path: Path, data: bytes) -> Path:
    """Write a file and the folders above it, atomically."""
    make_folder(path.parent)
    atomic_write(path, data)
    return path
