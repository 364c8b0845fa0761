"""Pictures: from images `(N, 3, H, W)` to PNG bytes. All of it runs off the loop, in a worker thread."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zeuxis.pictures.metadata import PictureInfo

CELL = (128, 256)  # pixels: a grid shows each picture no smaller and no larger than this
LABEL = 16  # height of the line under a picture
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
    """The same picture for people: every pixel `factor` times as large, at most 1024 across, no metadata."""
    factor = max(1, min(factor, 1024 // max(pixels.shape[:2])))
    return sheet_png(_scaled(pixels[None], factor * pixels.shape[1])[0])


def grid_png(pixels: np.ndarray, labels: Sequence[str], columns: int | None = None) -> bytes:
    """Pictures `(N, H, W, 3)` uint8 in rows, a label under each."""
    columns = columns or math.ceil(math.sqrt(len(pixels)))
    rows = math.ceil(len(pixels) / columns)
    cells = _scaled(pixels, _cell(pixels.shape[2]))  # (N, h, w, 3)
    down, across = cells.shape[1] + LABEL + GAP, cells.shape[2] + GAP
    sheet = np.full((rows * down + GAP, columns * across + GAP, 3), GROUND, dtype=np.uint8)
    corners = [(GAP + (k // columns) * down, GAP + (k % columns) * across) for k in range(len(cells))]
    for cell, (y, x) in zip(cells, corners, strict=True):
        sheet[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    image = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    for label, (y, x) in zip(labels, corners, strict=True):
        draw.text((x + 2, y + down - GAP - LABEL + 2), label, INK, font)
    return sheet_png(np.asarray(image))


def population_png(pixels: np.ndarray, score: Tensor, columns: int | None = None) -> bytes:
    """A population `(N, H, W, 3)` as a grid, best first, each with its score `(N,)`."""
    order = by_score(score)
    return grid_png(pixels[order], [score_label(float(score[k])) for k in order], columns)


def score_label(score: float) -> str:
    """A score in a few characters; "no score" for NaN and infinity."""
    return f"{score:.4f}" if math.isfinite(score) else "no score"


def sheet_png(pixels: np.ndarray) -> bytes:
    """`(H, W, 3)` uint8 as a PNG without metadata, for enlarged pictures.

    Each row is stored as its difference to the one above (filter "up"), which is zero inside an enlarged pixel: half
    of Pillow's time, and a smaller file.
    """
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, 3 * width)
    rows = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = 2  # filter "up", modulo 256
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _cell(width: int) -> int:
    """The width a picture has in a grid: a whole multiple when it is enlarged."""
    smallest, largest = CELL
    return min(largest, width * math.ceil(smallest / width))


def _scaled(pixels: np.ndarray, width: int) -> np.ndarray:
    """`(N, H, W, 3)` with `width` pixels across: enlarged without blur by a whole factor, or reduced by averaging."""
    if width >= pixels.shape[2]:
        factor = width // pixels.shape[2]
        return pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    size = (width, round(width * pixels.shape[1] / pixels.shape[2]))
    return np.stack([np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BOX)) for p in pixels])
