"""A run on the terminal, from its first generation to the report: what `generate` and `resume` share."""

from __future__ import annotations

from collections.abc import Callable

import typer

from zeuxis import workflows
from zeuxis.cli.process import INTERRUPTED, Interrupts
from zeuxis.cli.progress import Progress, make_progress
from zeuxis.report.commands import folder_command, repeated, resume_command
from zeuxis.report.facts import archive_words, best_words, front_facts, speed
from zeuxis.report.verdict import pictures, short_verdict
from zeuxis.run import RunFolder, Session
from zeuxis.storage.reading import printable
from zeuxis.types import Event
from zeuxis.workflows import Listener, Outputs


class Terminal(Listener):
    """Prints what is going on to standard error, nothing if `quiet`; stops the run when an interrupt asked for it."""

    def __init__(self, interrupts: Interrupts, quiet: bool) -> None:
        self.interrupts, self.quiet = interrupts, quiet
        self.folder: RunFolder | None = None
        self._progress: Progress | None = None
        self._session: Session | None = None
        self._told = 0

    def opened(self, session: Session) -> None:
        """Name the run and its folder, and begin to watch."""
        self._session, self.folder = session, session.folder
        config, start = session.config, session.start.generation
        models = f"{config.generator} + {' + '.join(config.scorer)}, judge {config.judge or 'none'}, {config.search}"
        self._say(f"{session.problem.prompt.title}  ({models}, seed {config.seed})")
        self._say(f"folder: {session.folder.path}" + (f", from generation {start} on" if start else ""))
        self.notes()
        self.interrupts.gentle = True
        self._progress = make_progress(session, lambda: self.interrupts.asked, self.quiet)

    def heard(self, event: Event) -> bool | None:
        """Show the generation; False once an interrupt asked to stop."""
        if self._progress is not None:
            self._progress.hear(event)
        return False if self.interrupts.asked else None

    def ended(self, session: Session) -> None:
        """Clear the progress bar."""
        self.interrupts.gentle = False
        if self._progress is not None:
            self._progress.close()

    def notes(self) -> None:
        """Say the notes of the run that were not said yet."""
        said = self._session.notes if self._session is not None else []
        for note in said[self._told :]:
            self._say(f"note: {note}")
        self._told = len(said)

    def _say(self, sentence: str) -> None:
        if not self.quiet:
            typer.echo(printable(sentence), err=True)


def carry_out(open_it: Callable[[], Session], outputs: Outputs, quiet: bool) -> None:
    """Open a session, run it to its end or to an interrupt, draw everything, and say what came out.

    Exits with 130 after an interrupt; whatever was done by then is in the folder.
    """
    with Interrupts() as interrupts:
        listener = Terminal(interrupts, quiet)
        try:
            workflows.carry_out(open_it, listener, outputs)
            listener.notes()
        except KeyboardInterrupt:
            _say_stopped(listener.folder)
            raise typer.Exit(INTERRUPTED) from None
        except Exception:
            if listener.folder is not None and listener.folder.generations:
                again = folder_command("resume", listener.folder.path, *repeated(listener.folder.config))
                typer.echo(f"What was written before is safe. Go on with: {again}", err=True)
            raise
    assert listener.folder is not None
    folder = RunFolder(listener.folder.path)
    _conclude(folder, quiet)
    if interrupts.asked:
        _say_stopped(folder)
        raise typer.Exit(INTERRUPTED)


def _conclude(folder: RunFolder, quiet: bool) -> None:
    """A few lines on standard output; with `quiet` only the folder."""
    if quiet:
        typer.echo(str(folder.path))
        return
    summary = folder.summary()
    best, path, config = summary["best"], folder.path, folder.config
    words = [("in words", best["description"])] if best["description"] else []
    archive = summary.get("archive")
    cells = [("archive", archive_words(archive)), ("collage", str(path / "collage.png"))] if archive else []
    rows = [
        ("best score", best_words(summary)),
        *front_facts(summary),
        *words,
        ("judge", short_verdict(pictures(summary))),
        ("speed", f"{speed(folder.history())} images/s rendered and scored, {summary['images']:,} images in all"),
        ("ended", summary["reason"]),
        *cells,
        ("best picture", str(folder.images / "best_x8.png")),
        ("population", str(folder.final_grid)),
        *([("front's figure", str(path / "front.png"))] if "front" in summary else []),
        ("report", str(path / "report.html")),
        ("folder", str(path)),
        ("next", folder_command("show", path)),
        ("", folder_command("replay", folder.best_image, *repeated(config, "generator"))),
        *([("", again)] if (again := resume_command(folder)) else []),
    ]
    typer.echo("\n".join(f"{name:<14}{value}" for name, value in rows))


def _say_stopped(folder: RunFolder | None) -> None:
    if folder is None:
        typer.echo("\nInterrupted before the first generation.", err=True)
    else:
        command = folder_command("resume", folder.path, *repeated(folder.config))
        typer.echo(f"\nInterrupted; everything is saved. Go on with: {command}", err=True)
