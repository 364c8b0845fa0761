"""Progress of a run on a terminal: a bar, plain lines, or nothing."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import typer
from rich import progress as bar
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from zeuxis.cli.terminal import styled
from zeuxis.config import RunConfig
from zeuxis.run import Session
from zeuxis.storage.reading import printable
from zeuxis.types import Event, JudgeEvaluation

PATIENCE = 0.5  # seconds that the second generation waits for the picture of the first


class Display(Protocol):
    """Shows a generation, and lines between the generations."""

    def show(self, event: Event, speed: float, judged: JudgeEvaluation | None) -> None:
        """`speed` in images per second of this session, `judged` the judge's newest evaluation."""
        ...

    def say(self, sentence: str) -> None:
        """A line between the generations."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class Progress:
    """Tells a display what happens in a session."""

    def __init__(self, session: Session, display: Display) -> None:
        self.session, self.display = session, display
        self._started = time.perf_counter()
        self._first = _FirstPictures(session.folder.grid_path(0))

    def hear(self, event: Event) -> None:
        """A generation is done."""
        done = event.images_so_far - self.session.start.images_so_far
        self.display.show(event, done / (time.perf_counter() - self._started), self.session.judged)
        self._first.announce(self.display)

    def close(self) -> None:
        """The run has ended."""
        self.display.close()


def make_progress(session: Session, stopping: Callable[[], bool], quiet: bool = False) -> Progress:
    """Progress on standard error: a bar on a terminal, else lines. `stopping` says whether an end was asked for."""
    if quiet:
        return Progress(session, _Nothing())
    if (console := Console(file=styled(sys.stderr))).is_interactive:
        return Progress(session, _Bar(console, session, stopping))
    return Progress(session, _Lines(session.config))


def progress_of(config: RunConfig, event: Event) -> tuple[float, float]:
    """How far a run is, and how far it can go, in the unit of what will end it first: generations or images."""
    generations = (event.generation / config.generations) if config.generations else 1.0
    if config.budget is not None and event.images_so_far / config.budget > generations:
        return float(event.images_so_far), float(config.budget)
    return float(event.generation), float(config.generations)


def place_of(config: RunConfig, event: Event, width: int = 1) -> str:
    """ "generation 12/160", or with a budget that ends the run first "generation 12, 480/1000 images"."""
    done, total = progress_of(config, event)
    if total == config.budget and done == event.images_so_far:
        return f"generation {event.generation:{width}d}, {event.images_so_far}/{config.budget} images"
    return f"generation {event.generation:{width}d}/{config.generations}"


def judged_words(judged: JudgeEvaluation | None) -> str:
    """The judge's mean score in a few characters; without a word for the prompt what it sees most."""
    if judged is None:
        return ""
    if math.isfinite(judged.mean):
        return f"judge {100 * judged.mean:.0f} %"
    return f"judge sees {max(set(judged.label), key=judged.label.count)}"


class _FirstPictures:
    """Says where the initial population is to be seen, as soon as it is; waits a moment for the disk, once."""

    def __init__(self, path: Path) -> None:
        self.path, self.said = path, path.exists()  # a resumed run said it before
        self.patience = PATIENCE

    def announce(self, display: Display) -> None:
        if self.said:
            return
        until, self.patience = time.perf_counter() + self.patience, 0.0
        while not self.path.exists() and time.perf_counter() < until:
            time.sleep(0.01)
        if self.path.exists():
            display.say(f"first pictures: {self.path}")
            self.said = True


class _Nothing:
    def show(self, event: Event, speed: float, judged: JudgeEvaluation | None) -> None:
        """Says nothing."""

    def say(self, sentence: str) -> None:
        """Says nothing."""

    def close(self) -> None:
        """Has nothing to close."""


class _Lines:
    """One line every `view_every` generations, for files and pipes."""

    def __init__(self, config: RunConfig) -> None:
        self.every, self.config = config.view_every, config

    def show(self, event: Event, speed: float, judged: JudgeEvaluation | None) -> None:
        done, total = progress_of(self.config, event)
        if event.generation % self.every == 0 or done >= total:
            mean = float(event.evaluation.score.nanmean())
            figures = f"best {event.best_score:.4f}  mean {mean:.4f}  {speed:.0f} images/s"
            self.say(f"{place_of(self.config, event, 4)}  {figures}  {judged_words(judged)}".rstrip())

    def say(self, sentence: str) -> None:
        typer.echo(sentence, err=True)

    def close(self) -> None:
        """Has nothing to close."""


class _Bar:
    """One line that is redrawn four times a second by a thread of its own."""

    def __init__(self, console: Console, session: Session, stopping: Callable[[], bool]) -> None:
        self.config = session.config
        self.bar = bar.Progress(
            TextColumn("{task.fields[place]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[best]}"),
            TextColumn("{task.fields[speed]}"),
            _Remaining(stopping),
            TextColumn("{task.fields[judge]}", markup=False),
            console=console,
            expand=True,
            refresh_per_second=4,
        )
        self.task: TaskID = self.bar.add_task("", total=1.0, place="generation 0", best="", speed="", judge="")
        self.bar.start()

    def show(self, event: Event, speed: float, judged: JudgeEvaluation | None) -> None:
        done, total = progress_of(self.config, event)
        self.bar.update(
            self.task,
            total=total,
            completed=done,
            place=place_of(self.config, event),
            best=f"best {event.best_score:.4f}",
            speed=f"{speed:.0f} images/s",
            judge=printable(judged_words(judged)),
        )

    def say(self, sentence: str) -> None:
        self.bar.console.print(Text(printable(sentence)), soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()


class _Remaining(TimeRemainingColumn):
    """Time left; once a stop was asked for, that."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        super().__init__(compact=True)
        self.stopping = stopping

    def __call__(self, task: object) -> Text:
        if self.stopping():
            return Text("stopping after this generation")
        return Text.assemble(super().__call__(task), " left")  # type: ignore[arg-type]
