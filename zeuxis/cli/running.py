"""A session on the terminal, from its first generation to the report: what `generate` and `resume` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer

from zeuxis.cli.interrupts import Interrupts
from zeuxis.cli.main import INTERRUPTED
from zeuxis.cli.progress import watch
from zeuxis.errors import ZeuxisError
from zeuxis.report.commands import folder_command
from zeuxis.report.facts import archive_words, best_words, front_facts, speed
from zeuxis.report.verdict import pictures, short_verdict
from zeuxis.run import RunFolder, Session


@dataclass(frozen=True)
class Extras:
    """What to write beside the report: `top` pictures, a GIF, an MP4. `quiet` prints the folder and nothing else."""

    top: int = 16
    gif: bool = False
    mp4: bool = False
    quiet: bool = False


def carry_out(open_it: Callable[[], Session], extras: Extras) -> None:
    """Open a session, run it to its end or to an interrupt, draw everything, and say what came out.

    Exits with 130 after an interrupt; whatever was done by then is in the folder.
    """
    if extras.mp4:
        from zeuxis.report.animation import import_ffmpeg

        import_ffmpeg()  # better now than after the run
    folder: RunFolder | None = None
    with Interrupts() as interrupts:
        try:
            with open_it() as session:
                folder = session.folder
                _introduce(session, extras)
                told = len(session.notes)
                watch(session, interrupts, extras.quiet)
                stopped = not session.reason
                session.finish()
                _draw(session, extras)
                _say_notes(session.notes[told:], extras)
        except KeyboardInterrupt:
            _say_stopped(folder)
            raise typer.Exit(INTERRUPTED) from None
        except ZeuxisError:
            if folder is not None:
                typer.echo(f"What was done is in {folder.path}", err=True)
            raise
    _conclude(RunFolder(folder.path), extras)
    if stopped:
        _say_stopped(folder)
        raise typer.Exit(INTERRUPTED)


def _introduce(session: Session, extras: Extras) -> None:
    config, start = session.config, session.start.generation
    if not extras.quiet:
        models = f"{config.generator} + {' + '.join(config.scorer)}, judge {config.judge or 'none'}, {config.search}"
        typer.echo(f"{session.problem.prompt.title}  ({models}, seed {config.seed})", err=True)
        typer.echo(f"folder: {session.folder.path}" + (f", from generation {start} on" if start else ""), err=True)
        _say_notes(session.notes, extras)


def _draw(session: Session, extras: Extras) -> None:
    """The report, the best pictures, the animations; imported late, so that no first picture waits for matplotlib."""
    from zeuxis.report.html import write_report
    from zeuxis.report.top import write_top

    folder = session.folder
    write_report(folder)
    write_top(folder, extras.top)
    if extras.gif or extras.mp4:
        from zeuxis.report.animation import best_frames, write_gif, write_mp4

        frames = best_frames(folder, session.problem.render)
        if extras.gif:
            write_gif(frames, folder.path / "best.gif")
        if extras.mp4:
            write_mp4(frames, folder.path / "best.mp4")


def _conclude(folder: RunFolder, extras: Extras) -> None:
    """A few lines on standard output; with `quiet` only the folder."""
    if extras.quiet:
        typer.echo(str(folder.path))
        return
    summary = folder.summary()
    best, path = summary["best"], folder.path
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
        ("", folder_command("replay", folder.best_image)),
        ("", folder_command("resume", path, "--generations", str(2 * folder.config.generations or 1))),
    ]
    typer.echo("\n".join(f"{name:<14}{value}" for name, value in rows))


def _say_notes(notes: list[str], extras: Extras) -> None:
    for note in notes if not extras.quiet else ():
        typer.echo(f"note: {note}", err=True)


def _say_stopped(folder: RunFolder | None) -> None:
    if folder is None:
        typer.echo("\nInterrupted before the first generation.", err=True)
    else:
        typer.echo(f"\nInterrupted; everything is saved. Go on with: {folder_command('resume', folder.path)}", err=True)
