"""From the cells of an experiment to its table: medians, intervals, evaluations to the target, wins, what remains.

Intervals are bootstrap percentiles (Efron 1979) over whole phrases: runs of one phrase are no independent draws.
The target of a (phrase, seed) pair is the baseline's own final score on it, at the same population.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zeuxis.experiments.cell import evaluator_names
from zeuxis.experiments.design import Cell, Design, is_warm

ROUNDS = 2000
COVER = (2.5, 97.5)  # percentiles of a 95 % interval
Row = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.float64]]
Statistic = Callable[[Array], float]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """ "0.812 (0.801 .. 0.820)"; figures that do not exist are a dash."""
        if not math.isfinite(self.value):
            return "never" if self.value > 0 else "-"
        low, high = (f"{x:{spec}}" if math.isfinite(x) else "never" for x in (self.low, self.high))
        return f"{self.value:{spec}} ({low} .. {high})"


@dataclass(frozen=True)
class Line:
    """One variant at one population.

    `best` is the median final score of the guides. `share` is the median of images to the target over the budget
    and `reached` how often the target was reached; `spent` is the median share of the budget that the runs took,
    below 1 where a stopping rule ended them. `wins` is the share of pairs that end above the baseline. `gain`
    holds, per evaluator, the mean rise over the baseline's chosen picture in deviations of the prior, and `remains`
    that of each other evaluator over that of the guide; `rise` and `rise_remains` are the same over the mean of the
    prior. `judged` is the mean score per evaluator of the chosen picture, `population_judged` that of the final
    population; `effective` its number of different images, `seconds` the median time of a run.
    """

    variant: str
    population: int
    pairs: int
    warm: bool
    best: Estimate
    share: Estimate
    reached: float
    spent: Estimate
    wins: Estimate
    gain: Mapping[str, Estimate]
    remains: Mapping[str, Estimate]
    rise: Mapping[str, Estimate]
    rise_remains: Mapping[str, Estimate]
    judged: Mapping[str, Estimate]
    population_judged: Mapping[str, Estimate]
    effective: Estimate
    seconds: float


def table(design: Design, rows: Mapping[Cell, Row], priors: Mapping[str, Row]) -> list[Line]:
    """A line for every variant and population with a pair that the baseline has too; best first."""
    lines = []
    for population in design.populations:
        base = {(c.phrase, c.seed): row for c, row in rows.items() if _is(c, design.baseline, population)}
        found = []
        for variant in design.variants:
            mine = {(c.phrase, c.seed): row for c, row in rows.items() if _is(c, variant, population)}
            both = sorted(set(mine) & set(base))
            if both:
                pairs = [(phrase, mine[phrase, seed], base[phrase, seed]) for phrase, seed in both]
                found.append(_line(design, variant, population, pairs, priors))
        lines += sorted(found, key=lambda line: (line.warm, -line.best.value))
    return lines


def uneven(lines: Sequence[Line], population: int) -> str:
    """In a sentence, that lines of a population are over different phrases and seeds: a grid has grown. "" if not."""
    counts = {line.variant: line.pairs for line in lines if line.population == population}
    if len(set(counts.values())) < 2:
        return ""
    said = ", ".join(f"{variant} {count}" for variant, count in counts.items())
    return (
        f"With population {population} not every search has been run on every phrase and seed ({said}): compare only "
        "those with as many runs. One command with all searches, phrases and seeds runs what is missing."
    )


def images_to(row: Row, target: float) -> float:
    """Images until the curve first reaches `target`; infinity if it never does."""
    at = np.flatnonzero(np.asarray(row["curve"]) >= target)
    return float(row["images"][at[0]]) if len(at) else math.inf


def _known_mean(values: Array) -> float:
    """The mean of the numbers that are none of NaN; NaN where all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def estimate(values: Sequence[float], phrases: Sequence[str], statistic: Statistic) -> Estimate:
    """`statistic` of the values with its interval: whole phrases are drawn again, with all their runs."""
    return ratio(np.asarray(values, dtype=np.float64)[:, None], phrases, lambda columns: statistic(columns[:, 0]))


def ratio(columns: Array, phrases: Sequence[str], statistic: Statistic) -> Estimate:
    """As `estimate`, of several values per run `(R, C)`."""
    names = sorted(set(phrases))
    groups = [np.flatnonzero([phrase == name for phrase in phrases]) for name in names]
    rng = np.random.default_rng(0)  # the same rows give the same interval
    drawn = [
        statistic(columns[np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))])])
        for _ in range(ROUNDS)
    ]
    known = [figure for figure in drawn if not math.isnan(figure)]
    low, high = np.percentile(known, COVER, method="nearest") if known else (math.nan, math.nan)  # "never" is no mean
    return Estimate(statistic(columns), float(low), float(high))


def _is(cell: Cell, variant: str, population: int) -> bool:
    return cell.variant == variant and cell.population == population


def _line(
    design: Design, variant: str, population: int, pairs: list[tuple[str, Row, Row]], priors: Mapping[str, Row]
) -> Line:
    phrases = [phrase for phrase, _, _ in pairs]
    budget, names = design.budget(population), evaluator_names(design)
    guides = list(design.scorer)

    def over(values: Sequence[float], statistic: Statistic = np.mean) -> Estimate:
        return estimate(values, phrases, statistic)

    def remains(gains: Mapping[str, Sequence[float]]) -> dict[str, Estimate]:
        guide = np.mean([gains[name] for name in guides], axis=0)
        others = [name for name in names if name not in guides]
        return {name: ratio(np.stack([gains[name], guide], axis=1), phrases, _quotient) for name in others}

    shares = [images_to(mine, base["curve"][-1]) / budget for _, mine, base in pairs]
    seen = [(mine, base, priors[phrase]) for phrase, mine, base in pairs]
    gains = {n: [_gain(mine[n], base[n]["best"], prior[n]) for mine, base, prior in seen] for n in names}
    rises = {n: [_gain(mine[n], prior[n]["mean"], prior[n]) for mine, _, prior in seen] for n in names}
    return Line(
        variant=variant,
        population=population,
        pairs=len(pairs),
        warm=is_warm(variant),
        best=over([sum(mine[name]["best"] for name in guides) for _, mine, _ in pairs], np.median),
        share=over(shares, np.median),
        reached=float(np.mean(np.isfinite(shares))),
        spent=over([mine["images"][-1] / budget for _, mine, _ in pairs], np.median),
        wins=over([float(sum(mine[n]["best"] - base[n]["best"] for n in guides) > 0) for _, mine, base in pairs]),
        gain={name: over(gains[name], _known_mean) for name in names},
        remains=remains(gains),
        rise={name: over(rises[name], _known_mean) for name in names},
        rise_remains=remains(rises),
        judged={name: over([mine[name]["best"] for _, mine, _ in pairs], _known_mean) for name in names},
        population_judged={name: over([mine[name]["mean"] for _, mine, _ in pairs], _known_mean) for name in names},
        effective=over([mine["effective"] for _, mine, _ in pairs], np.median),
        seconds=float(np.median([mine["seconds"] for _, mine, _ in pairs])),
    )


def _gain(mine: Row, start: float, prior: Row) -> float:
    """From `start` to the chosen picture, in the evaluator's own deviations of the prior."""
    deviation = prior["deviation"]
    return float((mine["best"] - start) / deviation) if deviation > 0 else math.nan


def _quotient(columns: Array) -> float:
    """Of the means over the rows that have both: a judge has no figure for a phrase that it does not know."""
    both = columns[np.isfinite(columns).all(axis=1)]
    below = both[:, 1].mean() if len(both) else 0.0
    return float(both[:, 0].mean() / below) if below else math.nan
