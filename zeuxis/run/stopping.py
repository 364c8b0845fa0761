"""When to stop: rules that look at each generation and say a reason, or nothing to go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from zeuxis.config import RunConfig
from zeuxis.types import JudgeEvaluation

HELD_OUT, GUIDE = "held_out", "guide"  # means of the held-out scorers and of the score, among the figures of health


class Progress(Protocol):
    """What a rule sees: an Event, or a row of a run's history."""

    @property
    def generation(self) -> int:
        """The generation that has just ended."""
        ...

    @property
    def images_so_far(self) -> int:
        """Images evaluated, this generation included."""
        ...

    @property
    def best_score(self) -> float:
        """The best score of the run so far."""
        ...

    @property
    def judged(self) -> JudgeEvaluation | None:
        """The judge's evaluation of this generation, where it was asked."""
        ...

    @property
    def health(self) -> Mapping[str, float]:
        """Figures on the population."""
        ...


Rule = Callable[[Progress], str | None]  # the reason as a sentence, None to go on


def after_generations(count: int) -> Rule:
    """Stop when `count` generations have been bred after the initial population."""
    said = {0: "The initial population is all that was asked for.", 1: "The one generation is done."}
    words = said.get(count, f"All {count} generations are done.")

    def rule(now: Progress) -> str | None:
        more = f" ({now.generation} were bred)." if now.generation > count else "."  # its end was moved to before that
        return words[:-1] + more if now.generation >= count else None

    return rule


def budget(images: int) -> Rule:
    """Stop when this many images have been evaluated."""

    def rule(now: Progress) -> str | None:
        spent = now.images_so_far
        return f"The budget of {images} images is spent ({spent} evaluated)." if spent >= images else None

    return rule


def target(score: float) -> Rule:
    """Stop at the first score that is at least this high."""

    def rule(now: Progress) -> str | None:
        best = now.best_score
        return f"The target score {score:g} is reached ({best:.4f})." if best >= score else None

    return rule


def patience(generations: int) -> Rule:
    """Stop after this many generations in a row without a better score. It has to see every generation."""
    best, since = -math.inf, 0

    def rule(now: Progress) -> str | None:
        nonlocal best, since
        if now.best_score > best:
            best, since = now.best_score, now.generation
        waited = now.generation - since
        return f"No better score for {waited} generations." if waited >= generations else None

    return rule


def over_optimisation(evaluations: int) -> Rule:
    """Stop when the judge's mean has stayed below its highest, with the guide's mean above what it was then, so many
    evaluations in a row.

    That gain of the scorer is not confirmed by the judge. Early stopping with patience, the judge as the
    validation set (Prechelt, "Early stopping - but when?", 1998). It has to see every generation.
    """

    def told(now: Progress) -> tuple[float, float] | None:
        return None if now.judged is None else (now.judged.guide, now.judged.mean)

    return _parted(evaluations, told, "Scorer over-optimisation", "the judge's mean")


def disagreement(evaluations: int) -> Rule:
    """The same by the scorers that are held out of the score in place of the judge, which stays unheard.

    A gain on which the members of an ensemble part is no gain of the picture (zeuxis.scorers.combine).
    """

    def told(now: Progress) -> tuple[float, float] | None:
        return (now.health[GUIDE], now.health[HELD_OUT]) if HELD_OUT in now.health else None

    return _parted(evaluations, told, "The scorers part", "the held-out scorer's mean")


def _parted(evaluations: int, told: Callable[[Progress], tuple[float, float] | None], what: str, whose: str) -> Rule:
    """Stop when the second of two means has stayed below its highest, with the first above what it was then."""
    best: tuple[int, float, float] | None = None  # generation, guide and value where the value was highest
    since = 0

    def rule(now: Progress) -> str | None:
        nonlocal best, since
        seen = told(now)
        if seen is None or math.isnan(seen[1]):
            return None
        guide, value = seen
        if best is None or value >= best[2]:
            best, since = (now.generation, guide, value), 0
            return None
        since = since + 1 if guide > best[1] else 0
        if since < evaluations:
            return None
        return (
            f"{what}: for {since} evaluations {whose} has stayed below the {best[2]:.3f} of generation {best[0]}, "
            f"while the score's mean rose from {best[1]:.3f} to {guide:.3f}."
        )

    return rule


@dataclass(frozen=True)
class JudgePeak:
    """Where the judge's mean was highest: generation, images evaluated by then, the mean there and the newest one."""

    generation: int
    images: int
    mean: float
    last: float


def judge_peak(history: Iterable[Progress], before: JudgePeak | None = None) -> JudgePeak | None:
    """The first generation in which the judge's mean was highest; None where it was never asked or knows no word.

    `before` is the peak of what came earlier. The final population, which is no generation, is not among them.
    """
    for now in history:
        if now.judged is None or not math.isfinite(now.judged.mean):
            continue
        mean = now.judged.mean
        if before is None or mean > before.mean:
            before = JudgePeak(now.generation, now.images_so_far, mean, mean)
        before = replace(before, last=mean)
    return before


def first_of(*rules: Rule) -> Rule:
    """Stop as soon as one of the rules says so. All of them see every generation."""

    def rule(now: Progress) -> str | None:
        reasons = [reason for r in rules if (reason := r(now))]
        return reasons[0] if reasons else None

    return rule


def longer(config: RunConfig, ended: Mapping[str, Any]) -> dict[str, int | float] | None:
    """The limits with which a run goes on that `ended` as its summary.json says: {} after an interrupt, None where none
    helps.

    All that were reached at once, by what was done, which may be more than the limit: a generation is not broken off.
    """
    reason, images, best = (ended[name] for name in ("reason", "images", "best"))
    done = ended["generations"] - 1  # without the initial population
    score, waited = float(best["score"] or 0), done - best["generation"]
    if reason.startswith("Interrupted"):
        return {}
    if reason.startswith(("Scorer over-optimisation", "The scorers part")):
        return None
    reached: dict[str, int | float] = {}
    if config.budget is not None and images >= config.budget:
        reached["budget"] = 2 * images
    if config.target is not None and score >= config.target:
        reached["target"] = round(score + 0.05, 2)
    if config.patience is not None and waited >= config.patience:
        reached["patience"] = 2 * waited
    if done >= config.generations or not reached:
        reached["generations"] = 2 * max(config.generations, done) or 1
    return reached


def from_config(config: RunConfig) -> Rule:
    """The rules that a configuration asks for."""
    rules = [after_generations(config.generations)]
    if config.budget is not None:
        rules.append(budget(config.budget))
    if config.target is not None:
        rules.append(target(config.target))
    if config.patience is not None:
        rules.append(patience(config.patience))
    if config.stop_on_exploitation is not None:
        rules.append(over_optimisation(config.stop_on_exploitation))
    if config.stop_on_disagreement is not None:
        rules.append(disagreement(config.stop_on_disagreement))
    return first_of(*rules)
