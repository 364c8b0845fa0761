"""Progress of a training on a terminal: a bar with the time left, or plain lines."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import typer
from rich import progress as bar
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.text import Text

from zeuxis.cli.terminal import styled
from zeuxis.lab.history import SIGNS, Line, Status, duration
from zeuxis.storage.reading import printable

SHOWN = ("d_loss", "g_loss", "D accuracy")  # of the last line, beside the bar
WARNING = (
    "warning: signs of collapse (few different pictures, a discriminator that is always right), usual in the "
    "first images. Look at samples/; what is exported is the best so far."
)


class TrainingProgress:
    """A listener of the loop: lines to standard output; on a terminal a bar to standard error besides."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.console = Console(file=styled(sys.stderr))
        self.stopping = stopping
        self.bar: bar.Progress | None = None
        self.task, self.alarm = TaskID(0), False

    def __call__(self, status: Status) -> None:
        """Show what happened."""
        if status.happened == "start":
            self._open(status)
        elif status.happened == "line":
            self._line(status.lines[-1], status)
        elif status.happened == "end":
            self.close()
        if self.bar is not None:
            last = status.lines[-1] if status.lines else {}
            figures = "  ".join(f"{name} {last[name]:.3g}" for name in SHOWN if name in last)
            left = status.left()
            words = "stopping after this step" if self.stopping() else f"{duration(left)} left" if left else ""
            done = f"{status.images:,}/{status.config.images:,} images"
            self.bar.update(self.task, completed=status.images, place=done, figures=figures, left=words)

    def _open(self, status: Status) -> None:
        if not self.console.is_interactive or self.bar is not None:
            return
        columns = [TextColumn("{task.fields[place]}"), BarColumn(bar_width=None)]
        columns += [TextColumn("{task.fields[figures]}", markup=False), TextColumn("{task.fields[left]}")]
        self.bar = bar.Progress(*columns, console=self.console, expand=True, refresh_per_second=4)
        self.task = self.bar.add_task("", total=status.config.images, place="", figures="", left="")
        self.bar.start()

    def _line(self, line: Line, status: Status) -> None:
        figures = "  ".join(f"{name} {value:,.4g}" for name, value in line.items() if name != "images")
        left = status.left()
        end = "" if self.bar is not None or not left else f"  {duration(left)} left"
        text = f"images {int(line['images']):>10,}  {figures}{end}"
        if self.bar is not None and sys.stdout.isatty():
            self.bar.console.print(Text(printable(text)), soft_wrap=True)
        else:
            with contextlib.suppress(OSError):
                typer.echo(text)
        if "collapse_signs" in line:
            alarm, self.alarm = self.alarm, line["collapse_signs"] >= SIGNS
            if self.alarm and not alarm:  # once, until it has been well again
                self.say(WARNING)

    def say(self, sentence: str) -> None:
        """A sentence between the lines."""
        with contextlib.suppress(OSError):  # of a terminal that was closed: the training goes on
            if self.bar is not None:
                self.bar.console.print(Text(printable(sentence)), soft_wrap=True)
            else:
                typer.echo(sentence, err=True)

    def close(self) -> None:
        """Clear the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
