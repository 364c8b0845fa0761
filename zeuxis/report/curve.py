"""The curve of a run: best, mean and worst score per generation; what the judge made of it; how alive it was."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zeuxis.run.folder import Row, RunFolder
from zeuxis.storage.files import atomic_write

INCHES, DPI = (8.0, 5.0), 130
PANEL = 1.6  # inches that the population's health adds below
FEW = 40  # generations; fewer are drawn with a dot each


@dataclass(frozen=True)
class Colours:
    """Ink and ground of one theme; the lines keep their colours."""

    ink: str
    ground: str
    line: str


LIGHT, DARK = Colours("#33373d", "#ffffff", "#d9dce1"), Colours("#c9cdd3", "#1b1e23", "#3a3f47")
BEST, MEAN, WORST, JUDGE, GAP, ALIVE = "#3f7fd8", "#e0862b", "#8b939e", "#a256b8", "#c9524a", "#3c9a68"


def write_curve(folder: RunFolder, rows: Sequence[Row] | None = None) -> Path:
    """`curve.png` of a run. RunDamaged where its log cannot be read."""
    path = folder.path / "curve.png"
    atomic_write(path, curve_png(folder.history() if rows is None else rows))
    return path


def curve_png(rows: Sequence[Row], colours: Colours = LIGHT) -> bytes:
    """The curve of a history as a PNG. The judge's panel is there when it has looked at least once, that of the
    population's health when the log holds it.
    """
    looks, alive = [row for row in rows if row.judged is not None], [row for row in rows if row.health]
    heights = [3] + [2] * bool(looks) + [2] * bool(alive)
    width, height = INCHES
    figure = Figure(figsize=(width, height + PANEL * bool(alive)), dpi=DPI, facecolor=colours.ground)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.085, right=0.985, top=0.975, bottom=0.08, hspace=0.12)
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    _scores(panels[0], rows)
    if looks:
        _judge(panels[1], looks)
    if alive:
        _health(panels[-1], alive)
    panels[-1].set_xlabel("generation")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels:
        dress(axes, colours)
        known = axes.get_legend()
        lines = known.legend_handles if known is not None else None
        axes.legend(handles=lines, frameon=False, labelcolor=colours.ink, ncols=4, fontsize="small")
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
    axes.set_ylabel("score (higher is better)")


def _judge(axes: Any, looks: Sequence[Row]) -> None:
    """The judge's mean where it looked, and the gap: mean score minus the judge's mean."""
    views = [row.judged for row in looks if row.judged is not None]
    x = [row.generation for row in looks]
    axes.plot(x, [view.mean for view in views], color=JUDGE, marker="o", markersize=5, label="judge's mean")
    axes.plot(
        x, [view.gap for view in views], color=GAP, marker="s", markersize=3, linestyle="--", label="gap: score − judge"
    )
    axes.set_ylabel("judge, where it looked")


def _health(axes: Any, rows: Sequence[Row]) -> None:
    """Different images, near-duplicates, and on their own scales the drift from the prior and the spread of scores."""
    x = [row.generation for row in rows]
    axes.plot(x, [row.health["effective"] for row in rows], color=ALIVE, label="different images")
    axes.plot(x, [row.health["duplicates"] for row in rows], color=WORST, linewidth=1, label="near-duplicates")
    axes.set_ylabel("images")
    other = axes.twinx()
    other.plot(x, [row.health["drift"] for row in rows], color=MEAN, linewidth=1, linestyle="--", label="drift")
    other.plot(x, [row.health["spread"] for row in rows], color=BEST, linewidth=1, linestyle=":", label="spread")
    other.set_yticks([])
    other.set_frame_on(False)
    last = rows[-1].health
    lines = [*axes.get_lines(), *other.get_lines()]
    lines[2].set_label(f"drift, now {last['drift']:.2f}")
    lines[3].set_label(f"spread of scores, now {last['spread']:.3f}")
    axes.legend(lines, [line.get_label() for line in lines])


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
