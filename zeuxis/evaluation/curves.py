"""Curves of runs over images: read at common places, averaged with bands, and a score's curve against a judge's.

A search that over-optimises its scorer goes on raising the score when a judge that it never hears sees no gain any more
(Gao, Schulman and Hilton 2022, "Scaling laws for reward model over-optimization", arXiv 2210.10760).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zeuxis.errors import BadInput

Array = np.ndarray[Any, np.dtype[np.float64]]
Curve = tuple[Sequence[float], Sequence[float]]  # images, rising; the value from each on
BAND = (5.0, 95.0)  # percentiles of the runs


@dataclass(frozen=True)
class Band:
    """`mean`, and `low` to `high` in which 90 % of the runs lie, at each place of `images`; NaN before a run began."""

    images: Array
    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Peak:
    """Where the judge is highest: place in the curve, images, its value, and what it lost from there to the end."""

    index: int
    images: float
    value: float
    lost: float


def read_at(curve: Curve, places: Sequence[float] | Array) -> Array:
    """A curve of steps at these numbers of images; NaN before its first."""
    images, values = (np.asarray(part, dtype=np.float64) for part in curve)
    if images.ndim != 1 or images.shape != values.shape or not len(images) or bool((np.diff(images) < 0).any()):
        raise BadInput(f"Expected as many rising numbers of images as values, got {images.shape} and {values.shape}.")
    at = np.searchsorted(images, np.asarray(places, dtype=np.float64), side="right") - 1
    return np.where(at < 0, np.nan, values[at.clip(0)])


def band(curves: Sequence[Curve], places: Sequence[float] | Array) -> Band:
    """Mean and band of curves, at those `places` that every curve has reached."""
    x = np.asarray(places, dtype=np.float64)
    table = np.stack([read_at(curve, x) for curve in curves])
    known = np.isfinite(table).all(0)
    x, table = x[known], table[:, known]
    low, high = np.percentile(table, BAND, axis=0) if len(x) else (x, x)
    return Band(x, table.mean(0), low, high)


def places_of(curves: Sequence[Curve], count: int = 120) -> Array:
    """Numbers of images, evenly on a logarithmic axis, from where all curves have begun to where the longest ends."""
    first, last = max(curve[0][0] for curve in curves), max(curve[0][-1] for curve in curves)
    return np.unique(np.geomspace(max(first, 1), max(last, first, 1), count).round())


def peak(images: Sequence[float] | Array, judge: Sequence[float] | Array) -> Peak:
    """The first place where the judge's curve is highest."""
    x, y = np.asarray(images, dtype=np.float64), np.asarray(judge, dtype=np.float64)
    if not len(x) or x.shape != y.shape or not np.isfinite(y).any():
        raise BadInput(f"Expected a judge's curve with figures in it, got {y.shape} of {x.shape}.")
    k = int(np.nanargmax(y))
    return Peak(k, float(x[k]), float(y[k]), float(y[k] - y[-1]))


def area_between(
    images: Sequence[float] | Array, score: Sequence[float] | Array, judge: Sequence[float] | Array
) -> float:
    """Mean height of the score's curve over the judge's, along log(images), in [-2, 2].

    Each is counted from its first value in parts of its own range, so that units do not matter: 0 where both rise
    alike, above 0 where the judge stays behind or falls, for a search that raises both at first. The first values weigh
    much, as the axis is logarithmic: a curve of few evaluations has a rough area, and a judge that only wavers has one
    of no meaning.
    """
    x, s, j = (np.asarray(part, dtype=np.float64) for part in (images, score, judge))
    if len(x) < 2 or not (x.shape == s.shape == j.shape) or x[0] <= 0 or x[-1] <= x[0]:
        raise BadInput(
            f"Expected two curves at two or more rising numbers of images, got {x.shape}, {s.shape}, {j.shape}."
        )
    place = np.log(x)
    return float(np.trapezoid(_scaled(s) - _scaled(j), place) / (place[-1] - place[0]))


def plateau(images: Sequence[float], best: Sequence[float], rest: float = 0.01) -> float:
    """Images from which on the best value rises by less than `rest` of its whole rise."""
    curve = np.asarray(best, dtype=np.float64)
    if not len(curve) or len(curve) != len(images):
        raise BadInput(f"Expected a value for each of at least one number of images, got {len(curve)}.")
    return float(images[int(np.argmax(curve >= curve[-1] - rest * (curve[-1] - curve[0])))])


def _scaled(curve: Array) -> Array:
    span = float(np.nanmax(curve) - np.nanmin(curve))
    return (curve - curve[0]) / span if span else np.zeros_like(curve)
