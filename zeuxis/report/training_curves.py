"""The learning curves of a training as panels of an SVG: what a page needs to draw them, a few milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zeuxis.lab.history import BEST_BY, CLOCK, Line, best, held_out

WIDTH, HEIGHT = 300, 110  # of the drawing area, in units of the SVG
MOST = 240  # points of a line; more are thinned out evenly
TOGETHER = (  # figures of one unit share a panel; the second line of it is dashed
    ("losses", ("d_loss", "g_loss")),
    ("outputs of the discriminator", ("D(real)", "D(fake)")),
    ("accuracy of the discriminator", ("D accuracy",)),
    ("lengths of the gradients", ("generator gradient", "discriminator gradient")),
    ("different pictures of 64 (Vendi)", ("effective", "effective_real")),
)


@dataclass(frozen=True)
class Panel:
    """One drawing. `series` are names with points "x,y x,y"; `best` is where the best figure stands, if it is known."""

    title: str
    series: tuple[tuple[str, str], ...]
    low: str
    high: str
    last: str
    best: tuple[float, float] | None = None


def panels(lines: Sequence[Line]) -> list[Panel]:
    """The panels of a log: what decides first, then the other held-out figures, then what every line has."""
    looks = held_out(lines)
    names = [n for n in dict.fromkeys(name for line in lines for name in line) if n not in CLOCK]
    names = [*(n for n in BEST_BY if n in names), *looks, *names]
    done, found = set[str](), []
    for name in dict.fromkeys(names):
        if name in done:
            continue
        title, group = next(((t, g) for t, g in TOGETHER if name in g), (name, (name,)))
        done |= set(group)
        found += _panel(title, [n for n in group if n in names], lines)
    return found


def _panel(title: str, names: Sequence[str], lines: Sequence[Line]) -> list[Panel]:
    known = {n: [(x["images"], x[n]) for x in lines if n in x and math.isfinite(x[n])] for n in names}
    known = {n: points for n, points in known.items() if points}
    if not known:
        return []
    values = [value for points in known.values() for _, value in points]
    low, high, end = min(values), max(values), max(lines[-1]["images"], 1)
    scale = HEIGHT / (high - low) if high > low else 0.0

    def place(x: float, value: float) -> tuple[float, float]:
        y = HEIGHT - (value - low) * scale if scale else HEIGHT / 2
        return round(WIDTH * x / end, 1), round(y, 1)

    series = tuple((n, " ".join("{},{}".format(*place(*p)) for p in _thinned(points))) for n, points in known.items())
    mark, decides = None, best(lines)
    if decides is not None and decides[0] in known:
        mark = place(decides[1]["images"], decides[1][decides[0]])
    return [Panel(title, series, f"{low:,.4g}", f"{high:,.4g}", f"{int(end):,}", mark)]


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= MOST:
        return points
    return [points[round(k * (len(points) - 1) / (MOST - 1))] for k in range(MOST)]
