"""The curve of a run: best, mean and worst score per generation; what the judge made of it; how alive it was."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zeuxis.run.folder import RunFolder
from zeuxis.run.history import Row
from zeuxis.storage.files import atomic_write

DPI = 130
HEALTH = 2.8  # inches that the panels of the population's health add below
FEW = 40  # generations; fewer are drawn with a dot each


@dataclass(frozen=True)
class Colours:
    """Ink and ground of one theme; the lines keep their colours."""

    ink: str
    ground: str
    line: str


@dataclass(frozen=True)
class Shape:
    """Width and height in inches, dots per inch, columns of a legend."""

    width: float
    height: float
    dpi: int
    columns: int


WIDE, NARROW = Shape(8.0, 5.0, DPI, 4), Shape(4.2, 5.6, 170, 2)  # a page, a phone
LIGHT, DARK = Colours("#33373d", "#ffffff", "#d9dce1"), Colours("#c9cdd3", "#1b1e23", "#3a3f47")
BEST, MEAN, WORST, JUDGE, GAP, ALIVE = "#3f7fd8", "#e0862b", "#8b939e", "#a256b8", "#c9524a", "#3c9a68"


Draw = Callable[[Any, Sequence[Row]], None]  # a panel's axes, and the generations that it shows


def write_curve(folder: RunFolder, rows: Sequence[Row] | None = None) -> Path:
    """`curve.png` of a run. RunDamaged where its log cannot be read."""
    path = folder.path / "curve.png"
    atomic_write(path, curve_png(folder.history() if rows is None else rows))
    return path


def curve_png(rows: Sequence[Row], colours: Colours = LIGHT, shape: Shape = WIDE) -> bytes:
    """The curve of a history as a PNG. The judge's panel is there when it has looked at least once, those of the
    population's health when the log holds it; each panel has one unit.
    """
    looks, alive = [row for row in rows if row.judged is not None], [row for row in rows if row.health]
    panels: list[tuple[float, Draw, Sequence[Row]]] = [(3.0, _scores, rows)]
    panels += [(2.0, _judge, looks)] * bool(looks)
    panels += [(1.3, _images, alive), (0.9, _norm, alive), (0.9, _spread, alive)] * bool(alive)
    figure = Figure(
        figsize=(shape.width, shape.height + HEALTH * bool(alive)), dpi=shape.dpi, facecolor=colours.ground,
        layout="constrained",
    )  # fmt: skip
    FigureCanvasAgg(figure)
    heights = [height for height, _, _ in panels]
    all_axes = list(figure.subplots(len(panels), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    for axes, (_, draw, of) in zip(all_axes, panels, strict=True):
        draw(axes, of)
        dress(axes, colours)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5 if draw is _scores else 3))
        if len(axes.get_lines()) > 1:
            axes.legend(frameon=False, labelcolor=colours.ink, ncols=shape.columns, fontsize="small")
    figure.align_ylabels(all_axes)
    all_axes[-1].set_xlabel("generation")
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


def _scores(axes: Any, rows: Sequence[Row]) -> None:
    x, dot = [row.generation for row in rows], "." if len(rows) < FEW else ""
    best, mean, worst = ([getattr(row, name) for row in rows] for name in ("best", "mean", "worst"))
    axes.fill_between(x, worst, best, color=BEST, alpha=0.13, linewidth=0)
    axes.plot(x, best, color=BEST, marker=dot, label="best")
    axes.plot(x, mean, color=MEAN, marker=dot, label="mean")
    axes.plot(x, worst, color=WORST, marker=dot, linewidth=1, label="worst")
    axes.set_ylabel("score")


def _judge(axes: Any, looks: Sequence[Row]) -> None:
    """The judge's mean where it looked, and the gap: mean score minus the judge's mean."""
    views = [row.judged for row in looks if row.judged is not None]
    x = [row.generation for row in looks]
    axes.plot(x, [view.mean for view in views], color=JUDGE, marker="o", markersize=5, label="judge's mean")
    axes.plot(
        x, [view.gap for view in views], color=GAP, marker="s", markersize=3, linestyle="--", label="gap: score − judge"
    )
    axes.set_ylabel("judge")


def _images(axes: Any, rows: Sequence[Row]) -> None:
    x = [row.generation for row in rows]
    axes.plot(x, [row.health["effective"] for row in rows], color=ALIVE, label="different images")
    axes.plot(x, [row.health["duplicates"] for row in rows], color=WORST, linewidth=1, label="near-duplicates")
    axes.set_ylabel("images")
    axes.set_ylim(bottom=0)


def _norm(axes: Any, rows: Sequence[Row]) -> None:
    """Mean length of the latents; 1 is that of a draw from the prior with all its classes."""
    axes.plot([row.generation for row in rows], [row.health["norm"] for row in rows], color=MEAN)
    axes.set_ylabel("latent norm")


def _spread(axes: Any, rows: Sequence[Row]) -> None:
    """Standard deviation of the scores."""
    axes.plot([row.generation for row in rows], [row.health["spread"] for row in rows], color=BEST)
    axes.set_ylabel("spread")
    axes.set_ylim(bottom=0)


def dress(axes: Any, colours: Colours) -> None:
    """Axes in the colours of a theme, without a frame."""
    axes.set_facecolor(colours.ground)
    axes.grid(color=colours.line, linewidth=0.6)
    axes.tick_params(colors=colours.ink, length=0)
    axes.margins(x=0.02)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colours.line)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(colours.ink)
