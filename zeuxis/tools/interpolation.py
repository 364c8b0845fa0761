"""Films from seed to seed: along great circles where the prior is a sphere of normal draws, straight elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.report.animation import import_ffmpeg
from zeuxis.tools.sheets import draw, latents_of

MOST_FRAMES = 20_000


def interpolate(
    generator: Generator, seeds: Sequence[int], out: Path, *, frames: int = 60, rate: int = 30, loop: bool = False
) -> Path:
    """`frames` pictures from each seed to the next, as .gif or .mp4. BadInput, or MissingExtra for an mp4."""
    if len(seeds) < 2:
        raise BadInput(f"Expected at least two seeds to go between, got {len(seeds)}.")
    if out.suffix not in (".gif", ".mp4"):
        raise BadInput(f"Expected a file .gif or .mp4, got {out.name!r}.")
    stops = latents_of(generator, [*seeds, seeds[0]] if loop else seeds)
    if not 1 <= frames <= MOST_FRAMES // (len(stops) - 1):
        raise BadInput(f"Expected from 1 to {MOST_FRAMES // (len(stops) - 1)} frames between seeds, got {frames}.")
    if out.suffix == ".mp4":
        import_ffmpeg()  # missing is to be found before minutes of drawing
    x = torch.cat([between(a, b, frames) for a, b in pairwise(stops)])
    pixels = draw(generator, generator.space.clip(x))
    out.parent.mkdir(parents=True, exist_ok=True)
    return _gif(pixels, out, rate) if out.suffix == ".gif" else _mp4(pixels, out, rate)


def between(a: Tensor, b: Tensor, frames: int) -> Tensor:
    """`(frames, D)` from a `(D,)` up to, not with, b: slerp, so that lengths stay those of the prior.

    White, "Sampling generative networks" (2016), https://arxiv.org/abs/1609.04468 , section 2.1.
    """
    t = torch.linspace(0, 1, frames + 1)[:-1, None]
    length = a.norm() * b.norm()
    cosine = (a @ b / length.clamp_min(1e-12)).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if float(length) == 0 or float(angle.sin()) < 1e-4:
        return torch.lerp(a[None], b[None], t)
    along: Tensor = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / angle.sin()
    return along


def _gif(pixels: np.ndarray, out: Path, rate: int) -> Path:
    pages = [Image.fromarray(p).quantize(256, dither=Image.Dither.NONE) for p in pixels]
    part = out.with_name(f".{out.name}.part")
    pages[0].save(part, "GIF", save_all=True, append_images=pages[1:], duration=max(20, 1000 // rate), loop=0)
    part.replace(out)
    return out


def _mp4(pixels: np.ndarray, out: Path, rate: int) -> Path:
    ffmpeg = import_ffmpeg()
    part = out.with_name(f".{out.stem}.part.mp4")
    height, width = pixels.shape[1:3]
    video = ffmpeg.write_frames(str(part), (width, height), fps=rate, codec="libx264", quality=8, macro_block_size=2)
    video.send(None)
    for picture in pixels:
        video.send(np.ascontiguousarray(picture).tobytes())
    video.close()
    part.replace(out)
    return out
