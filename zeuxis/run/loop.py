"""The loop: ask, evaluate, tell, and an event. Who listens decides on pace and end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from zeuxis.errors import SearchStopped
from zeuxis.rng import stream
from zeuxis.search.base import Search
from zeuxis.types import Batch, Evaluated, Event, JudgeEvaluation

GRADIENT_COST = 3  # images: one forward pass and a backward pass of about two
UNSCORED = 3  # generations in a row without one score, then we stop


class Evaluates(Protocol):
    """What the loop needs of a problem."""

    def evaluate(self, batch: Batch, generation: int) -> Evaluated:
        """Scores, images, time and health for a batch of this generation."""
        ...


def run(
    problem: Evaluates,
    search: Search,
    *,
    seed: int,
    start: int = 0,
    images_so_far: int = 0,
    unscored: int = 0,
    generations: int | None = None,
) -> Iterator[Event]:
    """One event per generation, from `start` to `generations` (included; None: until the caller stops).

    Generation 0 is the initial population. Randomness is a function of `(seed, generation)`, so a search in the state
    it had before generation k goes on from `start=k` bit for bit; `images_so_far` and `unscored` (generations in a row
    without a score) are the counts at that point. SearchStopped when all scores were NaN 3 generations in a row.
    """
    generation = start - 1
    for generation in itertools.count(start) if generations is None else range(start, generations + 1):
        _check_scored(unscored, generation - 1)
        batch = search.ask(stream(seed, generation, "ask"))
        found = problem.evaluate(batch, generation)
        search.tell(batch, found.evaluation)
        images_so_far += len(batch.x) * (GRADIENT_COST if batch.gradient else 1)
        unscored = unscored + 1 if bool(found.evaluation.score.isnan().all()) else 0
        x, score = search.best
        yield Event(generation, images_so_far, batch, found.evaluation, x, score, *found[1:])
    _check_scored(unscored, generation)


def judged(events: Iterator[Event], judge: Callable[[Event], JudgeEvaluation | None], every: int) -> Iterator[Event]:
    """The same events, those of every `every`-th generation with the judge's evaluation. The search never hears it."""
    for event in events:
        yield replace(event, judged=judge(event)) if event.generation % every == 0 else event


def _check_scored(unscored: int, generation: int) -> None:
    if unscored >= UNSCORED:
        raise SearchStopped(
            f"No image could be scored in {unscored} generations in a row (the last was {generation}): all scores are "
            "NaN. The generator's or the scorer's numbers overflow; try precision fp32, or other weights."
        )
