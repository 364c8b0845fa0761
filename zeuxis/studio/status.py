"""What the pages know of a search: its state, its curve, and the population of the newest generation."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from zeuxis.pictures.enlarge import Enlarge, enlarged

SHOWN = 48  # pictures of a population that a page shows
COLUMNS = 8  # of the sheet that a page gets them as
CELL = 128  # pixels of one on it
BUSY = ("loading", "running", "stopping", "finishing")


@dataclass(frozen=True)
class Point:
    """A generation on the curve. `judged` is the judge's mean, None where it was not asked."""

    generation: int
    best: float
    mean: float
    judged: float | None = None


@dataclass(frozen=True)
class Frame:
    """The population after a generation, best first: `pixels` `(N, H, W, 3)` uint8, `latents` `(N, D)`."""

    generation: int
    pixels: np.ndarray
    scores: tuple[float, ...]
    latents: Tensor
    words: tuple[str, ...]

    def sheet(self) -> bytes:
        """All of them as one JPEG, `COLUMNS` across, `CELL` pixels each. It has places for `SHOWN`, however many there
        are: the pages know where each picture lies.
        """
        cells = fitted(self.pixels[:SHOWN], CELL)
        rows = SHOWN // COLUMNS
        sheet = np.zeros((rows * COLUMNS, CELL, CELL, 3), np.uint8)
        sheet[: len(cells)] = cells
        whole = sheet.reshape(rows, COLUMNS, CELL, CELL, 3).transpose(0, 2, 1, 3, 4).reshape(rows * CELL, -1, 3)
        return jpeg(whole)


@dataclass(frozen=True)
class Status:
    """All that a page shows of a run, at one moment. `version` rises with every change."""

    version: int = 0
    state: str = "idle"
    prompt: str = ""
    folder: Path | None = None
    command: str = ""
    resume: str = ""
    models: str = ""
    images: int = 0
    generations: int = 0
    wanted: int = 0
    points: tuple[Point, ...] = ()
    frame: Frame | None = None
    sketch: bool = False  # the frame is the first row of generation 0, not scored yet
    notes: tuple[str, ...] = ()
    warning: str = ""
    error: str = ""
    verdict: str = ""

    @property
    def busy(self) -> bool:
        """Whether a search is under way."""
        return self.state in BUSY


def moment(seconds: float, pattern: str = "%Y-%m-%d %H:%M") -> str:
    """When that was, here, in seconds since 1970; "" for what no calendar has: a stranger's files may say anything."""
    try:
        return time.strftime(pattern, time.localtime(seconds))
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def fitted(pixels: np.ndarray, across: int) -> np.ndarray:
    """Pictures `(N, H, W, 3)` uint8 in squares `(N, across, across, 3)`: enlarged or reduced by Lanczos."""
    if pixels.shape[1] == pixels.shape[2] and across % pixels.shape[2] == 0:
        return enlarged(pixels, Enlarge(across))
    size = (across, across)
    return np.stack([np.asarray(Image.fromarray(one).resize(size, Image.Resampling.LANCZOS)) for one in pixels])


def jpeg(pixels: np.ndarray) -> bytes:
    """`(H, W, 3)` uint8 as a JPEG for a page."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=90)
    return data.getvalue()
