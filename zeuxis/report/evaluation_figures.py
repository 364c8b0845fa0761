"""Figures of a study: readable in greyscale and by colour-blind readers, so no two lines differ by colour alone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from zeuxis.report.curve import DPI, LIGHT, dress

# Okabe and Ito 2008, "Color Universal Design", darkest to lightest in greyscale
INKS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKS = ("o", "s", "^", "D", "v", "P", "X")
MOST_BARS = 12  # labels that a class was taken for
Array = np.ndarray[Any, np.dtype[np.float64]]


def figure_of(width: float, height: float, across: int = 1, down: int = 1) -> tuple[Figure, Any]:
    """A figure in inches, and its axes `(down, across)`, dressed."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=LIGHT.ground, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, squeeze=False)
    for one in axes.flat:
        dress(one, LIGHT)
    return figure, axes


def encoded(figure: Figure) -> bytes:
    """As a PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


def confusion_png(names: Sequence[str], labels: Sequence[str], counts: Array) -> bytes:
    """Rows the classes asked for, columns what was seen, each cell its share of the row in per cent, dark is much."""
    figure, axes = figure_of(2.4 + 0.55 * len(labels), 1.4 + 0.42 * len(names))
    share = 100 * counts / counts.sum(1, keepdims=True).clip(1)
    ax = axes[0, 0]
    ax.grid(visible=False)
    ax.imshow(share, cmap="Greys", vmin=0, vmax=100, aspect="auto")
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            if value >= 0.5:
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=8,
                        color="white" if value > 55 else "black")  # fmt: skip
            if j < len(labels) and labels[j] == names[i]:
                ax.add_patch(_frame(j, i))
    ax.set_xticks(range(len(labels)), [_plain(x) for x in labels], rotation=45, ha="right", fontsize=8)
    ax.set_yticks(range(len(names)), [_plain(x) for x in names], fontsize=8)
    ax.set_xlabel("taken for (per cent of the row)")
    ax.set_ylabel("bred for")
    return encoded(figure)


def taken_png(found: Mapping[str, Mapping[str, int]], right: Mapping[str, set[str]]) -> bytes:
    """A bar plot for each class: what its pictures were taken for, most frequent first; hatched bars are right."""
    across = 2
    down = -(-len(found) // across)
    figure, axes = figure_of(9.5, 2.2 * down + 0.3, across, down)
    for ax in axes.flat[len(found) :]:
        ax.set_visible(False)
    most = max((100 * max(of.values()) / sum(of.values()) for of in found.values() if of), default=100)
    for ax, (name, counts) in zip(axes.flat, found.items(), strict=False):
        total, shown = sum(counts.values()), list(counts.items())[:MOST_BARS]
        y = range(len(shown))
        bars = ax.barh(y, [100 * n / total for _, n in shown], color="#9fb8d0", edgecolor="#33373d", linewidth=0.6)
        for bar, (label, _) in zip(bars, shown, strict=True):
            if label in right.get(name, set()):
                bar.set(hatch="////", facecolor="#ffffff")
        ax.set_yticks(y, [_plain(label)[:26] for label, _ in shown], fontsize=7)
        ax.invert_yaxis()
        ax.set_xlim(0, min(100, 1.1 * most))
        rest = f"; {len(counts) - len(shown)} more labels" if len(counts) > len(shown) else ""
        ax.set_title(f"bred for {_plain(name)}{rest}", fontsize=9, color=LIGHT.ink, loc="left")
    axes[-1, 0].set_xlabel("per cent of its pictures")
    return encoded(figure)


def accuracy_png(names: Sequence[str], series: Mapping[str, Sequence[tuple[float, float, float] | None]]) -> bytes:
    """Per cent for each class and series with its interval: `(value, low, high)`, None where there is none."""
    figure, axes = figure_of(9.5, 4.0)
    ax, step = axes[0, 0], 0.7 / max(len(series) - 1, 1)
    for k, (label, values) in enumerate(series.items()):
        rows = [(i - 0.35 + k * step, *v) for i, v in enumerate(values) if v is not None]
        if not rows:
            continue
        x, y, low, high = (np.array(column) for column in zip(*rows, strict=True))
        ax.errorbar(x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)], fmt=MARKS[k % 7], color=INKS[k % 7],
                    markersize=5, capsize=2, linewidth=1, label=label,
                    markerfacecolor=INKS[k % 7] if k % 2 == 0 else "white")  # fmt: skip
    ax.set_xticks(range(len(names)), [_plain(x) for x in names], rotation=30, ha="right", fontsize=8)
    ax.set_ylim(-3, 103)
    ax.set_ylabel("per cent taken for its class")
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, fontsize="small", ncols=3, loc="outside upper center")
    return encoded(figure)


def log_images(ax: Any, narrow: bool = False) -> None:
    """An axis of images evaluated, logarithmic, with numbers that people read."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if narrow else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("images evaluated")


def _frame(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#d55e00", linewidth=1.6)


def _plain(text: str) -> str:
    """Text in which nothing is mathematics."""
    return text.replace("$", r"\$")
