"""The archive of a run as pictures: a heatmap of its scores, and a collage of what is in its cells.

Both have the first measure to the right and the second upwards. Read from the folder alone.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from zeuxis.pictures.grid import GROUND, INK
from zeuxis.report.curve import DPI, LIGHT, Colours
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import atomic_write

INCHES = (6.4, 5.4)
LARGEST = 1536  # pixels across the cells of a collage
THUMBNAIL = (8, 128)  # pixels: a cell shows its picture no smaller and no larger than this
EMPTY = 40  # grey of a cell without a picture
GAP, EDGE, TEXT = 2, 44, 24  # pixels: between cells, margin for words, height of the words at most


def write_archive_pictures(folder: RunFolder) -> list[Path]:
    """`archive.png` and `collage.png`; none where the run has no archive. RunDamaged where a file is not as written."""
    content = folder.archive()
    if content is None:
        return []
    paths = [folder.path / "archive.png", folder.path / "collage.png"]
    atomic_write(paths[0], archive_png(content))
    atomic_write(paths[1], collage_png(folder, content))
    return paths


def archive_png(content: dict[str, Any], colours: Colours = LIGHT) -> bytes:
    """The heatmap: one square per cell, coloured by the score of its elite."""
    scores = np.full((content["cells"], content["cells"]), np.nan)
    for elite in content["elites"]:
        scores[elite["row"], elite["column"]] = elite["score"]
    figure = Figure(figsize=INCHES, dpi=DPI, facecolor=colours.ground, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_facecolor(colours.line)
    (left, right), (bottom, top) = content["ranges"]
    image = axes.imshow(scores, origin="lower", extent=(left, right, bottom, top), aspect="auto", cmap="viridis")
    bar = figure.colorbar(image, ax=axes, label="score (higher is better)")
    bar.outline.set_visible(False)
    axes.set_xlabel(_plain(content["axes"][0]))
    axes.set_ylabel(_plain(content["axes"][1]))
    for part in (axes, bar.ax):
        part.tick_params(colors=colours.ink, length=0)
        part.xaxis.label.set_color(colours.ink)
        part.yaxis.label.set_color(colours.ink)
    for spine in axes.spines.values():
        spine.set_visible(False)
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks
        figure.savefig(data, format="png")
    return data.getvalue()


def collage_png(folder: RunFolder, content: dict[str, Any]) -> bytes:
    """The pictures of the archive, each in its cell; empty cells are dark. The measures stand along the edges."""
    cells, resolution = content["cells"], int(folder.record["models"]["generator"]["resolution"])
    side = _side(resolution, cells)
    across = cells * (side + GAP) + GAP
    sheet = Image.new("RGB", (across + EDGE, across + EDGE), (GROUND,) * 3)
    for row in range(cells):
        for column in range(cells):
            sheet.paste((EMPTY,) * 3, _box(row, column, cells, side))
    for elite in content["elites"]:
        with Image.open(io.BytesIO(folder.picture(folder.path / elite["file"]))) as picture:
            small = picture.convert("RGB").resize((side, side), _filter(picture.width, side))
        sheet.paste(small, _box(elite["row"], elite["column"], cells, side))
    _edge(sheet, content["axes"][0], content["ranges"][0], sheet.height - EDGE // 2)
    turned = sheet.rotate(-90, expand=True)  # what goes upwards is written along the top, then turned back
    _edge(turned, content["axes"][1], content["ranges"][1], EDGE // 2)
    data = io.BytesIO()
    turned.rotate(90, expand=True).save(data, "PNG", optimize=True)
    return data.getvalue()


def _side(resolution: int, cells: int) -> int:
    """Pixels across one cell: a whole multiple or fraction of the picture."""
    smallest, largest = THUMBNAIL
    room = max(smallest, min(largest, LARGEST // cells))
    return resolution * max(1, room // resolution) if room >= resolution else room


def _filter(width: int, side: int) -> Image.Resampling:
    return Image.Resampling.LANCZOS if side >= width else Image.Resampling.BOX


def _box(row: int, column: int, cells: int, side: int) -> tuple[int, int, int, int]:
    """Where a cell lies on the sheet; row 0 is the lowest."""
    x, y = EDGE + GAP + column * (side + GAP), GAP + (cells - 1 - row) * (side + GAP)
    return x, y, x + side, y + side


def _edge(sheet: Image.Image, axis: str, bounds: list[float], y: int) -> None:
    """Low end, name and high end of a measure from left to right, centred at height `y`, beside the corner."""
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(findfont("DejaVu Sans"), TEXT)
    room = 0.7 * (sheet.width - EDGE)  # the rest is for the numbers
    if (length := draw.textlength(axis, font)) > room:
        font = ImageFont.truetype(findfont("DejaVu Sans"), max(8, int(TEXT * room / length)))
    low, high = f"{bounds[0]:g}", f"{bounds[1]:g}"
    middle = (EDGE + sheet.width) // 2
    for x, anchor, words in ((EDGE + GAP, "lm", low), (middle, "mm", axis), (sheet.width - GAP, "rm", high)):
        draw.text((x, y), words, INK, font, anchor=anchor)


def _plain(words: str) -> str:
    """Words that matplotlib does not take for a formula."""
    return words.replace("$", r"\$")
