"""Pictures: from images `(N, 3, H, W)` to PNG bytes. All of it runs off the loop, in a worker thread."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.pictures.enlarge import Enlarge, enlarged, resized
from zeuxis.pictures.metadata import PictureInfo
from zeuxis.pictures.writing import sheet_png

CELL = (128, 256)  # pixels: a grid shows each picture no smaller and no larger than this
PROGRESS = (64, 512)  # pixels of a cell and of a row at least in the grids of a run under way, of which there are many
MOST = 300_000_000  # pixels of a grid
LABEL = 16  # height of the line under a picture
FIGURES = frozenset("0123456789.-")  # all a whole number of pixels wide, and none reaches into the next
GAP = 4
GROUND, INK = 24, (230, 230, 230)


def to_pixels(images: Tensor) -> np.ndarray:
    """`(N, 3, H, W)` in [0, 1] -> `(N, H, W, 3)` uint8, rounded; NaN becomes 0."""
    whole = (images.detach().float().nan_to_num(nan=0.0).clamp(0, 1) * 255).round()
    return whole.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def by_score(score: Tensor) -> list[int]:
    """The order best first; NaN last, equals in their old order."""
    return [int(k) for k in score.detach().cpu().nan_to_num(nan=-torch.inf).argsort(descending=True, stable=True)]


def picture_png(pixels: np.ndarray, info: PictureInfo) -> bytes:
    """One picture `(H, W, 3)` uint8 at its own resolution, with its metadata."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG", pnginfo=info.to_png_info())
    return data.getvalue()


def enlarged_png(pixels: np.ndarray, factor: int = 8) -> bytes:
    """The same picture for people: `factor` times as large by Lanczos, at most 1024 across, no metadata."""
    factor = max(1, min(factor, 1024 // max(pixels.shape[:2])))
    return sheet_png(enlarged(pixels, Enlarge(factor * pixels.shape[1])))


def grid_png(
    pixels: np.ndarray, labels: Sequence[str], columns: int | None = None, enlarge: Enlarge | None = None
) -> bytes:
    """`grid` as a PNG."""
    return sheet_png(grid(pixels, labels, columns, enlarge))


def grid(
    pixels: np.ndarray, labels: Sequence[str], columns: int | None = None, enlarge: Enlarge | None = None
) -> np.ndarray:
    """Pictures `(N, H, W, 3)` uint8 in rows, a label under each: `(H', W', 3)` uint8.

    Without `enlarge` small pictures are enlarged and large ones reduced to what CELL says. BadInput for too large a
    grid.
    """
    columns = columns or math.ceil(math.sqrt(len(pixels)))
    rows = math.ceil(len(pixels) / columns)
    width = enlarge.across if enlarge else _cell(pixels.shape[2])
    factor = math.ceil(width / pixels.shape[2]) if enlarge else width / pixels.shape[2]
    if rows * columns * (pixels.shape[1] * factor + LABEL + GAP) * (pixels.shape[2] * factor + GAP) > MOST:
        raise BadInput(
            f"Expected a sheet of at most {MOST:,} pixels, got {rows} rows of {columns} pictures with {width} across. "
            "Take fewer, or smaller ones with --enlarge."
        )
    cells = enlarged(pixels, enlarge or Enlarge(width)) if factor >= 1 else resized(pixels, width, Image.Resampling.BOX)
    down, across = cells.shape[1] + LABEL + GAP, cells.shape[2] + GAP
    sheet = np.full((rows * down + GAP, columns * across + GAP, 3), GROUND, dtype=np.uint8)
    corners = [(GAP + (k // columns) * down, GAP + (k % columns) * across) for k in range(len(cells))]
    for cell, (y, x) in zip(cells, corners, strict=True):
        sheet[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    places = [(x + 2, y + down - GAP - LABEL + 2) for y, x in corners]
    return _labelled(sheet, list(zip(labels, places, strict=True)), across - GAP - 2)


def _labelled(sheet: np.ndarray, labels: Sequence[tuple[str, tuple[int, int]]], width: int) -> np.ndarray:
    """The sheet `(H, W, 3)` with each label at its place (left, top), no more of it than `width` pixels.

    Numbers are put together of figures that were drawn once, at a tenth of the time of drawing their text.
    """
    rest = []
    for label, (left, top) in labels:
        figures = [_figure(letter) for letter in label] if set(label) <= FIGURES else []
        if not figures or sum(figure.shape[1] for figure in figures) > width:
            rest.append((label, (left, top)))
            continue
        for figure in figures:
            sheet[top : top + LABEL, left : left + figure.shape[1]] = figure
            left += figure.shape[1]
    if not any(label for label, _ in rest):
        return sheet
    image = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    for label, place in rest:
        draw.text(place, _fitting(label, width, lambda text: draw.textlength(text, font)), INK, font)
    return np.asarray(image)


@cache
def _figure(letter: str) -> np.ndarray:
    """A figure of a number as `draw.text` draws it: `(LABEL, its advance, 3)` uint8."""
    font = ImageFont.load_default()
    image = Image.new("RGB", (round(font.getlength(letter)), LABEL), (GROUND,) * 3)
    ImageDraw.Draw(image).text((0, 0), letter, INK, font)
    return np.asarray(image)


def population_png(pixels: np.ndarray, score: Tensor, columns: int | None = None) -> bytes:
    """A population `(N, H, W, 3)` as a grid, best first, each with its score `(N,)`."""
    order = by_score(score)
    across = columns or math.ceil(math.sqrt(len(pixels)))
    smallest = min(CELL[0], max(PROGRESS[0], PROGRESS[1] // across))
    enlarge = None if pixels.shape[2] > CELL[1] else Enlarge(smallest)
    labels = [score_label(s) for s in score[order].tolist()]
    return sheet_png(grid(pixels[order], labels, columns, enlarge), quick=True)


def score_label(score: float) -> str:
    """A score in a few characters; "no score" for NaN and infinity."""
    return f"{score:.4f}" if math.isfinite(score) else "no score"


def _cell(width: int) -> int:
    """The width a picture has in a grid: a whole multiple when it is enlarged."""
    smallest, largest = CELL
    return min(largest, width * math.ceil(smallest / width))


def _fitting(label: str, width: int, length: Callable[[str], float]) -> str:
    """As much of a label as its picture is wide."""
    if length(label) <= width:
        return label
    return next((f"{label[:k]}…" for k in range(len(label), 0, -1) if length(f"{label[:k]}…") <= width), "")
