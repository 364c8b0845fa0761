"""The figures of an experiment: best score by images spent, and the mean reversed similarity of the literature."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zeuxis.experiments.analysis import Line
from zeuxis.experiments.design import Cell, Design

INCHES, DPI = (8.5, 4.6), 130
INK, GRID = "#33373d", "#dde0e5"
POINTS = 200  # places of the budget at which curves are read
Row = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.float64]]


def curves_png(design: Design, rows: Mapping[Cell, Row], lines: Sequence[Line], population: int) -> bytes:
    """Median best score over all runs of each variant by images spent; the dashed line is where the baseline ends."""
    figure, axes = _figure()
    budget = design.budget(population)
    x = np.geomspace(population, budget, POINTS)
    here = [line for line in lines if line.population == population]
    for line, (colour, dashes) in zip(here, _strokes(len(here)), strict=True):
        y = np.median(_read(rows, line.variant, population, x), axis=0)
        thesis = line.variant == design.baseline
        stroke = {"color": INK, "linewidth": 2.4} if thesis else {"color": colour, "linestyle": dashes}
        axes.plot(x, y, label=line.variant, **{"linewidth": 1.4} | stroke)
        if thesis:
            axes.axhline(y[-1], color=INK, linewidth=0.8, linestyle="--")
    axes.set_xlabel(f"images evaluated (population {population})")
    axes.set_ylabel("median best score")
    axes.set_xscale("log")
    axes.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _png(figure)


def reversed_png(design: Design, rows: Mapping[Cell, Row], variants: Sequence[str], population: int) -> bytes:
    """Mean of 1 - similarity of the best so far over runs, by generation: how the thesis compared its GA with DE."""
    figure, axes = _figure()
    generations = np.arange(1, design.generations + 1, dtype=np.float64)
    for variant, (colour, _) in zip(variants, _strokes(len(variants)), strict=True):
        found = 1 - _read(rows, variant, population, generations * population)  # (R, G)
        if not len(found):
            continue
        mean, error = found.mean(axis=0), 1.96 * found.std(axis=0) / len(found) ** 0.5
        axes.plot(generations, mean, color=colour, label=f"{variant}, {len(found)} runs")
        axes.fill_between(generations, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel(f"generation (population {population})")
    axes.set_ylabel("mean of 1 − similarity")
    axes.legend(frameon=False, fontsize="small")
    return _png(figure)


def _read(rows: Mapping[Cell, Row], variant: str, population: int, x: Array) -> Array:
    """The best score at `x` images of every run of a variant, `(R, X)`; NaN before its first generation."""
    found = []
    for cell, row in sorted(rows.items()):
        if cell.variant == variant and cell.population == population:
            at = np.searchsorted(np.asarray(row["images"]), x, side="right") - 1
            found.append(np.where(at < 0, np.nan, np.asarray(row["curve"])[at.clip(0)]))
    return np.array(found) if found else np.empty((0, len(x)))


def _figure() -> tuple[Figure, Any]:
    figure = Figure(figsize=INCHES, dpi=DPI, facecolor="#ffffff")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.grid(color=GRID, linewidth=0.6)
    axes.tick_params(colors=INK, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    return figure, axes


def _strokes(count: int) -> list[tuple[Any, str]]:
    """Colour and line style of each of `count` curves: ten colours, whole lines first."""
    from matplotlib import colormaps

    table = colormaps["tab10"]
    return [(table(k % 10), ("-", "--", ":")[k // 10 % 3]) for k in range(count)]


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", bbox_inches="tight")
    return data.getvalue()
