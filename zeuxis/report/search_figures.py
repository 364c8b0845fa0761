"""Curves of `zeuxis evaluate`: several searches over images, each against the baselines and the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zeuxis.evaluation.curves import Band, Peak
from zeuxis.report.evaluation_figures import DASHES, INKS, MARKS, encoded, figure_of, log_images

GREY = "#6b7078"
Interval = tuple[float, float, float]  # value, low, high


def bands_png(bands: Mapping[str, Band], baselines: Sequence[str], what: str) -> bytes:
    """One line with its band for each search over images; baselines are grey."""
    figure, axes = figure_of(9.5, 4.6)
    ax, count = axes[0, 0], 0
    for name, found in bands.items():
        plain = name in baselines
        k = baselines.index(name) if plain else count
        ink = GREY if plain else INKS[k % len(INKS)]
        mark: dict[str, Any] = (
            {} if plain else {"marker": MARKS[k % len(MARKS)], "markevery": (3 * k, 24), "markersize": 5}
        )
        style = DASHES[2 + k] if plain else DASHES[k % len(DASHES)]
        ax.plot(found.images, found.mean, color=ink, linestyle=style, linewidth=1.6, label=name, **mark)
        ax.fill_between(found.images, found.low, found.high, color=ink, alpha=0.08, linewidth=0)
        count += not plain
    log_images(ax)
    ax.set_ylabel(what)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return encoded(figure)


def against_judge_png(
    name: str, score: Mapping[str, Band], judge: Mapping[str, Band], baselines: Sequence[str], top: Peak | None
) -> bytes:
    """A search's mean score (left) and the judge's mean (right) over images beside the baselines; the judge's peak."""
    figure, axes = figure_of(9.5, 3.3, 2)
    for ax, bands, what in ((axes[0, 0], score, "mean score"), (axes[0, 1], judge, "mean of the judge")):
        for k, plain in enumerate(baselines):
            if plain in bands and plain != name:
                found = bands[plain]
                ax.plot(found.images, found.mean, color=GREY, linestyle=DASHES[2 + k], linewidth=1.2, label=plain)
        found = bands[name]
        ax.plot(found.images, found.mean, color=INKS[1], linewidth=2, label=name)
        ax.fill_between(found.images, found.low, found.high, color=INKS[1], alpha=0.12, linewidth=0)
        log_images(ax, narrow=True)
        ax.set_ylabel(what)
        if top is not None:
            ax.axvline(top.images, color=INKS[2], linestyle="--", linewidth=1)
    if top is not None:
        right = axes[0, 1]
        right.plot([top.images], [top.value], marker="o", color=INKS[2], markersize=6)
        near_end = top.images > np.sqrt(np.prod(right.get_xlim()))
        beside: dict[str, Any] = {"xytext": (-6 if near_end else 6, 8), "ha": "right" if near_end else "left"}
        right.annotate(
            f"judge's peak:\n{top.images:,.0f} images", (top.images, right.get_ylim()[0]), **beside,
            textcoords="offset points", fontsize=8, color=GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    figure.legend(*axes[0, 0].get_legend_handles_labels(), frameon=False, fontsize="small", ncols=3,
                  loc="outside upper center")  # fmt: skip
    return encoded(figure)


def scores_png(scores: Mapping[str, Sequence[float]]) -> bytes:
    """How scores are spread: a histogram in outline for each set, by its share of pictures."""
    figure, axes = figure_of(9.5, 3.6)
    ax = axes[0, 0]
    everything = [value for of in scores.values() for value in of]
    edges = np.linspace(min(everything), max(everything) + 1e-6, 41)
    for k, (name, values) in enumerate(scores.items()):
        weights = np.full(len(values), 100 / max(len(values), 1))
        ax.hist(values, edges, weights=weights, histtype="step", color=INKS[k % 7], linestyle=DASHES[k % 4],
                linewidth=1.6, label=name)  # fmt: skip
    ax.set_xlabel("score")
    ax.set_ylabel("per cent of the pictures")
    ax.legend(frameon=False, fontsize="small")
    return encoded(figure)


def best_png(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], marks: Mapping[str, float]) -> bytes:
    """Best score so far over images for each run, and where its plateau begins."""
    figure, axes = figure_of(9.5, 3.8)
    ax = axes[0, 0]
    for k, (name, (images, best)) in enumerate(curves.items()):
        ax.step(images, best, where="post", color=INKS[k % 7], linestyle=DASHES[k % len(DASHES)], label=name)
        at = int(np.searchsorted(np.asarray(images), marks[name]))
        ax.plot([marks[name]], [best[min(at, len(best) - 1)]], marker=MARKS[k % 7], color=INKS[k % 7], markersize=7)
    log_images(ax)
    ax.set_ylabel("best score so far")
    ax.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return encoded(figure)


def pairs_png(rows: Mapping[str, tuple[Interval, Interval]], names: tuple[str, str], what: str) -> bytes:
    """Two values with their intervals for each row: a filled and an open mark, joined by a line."""
    figure, axes = figure_of(9.5, 1.4 + 0.5 * len(rows))
    ax = axes[0, 0]
    for k, (first, second) in enumerate(rows.values()):
        ax.plot([first[0], second[0]], [k, k], color=GREY, linewidth=1)
        for value, mark, fill, name in ((first, "o", INKS[0], names[0]), (second, "s", "white", names[1])):
            spread = [[max(value[0] - value[1], 0)], [max(value[2] - value[0], 0)]]
            ax.errorbar([value[0]], [k], xerr=spread, fmt=mark, color=INKS[0], markerfacecolor=fill, capsize=3,
                        linewidth=1, label=name if k == 0 else None)  # fmt: skip
    ax.set_yticks(range(len(rows)), [name.replace("$", r"\$") for name in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel(what)
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, fontsize="small", ncols=2, loc="outside upper center")
    return encoded(figure)


def means_png(names: Sequence[str], series: Mapping[str, Sequence[Interval | None]], what: str) -> bytes:
    """A value with its interval for each name and series, side by side."""
    figure, axes = figure_of(9.5, 3.8)
    ax, step = axes[0, 0], 0.3 / max(len(series) - 1, 1)
    first = -0.15 if len(series) > 1 else 0.0
    for k, (label, values) in enumerate(series.items()):
        rows = [(i + first + k * step, *v) for i, v in enumerate(values) if v is not None]
        if rows:
            x, y, low, high = (np.array(column) for column in zip(*rows, strict=True))
            ax.errorbar(x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)], fmt=MARKS[k % 7], color=INKS[k % 7],
                        capsize=3, linewidth=1, label=label)  # fmt: skip
    ax.set_xticks(range(len(names)), [name.replace("$", r"\$")[:32] for name in names], fontsize=8)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylabel(what)
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, fontsize="small", ncols=4, loc="outside upper center")
    return encoded(figure)
