"""Those who listen to a run on a terminal: a bar, plain lines, or nobody. None of them touches the run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from zeuxis.cli.interrupts import Interrupts
from zeuxis.config import RunConfig
from zeuxis.run import JudgeView, Session
from zeuxis.types import Event

PATIENCE = 0.5  # seconds that the second generation waits for the picture of the first


class Listener(Protocol):
    """Hears each generation."""

    def hear(self, event: Event, speed: float, view: JudgeView | None) -> None:
        """`speed` in images per second of this session, `view` the judge's newest."""
        ...

    def say(self, sentence: str) -> None:
        """A line between the generations."""
        ...


def watch(session: Session, interrupts: Interrupts, quiet: bool = False) -> None:
    """Go through the session's events until it ends or an interrupt asks to stop; then `session.finish` is next."""
    started, first = time.perf_counter(), _FirstPictures(session.folder.grid_path(0))
    interrupts.gentle = True
    with _listener(session, interrupts, quiet) as listener:
        for event in session:
            done = event.images_so_far - session.start.images_so_far
            listener.hear(event, done / (time.perf_counter() - started), session.view)
            first.look(listener)
            if interrupts.asked:
                break
    interrupts.gentle = False


def total_generations(config: RunConfig) -> int:
    """How many generations a run can have, the initial one included."""
    most = config.generations + 1
    return most if config.budget is None else min(most, math.ceil(config.budget / config.population))


def view_words(view: JudgeView | None) -> str:
    """The judge's view in a few characters: its mean score, or without a word for the prompt what it sees most."""
    if view is None:
        return ""
    if math.isfinite(view.mean):
        return f"judge {100 * view.mean:.0f} %"
    return f"judge sees {max(set(view.label), key=view.label.count)}"


@contextmanager
def _listener(session: Session, interrupts: Interrupts, quiet: bool) -> Iterator[Listener]:
    if quiet:
        yield _Nobody()
    elif (console := Console(stderr=True)).is_interactive:
        with _bar(console, interrupts) as progress:
            yield _Bar(progress, session)
    else:
        yield _Lines(session.config.view_every, total_generations(session.config) - 1)


class _FirstPictures:
    """Says where the initial population is to be seen, as soon as it is; waits a moment for the disk, once."""

    def __init__(self, path: Path) -> None:
        self.path, self.said = path, path.exists()  # a resumed run said it before
        self.patience = PATIENCE

    def look(self, listener: Listener) -> None:
        if self.said:
            return
        until, self.patience = time.perf_counter() + self.patience, 0.0
        while not self.path.exists() and time.perf_counter() < until:
            time.sleep(0.01)
        if self.path.exists():
            listener.say(f"first pictures: {self.path}")
            self.said = True


class _Nobody:
    def hear(self, event: Event, speed: float, view: JudgeView | None) -> None:
        """Says nothing."""

    def say(self, sentence: str) -> None:
        """Says nothing."""


class _Lines:
    """One line every `every` generations, for files and pipes."""

    def __init__(self, every: int, last: int) -> None:
        self.every, self.last = every, last

    def hear(self, event: Event, speed: float, view: JudgeView | None) -> None:
        if event.generation % self.every == 0 or event.generation == self.last:
            place = f"generation {event.generation:4d}/{self.last}"
            mean = float(event.evaluation.score.nanmean())
            figures = f"best {event.best_score:.4f}  mean {mean:.4f}  {speed:.0f} images/s"
            self.say(f"{place}  {figures}  {view_words(view)}".rstrip())

    def say(self, sentence: str) -> None:
        typer.echo(sentence, err=True)


class _Bar:
    """One line that is redrawn four times a second by a thread of its own."""

    def __init__(self, progress: Progress, session: Session) -> None:
        self.progress, last = progress, total_generations(session.config) - 1
        done = max(0, session.start.generation - 1)
        self.task: TaskID = progress.add_task("", total=last, completed=done, best="", speed="", view="")

    def hear(self, event: Event, speed: float, view: JudgeView | None) -> None:
        self.progress.update(
            self.task,
            completed=event.generation,
            best=f"best {event.best_score:.4f}",
            speed=f"{speed:.0f} images/s",
            view=view_words(view),
        )

    def say(self, sentence: str) -> None:
        self.progress.console.print(Text(sentence), soft_wrap=True)


class _Remaining(TimeRemainingColumn):
    """Time left; once a stop was asked for, that."""

    def __init__(self, interrupts: Interrupts) -> None:
        super().__init__(compact=True)
        self.interrupts = interrupts

    def __call__(self, task: object) -> Text:
        if self.interrupts.asked:
            return Text("stopping after this generation")
        return Text.assemble(super().__call__(task), " left")  # type: ignore[arg-type]


def _bar(console: Console, interrupts: Interrupts) -> Progress:
    return Progress(
        TextColumn("generation {task.completed}/{task.total}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[best]}"),
        TextColumn("{task.fields[speed]}"),
        _Remaining(interrupts),
        TextColumn("{task.fields[view]}", markup=False),
        console=console,
        expand=True,
        refresh_per_second=4,
    )
