"""Figures of small pictures, beside those of other real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from zeuxis.demonstrations.base import Settings
from zeuxis.demonstrations.toy import Real
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.precision_recall import precision_recall
from zeuxis.rng import stream

COUNT, SHOWN = 800, 14
HEAD = ("", "precision", "recall", "coverage")


class Row(NamedTuple):
    """One set of pictures: its name, some of them in [0, 1], and its line of the table."""

    name: str
    images: Tensor
    figures: tuple[str | float, ...]


def compared(name: str, draw: Callable[[int], Tensor], real: Real, settings: Settings) -> Row:
    """Precision and recall (k = 3) and coverage (k = 5) of drawn pictures, by their pixels."""
    count = settings.count(COUNT, 12)
    drawn, others = draw(count).flatten(1), real(count, stream(settings.seed, "held out")).flatten(1)
    found = precision_recall(drawn, others)
    coverage = density_coverage(drawn, others).coverage
    return Row(name, draw(SHOWN).clamp(-1, 1) / 2 + 0.5, (name, found.precision, found.recall, coverage))


def real_row(real: Real, settings: Settings) -> Row:
    """Other real pictures: the best that can be."""
    return compared("other real pictures", lambda count: real(count, stream(settings.seed, "real")), real, settings)
