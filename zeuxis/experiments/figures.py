"""The figures of an experiment: best score by images spent, and the mean reversed similarity of the literature."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from zeuxis.experiments.analysis import Line
from zeuxis.experiments.design import Cell, Design

INK, GRID = "#33373d", "#dde0e5"
POINTS = 200  # places of the budget at which curves are read
Row = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.float64]]


def curves_png(
    design: Design, rows: Mapping[Cell, Row], lines: Sequence[Line], population: int, *, narrow: bool = False
) -> bytes:
    """Median best score over all runs of each variant by images spent; the dashed line is where the baseline ends."""
    figure, axes = _figure(narrow)
    x = np.geomspace(population, max(design.budget(population), population + 1), POINTS)
    strokes = _strokes(design)
    for line in (line for line in lines if line.population == population):
        y = np.median(_read(rows, line.variant, population, x), axis=0)
        axes.plot(x, y, label=line.variant, **strokes[line.variant])
        if line.variant == design.baseline:
            axes.axhline(y[-1], color=INK, linewidth=0.8, linestyle="--")
    axes.set_xlabel(f"images evaluated (population {population})")
    axes.set_ylabel("median best score")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=_subdivided(x[-1] / x[0], narrow)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return _png(figure, axes, narrow)


def reversed_png(
    design: Design, rows: Mapping[Cell, Row], lines: Sequence[Line], population: int, *, narrow: bool = False
) -> bytes:
    """Mean of 1 - similarity of the best so far over runs, by generation: how the thesis compared its GA with DE."""
    figure, axes = _figure(narrow)
    generations = np.arange(1, design.generations + 1, dtype=np.float64)
    strokes = _strokes(design)
    for line in (line for line in lines if line.population == population):
        found = 1 - _read(rows, line.variant, population, generations * population)  # (R, G)
        mean, error = found.mean(axis=0), 1.96 * found.std(axis=0) / len(found) ** 0.5
        stroke = strokes[line.variant]
        axes.plot(generations, mean, label=f"{line.variant}, {len(found)} runs", **stroke)
        axes.fill_between(generations, mean - error, mean + error, color=stroke["color"], alpha=0.12, linewidth=0)
    axes.set_xlabel(f"generation (population {population})")
    axes.set_ylabel("mean of 1 − similarity")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _png(figure, axes, narrow)


def _subdivided(span: float, narrow: bool) -> tuple[float, ...]:
    """Which multiples of a power of ten are labelled, so that no label reaches into the next."""
    if span < 100:
        return (1.0, 2.0, 5.0)
    return (1.0, 3.0) if span < 1000 or not narrow else (1.0,)


def _read(rows: Mapping[Cell, Row], variant: str, population: int, x: Array) -> Array:
    """The best score at `x` images of every run of a variant, `(R, X)`; NaN before its first generation."""
    found = []
    for cell, row in sorted(rows.items()):
        if cell.variant == variant and cell.population == population:
            at = np.searchsorted(np.asarray(row["images"]), x, side="right") - 1
            found.append(np.where(at < 0, np.nan, np.asarray(row["curve"])[at.clip(0)]))
    return np.array(found) if found else np.empty((0, len(x)))


def _figure(narrow: bool) -> tuple[Figure, Any]:
    width, height, dpi = (4.2, 4.0, 170) if narrow else (8.5, 4.6, 130)
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="#ffffff")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.grid(color=GRID, linewidth=0.6)
    axes.tick_params(colors=INK, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    return figure, axes


def _strokes(design: Design) -> dict[str, dict[str, Any]]:
    """Colour and line style of each variant, the same in every figure: ten colours, whole lines first."""
    from matplotlib import colormaps

    table = colormaps["tab10"]
    strokes: dict[str, dict[str, Any]] = {
        variant: {"color": table(k % 10), "linestyle": ("-", "--", ":")[k // 10 % 3], "linewidth": 1.4}
        for k, variant in enumerate(v for v in design.variants if v != design.baseline)
    }
    return strokes | {design.baseline: {"color": INK, "linewidth": 2.4}}


def _png(figure: Figure, axes: Any, narrow: bool) -> bytes:
    """With the legend beside the curves, or on a phone below them."""
    place = (
        {"loc": "upper left", "bbox_to_anchor": (-0.1, -0.16), "fontsize": "small"}
        if narrow
        else {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "fontsize": "x-small"}
    )
    axes.legend(frameon=False, **place)
    data = io.BytesIO()
    figure.savefig(data, format="png", bbox_inches="tight")
    return data.getvalue()
