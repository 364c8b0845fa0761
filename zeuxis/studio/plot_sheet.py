"""A plot for people: its labelled grid as one picture, and all of it as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zeuxis.errors import BadInput
from zeuxis.experiments.results import Result
from zeuxis.pictures.reading import read_rgb
from zeuxis.pictures.writing import sheet_png
from zeuxis.report.html import PAGES, embed
from zeuxis.studio.axes import ReadAxis
from zeuxis.studio.plot import Plot
from zeuxis.studio.plot_table import caption, has_seeds, headings, legend, lines
from zeuxis.studio.plots import picture
from zeuxis.studio.status import fitted
from zeuxis.studio.thumbnails import LIMITS

CELL, LABEL, LEFT, GAP, TOP = 160, 26, 150, 8, 40  # pixels of the saved picture
MOST_PIXELS = 200_000_000
PAPER, INK, SOFT, EMPTY = (252, 250, 246), (36, 31, 26), (107, 97, 87), (232, 226, 214)
LONGEST = 1000  # letters of a line, before it is fitted
SHOWN = (120, 256)  # pixels of a picture on the page


def sheet(plot: Plot, results: Mapping[str, Result]) -> bytes:
    """The grid as one labelled PNG: X across, Y down, Z in blocks below one another. BadInput for too large a one."""
    x, y, z = plot.axes
    columns, rows, blocks = (len(axis.values) if axis else 1 for axis in (x, y, z))
    left = LEFT if y else GAP
    width = max(left + columns * (CELL + GAP) + GAP, 480)
    block = (TOP if z else 0) + LABEL + rows * (CELL + LABEL + GAP)
    height = 2 * TOP + blocks * block + GAP
    if width * height > MOST_PIXELS:
        raise BadInput(f"Expected a sheet of at most {MOST_PIXELS:,} pixels, got {width:,} x {height:,}.")
    image = Image.new("RGB", (width, height), PAPER)
    pen = Pen(image)
    pen.write((GAP, 8), plot.title, width - 2 * GAP, 20)
    pen.write((GAP, TOP), legend(plot), width - 2 * GAP, 14, SOFT)
    for cell in plot.cells:
        top = 2 * TOP + cell.z * block + (TOP if z else 0)
        at = (left + cell.x * (CELL + GAP), top + LABEL + cell.y * (CELL + LABEL + GAP))
        if z and not (cell.x or cell.y):
            pen.write((GAP, top - 28), f"{z.title}: {z.shown[cell.z]}", width - 2 * GAP, 17)
        if x and not cell.y:
            pen.write((at[0], top + 4), x.shown[cell.x], CELL, 14)
        if y and not cell.x:
            pen.write((GAP, at[1] + CELL // 2 - 8), y.shown[cell.y], LEFT - 2 * GAP, 14)
        data = picture(plot, cell, results)
        pen.draw.rectangle((*at, at[0] + CELL - 1, at[1] + CELL - 1), fill=EMPTY)
        if data is not None:
            pixels = np.asarray(read_rgb(data, LIMITS))
            image.paste(Image.fromarray(fitted(pixels[None], CELL)[0]), at)
        pen.write((at[0], at[1] + CELL + 3), caption(cell, results), CELL, 13, SOFT)
    return sheet_png(np.asarray(image))


def page_html(plot: Plot, results: Mapping[str, Result]) -> bytes:
    """The plot as one page for people: grid, table, settings and the experiment's file; no scripts, no requests."""
    x, y, z = plot.axes
    shown = {}
    for cell in plot.cells:
        data = picture(plot, cell, results)
        where = (cell.z, cell.y, cell.x)
        shown[where] = (None if data is None else embed(data, *SHOWN), caption(cell, results))
    text = PAGES.get_template("plot.html").render(
        plot=plot,
        blocks=_labels(z),
        rows=_labels(y),
        columns=_labels(x),
        shown=shown,
        legend=legend(plot),
        headings=headings(plot),
        lines=lines(plot, results),
        done=plot.ended(results),
        seeds=has_seeds(plot),
        toml=plot.toml(),
    )
    return text.encode("utf-8", "replace")


class Pen:
    """Writes lines of text that end where there is no more room."""

    def __init__(self, image: Image.Image) -> None:
        self.draw = ImageDraw.Draw(image)

    def write(self, at: tuple[int, int], text: str, width: int, size: int, ink: tuple[int, int, int] = INK) -> None:
        """`text` from its upper left corner on."""
        font, text = ImageFont.load_default(size), " ".join(text[:LONGEST].split())
        while text and self.draw.textlength(text, font) > width:
            text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
        self.draw.text(at, text, ink, font)


def _labels(axis: ReadAxis | None) -> Sequence[str]:
    return ("",) if axis is None else axis.shown
