"""When to stop: rules that look at each generation and say a reason, or nothing to go on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from zeuxis.config import RunConfig
from zeuxis.types import JudgeEvaluation


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


Rule = Callable[[Progress], str | None]  # the reason as a sentence, None to go on


def after_generations(count: int) -> Rule:
    """Stop when `count` generations have been bred after the initial population."""
    return lambda now: f"All {count} generations are done." if now.generation >= count else None


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
    peak: JudgeEvaluation | None = None
    since = 0

    def rule(now: Progress) -> str | None:
        nonlocal peak, since
        seen = now.judged
        if seen is None or math.isnan(seen.mean):
            return None
        if peak is None or seen.mean >= peak.mean:
            peak, since = seen, 0
            return None
        since = since + 1 if seen.guide > peak.guide else 0
        if since < evaluations:
            return None
        return (
            f"Scorer over-optimisation: for {since} evaluations the judge's mean has stayed below the {peak.mean:.3f} "
            f"of generation {peak.generation}, while the score's mean rose from {peak.guide:.3f} to {seen.guide:.3f}."
        )

    return rule


def first_of(*rules: Rule) -> Rule:
    """Stop as soon as one of the rules says so. All of them see every generation."""

    def rule(now: Progress) -> str | None:
        reasons = [reason for r in rules if (reason := r(now))]
        return reasons[0] if reasons else None

    return rule


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
    return first_of(*rules)
