"""How the best picture came about: GIF and MP4 of the best latent over the generations, drawn again from the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zeuxis.pictures.animation import import_ffmpeg as import_ffmpeg
from zeuxis.pictures.animation import write_mp4 as write_video
from zeuxis.pictures.animation import write_timed
from zeuxis.pictures.enlarge import Enlarge, enlarged
from zeuxis.pictures.grid import to_pixels
from zeuxis.run.folder import RunFolder

Render = Callable[[Tensor, int], Tensor]  # (N, D) and a generation -> (N, 3, H, W), as Problem.render

ENLARGED = 256  # pixels across, at least
CAPTION = 20  # height of the line below the picture
PER_GENERATION, SHORTEST, LONGEST, LAST = 60, 160, 1200, 2500  # milliseconds that a picture is held: whole hundredths
MP4_RATE = 25  # frames per second


@dataclass(frozen=True)
class Frame:
    """`pixels` `(H, W, 3)` uint8 was the best picture from `generation` on, for `held` generations."""

    generation: int
    score: float
    pixels: np.ndarray
    held: int

    @property
    def milliseconds(self) -> int:
        """How long to show it."""
        return min(LONGEST, max(SHORTEST, PER_GENERATION * self.held))


def best_frames(folder: RunFolder, render: Render) -> list[Frame]:
    """One frame for each time the best of the run changed, in order. RunError while nothing was scored."""
    bests, end = folder.bests(), folder.generations
    pixels = to_pixels(render(torch.stack([best.latent for best in bests]), end - 1))  # (K, H, W, 3)
    until = [*(best.generation for best in bests[1:]), end]
    return [
        Frame(best.generation, best.score, picture, later - best.generation)
        for best, picture, later in zip(bests, pixels, until, strict=True)
    ]


def write_gif(frames: Sequence[Frame], path: Path) -> Path:
    """An endless GIF; the last picture stays longest."""
    return write_timed(map(_page, frames), [held // 10 for held in _durations(frames)], path)


def write_mp4(frames: Sequence[Frame], path: Path) -> Path:
    """The same as H.264 video. MissingExtra without imageio-ffmpeg."""
    return write_video(_repeated(frames, _durations(frames)), MP4_RATE, path)


def _durations(frames: Sequence[Frame]) -> list[int]:
    return [*(frame.milliseconds for frame in frames[:-1]), LAST]


def _repeated(frames: Sequence[Frame], milliseconds: Sequence[int]) -> Iterator[np.ndarray]:
    for frame, duration in zip(frames, milliseconds, strict=True):
        page = _page(frame)
        for _ in range(max(1, round(duration * MP4_RATE / 1000))):
            yield page


def _page(frame: Frame) -> np.ndarray:
    """The enlarged picture with generation and score below it, `(H', W', 3)` uint8."""
    picture = enlarged(frame.pixels, Enlarge(ENLARGED))
    sheet = Image.new("RGB", (picture.shape[1], picture.shape[0] + CAPTION), (24, 24, 24))
    sheet.paste(Image.fromarray(picture))
    words = f"generation {frame.generation}    score {frame.score:.4f}"
    ImageDraw.Draw(sheet).text((6, picture.shape[0] + 4), words, (230, 230, 230), ImageFont.load_default())
    return np.asarray(sheet)
