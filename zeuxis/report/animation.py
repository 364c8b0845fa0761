"""How the best picture came about: GIF and MP4 of the best latent over the generations, drawn again from the log."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zeuxis.errors import MissingExtra
from zeuxis.pictures.grid import to_pixels
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import PART, unwritable

Render = Callable[[Tensor, int], Tensor]  # (N, D) and a generation -> (N, 3, H, W), as Problem.render

ENLARGED = 256  # pixels across, at least
CAPTION = 20  # height of the line below the picture
PER_GENERATION, SHORTEST, LONGEST, LAST = 60, 160, 1200, 2500  # milliseconds that a picture is held
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
    pages = [Image.fromarray(_page(frame)).quantize(256, dither=Image.Dither.NONE) for frame in frames]
    part = path.with_name(f".{path.name}{PART}")
    try:
        pages[0].save(part, "GIF", save_all=True, append_images=pages[1:], duration=_durations(frames), loop=0)
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def write_mp4(frames: Sequence[Frame], path: Path) -> Path:
    """The same as H.264 video. MissingExtra without imageio-ffmpeg."""
    ffmpeg = import_ffmpeg()
    part = path.with_name(f".{path.stem}{PART}.mp4")
    pages = [_even(_page(frame)) for frame in frames]
    height, width = pages[0].shape[:2]
    video = ffmpeg.write_frames(
        str(part), (width, height), fps=MP4_RATE, codec="libx264", quality=8, macro_block_size=2
    )
    try:
        video.send(None)
        for picture in _repeated(pages, _durations(frames)):
            video.send(picture)
        video.close()
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def import_ffmpeg() -> Any:
    """The package that writes videos; MissingExtra without it."""
    try:
        return importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise MissingExtra("imageio-ffmpeg", "video", "An MP4") from error


def _durations(frames: Sequence[Frame]) -> list[int]:
    return [*(frame.milliseconds for frame in frames[:-1]), LAST]


def _repeated(pages: Sequence[np.ndarray], milliseconds: Sequence[int]) -> Iterator[bytes]:
    for page, duration in zip(pages, milliseconds, strict=True):
        data = page.tobytes()
        for _ in range(max(1, round(duration * MP4_RATE / 1000))):
            yield data


def _page(frame: Frame) -> np.ndarray:
    """The enlarged picture with generation and score below it, `(H', W', 3)` uint8."""
    factor = math.ceil(ENLARGED / frame.pixels.shape[1])
    picture = frame.pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    sheet = Image.new("RGB", (picture.shape[1], picture.shape[0] + CAPTION), (24, 24, 24))
    sheet.paste(Image.fromarray(picture))
    words = f"generation {frame.generation}    score {frame.score:.4f}"
    ImageDraw.Draw(sheet).text((6, picture.shape[0] + 4), words, (230, 230, 230), ImageFont.load_default())
    return np.asarray(sheet)


def _even(page: np.ndarray) -> np.ndarray:
    """H.264 wants even sides: one more row or column where needed."""
    return np.pad(page, ((0, page.shape[0] % 2), (0, page.shape[1] % 2), (0, 0)), mode="edge")
