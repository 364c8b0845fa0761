"""What the log of a training says: its held-out figures, the best of them, signs of collapse, how it stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zeuxis.config import TrainConfig
from zeuxis.lab.watch import COVERAGE, DUPLICATES, SATURATION

Line = dict[str, float]
BEST_BY = ("held_out_frechet", "held_out_kernel")  # distances by which a task keeps its best export; smaller is better
CLOCK = ("images", "images_per_second", "seconds")
LAST_OF_STEP = "discriminator gradient"  # behind it a line has held-out figures only
SIGNS = 2  # signs of collapse in one line that make a collapse


@dataclass
class Status:
    """A training under way, for what shows it. `lines` are those of the log, `began` the images at this start.

    `happened` is start, step, line, or end; `ended` says in words why it is no longer under way.
    """

    folder: Path
    config: TrainConfig
    device: str
    lines: list[Line]
    images: int
    happened: str = "start"
    ended: str = ""
    began: int = 0
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.began = self.images

    def left(self) -> float | None:
        """Seconds to the end at the pace of this start, evaluations included; None before the first step."""
        done = self.images - self.began
        if done <= 0:
            return None
        return (time.monotonic() - self.since) / done * max(0, self.config.images - self.images)


Listener = Callable[[Status], None]


def evaluations(lines: Sequence[Line]) -> list[Line]:
    """The lines with held-out figures: those of the checkpoints."""
    return [line for line in lines if "seconds" in line]


def held_out(lines: Sequence[Line]) -> list[str]:
    """Names of the held-out figures: what only lines of checkpoints have, or stands behind the figures of a step."""
    looks = evaluations(lines)
    known = list(dict.fromkeys(name for line in looks for name in line if name not in CLOCK))
    others = {name for line in lines if "seconds" not in line for name in line}
    if not others:
        others = {name for line in looks if LAST_OF_STEP in line for name in _before(line)}
    return [name for name in known if name not in others]


def _before(line: Line) -> list[str]:
    names = list(line)
    return names[: names.index(LAST_OF_STEP) + 1]


def best(lines: Sequence[Line]) -> tuple[str, Line] | None:
    """The distance that decides and the line where it was smallest, the first of equals; None for other tasks."""
    for name in BEST_BY:
        looks = [line for line in evaluations(lines) if name in line]
        if looks:
            return name, min(looks, key=lambda line: line[name])
    return None


def best_words(lines: Sequence[Line]) -> str:
    """Which image count is the best, and whether the last is worse; "" where nothing decides."""
    if (found := best(lines)) is None:
        return ""
    name, line = found
    last = [look for look in evaluations(lines) if name in look][-1]
    at = f"{name} {line[name]:,.4g} at {int(line['images']):,} images"
    if last is line:
        return f"The last figures are the best: {at}."
    return (
        f"The best is not the last: {at}, at {int(last['images']):,} it is {last[name]:,.4g}. "
        "export/ holds both: NAME is the best, NAME-last the newest."
    )


def collapse_words(line: Line) -> list[str]:
    """The signs of collapse in a line, each a sentence."""
    found = []
    if line.get("coverage", 1.0) < COVERAGE:
        found.append(f"Only {share(line['coverage'])} of held-out pictures have a generated one near (under 10 %).")
    if line.get("duplicates", 0.0) > DUPLICATES:
        found.append(f"{share(line['duplicates'])} of the generated pictures look like another of them (over 20 %).")
    if line.get("saturation", 0.0) > SATURATION:
        found.append(f"The discriminator is right of {share(line['saturation'])} of pairs: it teaches nothing more.")
    return found


def collapsed(lines: Sequence[Line], config: TrainConfig) -> str:
    """Why `stop_on_collapse` ends the training now; "" where it does not.

    Evaluations in a row with two signs of collapse count, from the first without on: the first images always have
    them. From half of the images on all count.
    """
    row, sound = 0, False
    for line in evaluations(lines):
        bad = line.get("collapse_signs", 0.0) >= SIGNS
        sound = sound or not bad
        row = row + 1 if bad and (sound or line["images"] >= config.images / 2) else 0
    if not config.stop_on_collapse or row < config.stop_on_collapse:
        return ""
    return (
        f"Stopped: signs of collapse in {row} evaluations in a row (stop_on_collapse = {config.stop_on_collapse}). "
        "What is exported as the best is from before."
    )


def share(value: float) -> str:
    """0.123 -> "12.3 %"."""
    return f"{100 * value:.3g} %"


def duration(seconds: float) -> str:
    """In words: "45 s", "12 min", "3 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
