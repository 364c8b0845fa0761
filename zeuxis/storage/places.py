"""Whether something can be written where a user wants it: asked before models are loaded, and nothing stays behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from zeuxis.errors import BadInput, RunUnwritable
from zeuxis.storage.files import PART, calls, reason, short, unfinished

LONGEST_NAME = 255  # bytes, where the file system does not say
KINDS = {  # of folders, by the file that tells what one holds
    "run.json": "a run",
    "train.json": "a training",
    "evaluation.json": "an evaluation",
    "experiment.json": "an experiment",
    "design.json": "a comparison",
    "metrics.json": "a table of metrics",
}


def check_file_place(path: Path, what: str = "--out") -> None:
    """RunUnwritable unless a file can be written at `path`: asked before models are loaded. `what` named the path.

    BadInput for one that is there and belongs to a run or another result. Nothing stays behind: what is tried is a file
    beside the place, or beside the first folder that is missing there.
    """
    if _there(path, what):
        if path.is_dir():
            raise RunUnwritable(f"Expected a file for {what}, but {short(path)} is a folder. Add a file name.")
        if not path.is_file():
            raise RunUnwritable(f"Expected a file for {what}, but {short(path)} is no regular file. Give another.")
        _refuse_part(path, what)
    _try_place(path, path, what)


def check_no_input(made: Iterable[Path], read: Iterable[Path], what: str = "--out") -> None:
    """BadInput where a file that would be `made` is one of those that are `read`: it would be lost."""
    there = [path for path in made if _there(path, what)]
    for path in read:
        if path.exists() and any(path.samefile(other) for other in there):
            raise BadInput(f"Expected another file for {what}, but {short(path)} is what is read. Give another name.")


def _refuse_part(path: Path, what: str) -> None:
    """BadInput for something that is there, in a folder of KINDS or one level below: it is a result."""
    place = path.absolute()
    for name, kind in KINDS.items():
        if any(_there(folder / name, what) for folder in place.parents[:2]):
            raise BadInput(f"Expected a new place for {what}, but {short(path)} is a part of {kind}. Give another.")


def check_folder_place(path: Path, what: str = "--out", own: str = "") -> None:
    """RunUnwritable unless files can be written into `path`, a folder that is there or can be made.

    BadInput where it holds something of another kind (KINDS) than what has the file `own`: files of the same name
    would be lost.
    """
    if _there(path, what) and not path.is_dir():
        raise RunUnwritable(f"Expected a folder for {what}, but {short(path)} is a file. Give another folder.")
    for name, kind in KINDS.items():
        if name != own and _there(path / name, what) and not (own and (path / own).exists()):
            raise BadInput(f"Expected a folder of its own for {what}, but {short(path)} holds {kind}. Give another.")
    if not own and _there(path, what):
        _refuse_part(path, what)
    _try_place(path / "x", path, what)


def check_empty(folder: Path, kind: str, besides: Sequence[str] = (), what: str = "--out") -> None:
    """BadInput where a folder is there and holds more than unfinished files and `besides`: it could be lost."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    strange = sorted(name for name in names if name not in besides and not unfinished(name))
    if strange:
        raise BadInput(
            f"Expected a new or empty folder or {kind} for {what}, but {short(folder)} holds {strange[0][:60]!r}"
            f"{' and more' if strange[1:] else ''}. Give another folder."
        )


def _there(path: Path, what: str) -> bool:
    """Whether something is at `path`. RunUnwritable where that cannot be asked."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RunUnwritable(
            f"Expected a place that can be written for {what}, got {short(path)}: {reason(error)}."
        ) from None
    except ValueError:  # a NUL in it
        raise RunUnwritable(f"Expected a path for {what}, got {short(path)}, which no file can have.") from None
    return True


def _try_place(path: Path, shown: Path, what: str) -> None:
    """RunUnwritable unless what is missing first on the way to the file `path` can be made; `shown` is named."""
    folder, longest = path.parent, len(os.fsencode(f".{path.name}{PART}"))
    refused = f"Cannot write {short(shown)} ({what})"
    while not _there(folder, what) and folder != folder.parent:
        if folder.is_symlink():
            raise RunUnwritable(f"{refused}: {short(folder)} is a link that leads nowhere. Give another place.")
        longest = max(longest, len(os.fsencode(folder.name)))
        folder = folder.parent
    if not folder.is_dir():
        raise RunUnwritable(f"{refused}: {short(folder)} is a file, not a folder. Give another place.")
    if longest > LONGEST_NAME:
        raise RunUnwritable(f"{refused}: its name is too long. Give a shorter one.")
    probe = folder / f".probe-{os.getpid()}{PART}"
    try:
        try:
            os.close(calls.open(probe, os.O_WRONLY | os.O_CREAT, 0o644))
        finally:  # Ctrl-C
            if probe.exists():
                calls.remove(probe)
    except OSError as error:
        if error.errno == errno.ENOENT:  # what the kernel says of a folder of its own, such as /proc
            raise RunUnwritable(f"{refused}: no file can be made in {short(folder)}. Give another place.") from error
        raise RunUnwritable(f"{refused}: {reason(error)}.") from error
