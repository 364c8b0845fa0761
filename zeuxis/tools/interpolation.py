"""Animations from seed to seed: along great circles where the prior is a sphere of normal draws, straight elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.pictures.animation import CLOCKS, check_animation_place, timed, write_mp4, write_timed
from zeuxis.pictures.enlarge import SHOWN, Enlarge, enlarged
from zeuxis.storage.files import make_folder
from zeuxis.tools.sheets import draw, latents_of

MOST_FRAMES = 20_000
MOST_PIXELS = 4_000_000_000  # of all frames together
AT_ONCE = 64  # frames drawn before they are written


def interpolate(
    generator: Generator,
    seeds: Sequence[int],
    out: Path,
    *,
    frames: int = 60,
    rate: int = 30,
    loop: bool = False,
    enlarge: Enlarge = SHOWN,
) -> Path:
    """`frames` pictures from each seed to the next, as .gif, .webp or .mp4. BadInput, or MissingExtra for an mp4."""
    if len(seeds) < 2:
        raise BadInput(f"Expected at least two seeds to go between, got {len(seeds)}.")
    stops = latents_of(generator, [*seeds, seeds[0]] if loop else seeds)
    return animate(generator, stops, out, frames=frames, rate=rate, enlarge=enlarge)


def animate(
    generator: Generator, stops: Tensor, out: Path, *, frames: int = 60, rate: int = 30, enlarge: Enlarge = SHOWN
) -> Path:
    """The same from latent to latent of `stops` `(N, D)`, two at least."""
    check_animation_place(out)
    side = generator.resolution * max(1, math.ceil(enlarge.across / generator.resolution))
    most = min(MOST_FRAMES, MOST_PIXELS // side**2) // (len(stops) - 1)
    if not 1 <= frames <= most:
        raise BadInput(f"Expected from 1 to {most} frames between seeds at {side} pixels, got {frames}.")
    x = generator.space.clip(torch.cat([between(a, b, frames) for a, b in pairwise(stops)]))
    make_folder(out.parent)
    clock = CLOCKS.get(out.suffix.lower())
    if clock is None:
        return write_mp4(_pages(generator, x, enlarge), rate, out)
    shown, ticks = timed(len(x), rate, clock)
    return write_timed(_pages(generator, x[shown], enlarge), ticks, out)


def _pages(generator: Generator, x: Tensor, enlarge: Enlarge) -> Iterator[np.ndarray]:
    """The pictures of latents `(N, D)` one by one, so that a long animation fits into memory."""
    for piece in torch.split(x, AT_ONCE):
        yield from (enlarged(picture, enlarge) for picture in draw(generator, piece))


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
