"""The final population with its scores and the judge's evaluation, as data and in words.

Read from summary.json, so that a report needs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """One picture of the final population; `rank` 0 is the best.

    `label` is what the judge takes it for ("" without a judge) and `confidence` how sure it is; `recognised` says
    whether that is what was asked for, None where the judge has no word for it.
    """

    rank: int
    score: float | None
    description: str
    label: str = ""
    confidence: float | None = None
    judged: float | None = None

    @property
    def recognised(self) -> bool | None:
        """Whether the label asked for is the judge's first choice: only then its probability is the highest one."""
        if self.judged is None or self.confidence is None:
            return None
        return self.judged >= self.confidence


def pictures(summary: dict[str, Any]) -> list[Picture]:
    """The final population of a summary, best first."""
    rows: list[dict[str, Any]] = summary["population"]
    if summary["judge"] is None:
        return [Picture(rank, row["score"], row["description"]) for rank, row in enumerate(rows)]
    seen: list[dict[str, Any]] = summary["judge"]["population"]
    return [
        Picture(rank, row["score"], row["description"], view["label"], view["confidence"], view["score"])
        for rank, (row, view) in enumerate(zip(rows, seen, strict=True))
    ]


def percent(share: float | None) -> str:
    """0.934 -> "93 %"."""
    return "?" if share is None else f"{100 * share:.0f} %"


def recognised(population: Sequence[Picture]) -> int:
    """How many pictures the judge takes for what was asked."""
    return sum(picture.recognised is True for picture in population)


def has_word(population: Sequence[Picture]) -> bool:
    """Whether the judge has a label for what was asked."""
    return any(picture.recognised is not None for picture in population)


def short_verdict(population: Sequence[Picture]) -> str:
    """For the terminal: "93 % truck; 58 of 64 pictures recognised"."""
    if not population or not population[0].label:
        return "none"
    best = population[0]
    seen = f"{percent(best.confidence)} {best.label}"
    if not has_word(population):
        return f"{seen}; it has no word for this prompt, so nothing is checked"
    return f"{seen}; {recognised(population)} of {len(population)} pictures recognised"


def verdict(population: Sequence[Picture]) -> str:
    """For the report: the same in a sentence or two."""
    if not population or not population[0].label:
        return "No judge has looked at these pictures: that the score is high is all that is known."
    best = population[0]
    sight = f"The judge, which guides nothing, is {percent(best.confidence)} sure that the first picture shows"
    sight += f" “{best.label}”"
    if not has_word(population):
        return f"{sight}. It has no word for this prompt, so it can confirm nothing."
    agrees = "that is what was asked for" if best.recognised else "that is not what was asked for"
    count, size = recognised(population), len(population)
    return f"{sight}: {agrees}. It recognises {count} of the {size} pictures ({percent(count / size)})."
