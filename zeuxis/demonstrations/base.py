"""What demonstrations share: their settings, what they show, and the page that it is written to."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.pictures.grid import to_pixels
from zeuxis.pictures.writing import data_uri, sheet_png
from zeuxis.report.html import PAGES
from zeuxis.storage.files import atomic_write, make_folder

INK, GRID = "#33373d", "#dde0e5"
COLOURS = ("#b4552d", "#2f6f9f", "#2f7d4f", "#8a5aa8")


@dataclass(frozen=True)
class Settings:
    """`effort` is the share of the steps and pictures of a whole demonstration, `data` a folder of data sets."""

    seed: int = 0
    effort: float = 1.0
    data: Path | None = None

    def count(self, full: int, least: int = 2) -> int:
        """`full` times the effort, whole, and at least `least`."""
        return max(least, round(full * self.effort))


@dataclass(frozen=True)
class Picture:
    """A PNG or GIF of the page: `name` is that of its file, with the ending."""

    name: str
    data: bytes
    caption: str


@dataclass(frozen=True)
class Shown:
    """A demonstration's result: title, source, paragraphs, pictures, and a table of figures with its head."""

    title: str
    source: str
    words: tuple[str, ...]
    pictures: tuple[Picture, ...]
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str | float, ...], ...] = ()


def write_page(shown: Shown, folder: Path, command: str) -> Path:
    """`index.html`, one file without scripts or requests, and the pictures beside it. Returns the page."""
    make_folder(folder)
    for picture in shown.pictures:
        atomic_write(folder / picture.name, picture.data)
    images = [(data_uri(p.name.rpartition(".")[2], p.data), p.caption) for p in shown.pictures]
    rows = [[cell if isinstance(cell, str) else f"{cell:.3g}" for cell in row] for row in shown.rows]
    page = PAGES.get_template("demonstration.html").render(shown=shown, images=images, rows=rows, command=command)
    atomic_write(folder / "index.html", page.encode())
    return folder / "index.html"


def is_page_of(name: str, folder: Path) -> bool:
    """Whether the page in `folder` is of the demonstration `name`: its command stands in it."""
    path = folder / "index.html"
    return path.is_file() and f"zeuxis demo {name}" in path.read_text(errors="replace")


def plot(draw: Callable[..., None], panels: int = 1, size: tuple[float, float] = (4.2, 3.2), dpi: int = 110) -> bytes:
    """A PNG of `panels` axes side by side, each `size` inches: `draw(*axes)` fills them."""
    return sheet_png(plotted(draw, panels, size, dpi))


def plotted(draw: Callable[..., None], panels: int, size: tuple[float, float], dpi: int) -> np.ndarray[Any, Any]:
    """The same as pixels (H, W, 3) uint8."""
    figure = Figure(figsize=(size[0] * panels, size[1]), layout="constrained", dpi=dpi)
    axes = [figure.add_subplot(1, panels, k + 1) for k in range(panels)]
    for each in axes:
        each.grid(color=GRID, linewidth=0.6)
        each.tick_params(labelsize=8, colors=INK)
        each.set_axisbelow(True)
        for side in each.spines.values():
            side.set_color(GRID)
    draw(*axes)
    data = io.BytesIO()
    figure.savefig(data, dpi=dpi)
    return np.asarray(Image.open(data).convert("RGB"))


def gif(pages: Sequence[np.ndarray[Any, Any]], milliseconds: int = 120) -> bytes:
    """Pictures (H, W, 3) uint8 as an endless GIF that rests on its last one."""
    palette = Image.fromarray(pages[-1]).quantize(128, dither=Image.Dither.NONE)
    images = [Image.fromarray(page).quantize(palette=palette, dither=Image.Dither.NONE) for page in pages]
    held = [milliseconds] * (len(images) - 1) + [max(2000, milliseconds)]
    data = io.BytesIO()
    images[0].save(data, "GIF", save_all=True, append_images=images[1:], duration=held, loop=0, optimize=False)
    return data.getvalue()


def rows_png(rows: Sequence[tuple[str, Tensor]], across: int = 64) -> bytes:
    """Rows of pictures (N, 1 or 3, H, W) in [0, 1], its words left of each; enlarged to about `across` pixels."""
    if not rows:
        raise BadInput("Expected at least one row of pictures, got none.")
    most, side = max(len(images) for _, images in rows), rows[0][1].shape[-1]
    scale = max(1, across // side)

    cell, label, gap = side * scale, 130, 4
    canvas = np.full((len(rows) * (cell + gap) + gap, label + most * (cell + gap), 3), 255, np.uint8)
    for r, (_, images) in enumerate(rows):
        pixels = to_pixels(images.expand(-1, 3, -1, -1)).repeat(scale, 1).repeat(scale, 2)
        for k, picture in enumerate(pixels):
            top, left = gap + r * (cell + gap), label + k * (cell + gap)
            canvas[top : top + cell, left : left + cell] = picture
    return sheet_png(_written(canvas, [words for words, _ in rows], cell + gap))


def _written(canvas: np.ndarray[Any, Any], words: Sequence[str], height: int) -> np.ndarray[Any, Any]:
    """The words of each row at its left."""
    image = Image.fromarray(canvas)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    for row, text in enumerate(words):
        pen.multiline_text((6, 4 + row * height + height / 2), text, INK, font, anchor="lm", spacing=2)
    return np.asarray(image)
