"""All writing of a run goes through here: a whole file or none, on disk before it counts.

A file is written beside its place, synced, renamed over it, and the folder synced: a kill or a power cut at any moment
leaves the old file or the new one, never half of one. The system calls are the attributes of `calls`, so that tests
can make each of them fail.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zeuxis.errors import RunUnwritable

PART = ".part"  # the ending of a file that is not finished yet


def sync(path: Path) -> None:
    """A file or folder to the disk, so that a power cut after this leaves what was written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass
class Calls:
    """The system calls in use. Tests replace one to inject a full disk, a short write or a kill."""

    open: Callable[[Path, int, int], int] = os.open
    write: Callable[[int, bytes | memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    rename: Callable[[Path, Path], None] = os.replace
    sync_folder: Callable[[Path], None] = sync
    make_folder: Callable[[Path], None] = os.mkdir
    remove: Callable[[Path], None] = os.unlink


calls = Calls()


def atomic_write(path: Path, data: bytes) -> None:
    """`data` as the whole content of `path`, durable on return. RunUnwritable if that cannot be, and `path` whole."""
    part = path.with_name(f".{path.name}{PART}")
    try:
        handle = calls.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _write_all(handle, data)
            calls.fsync(handle)
        finally:
            os.close(handle)
        calls.rename(part, path)
        calls.sync_folder(path.parent)
    except OSError as error:
        _discard(part)
        raise unwritable(path, error) from error


def append_line(path: Path, line: str) -> None:
    """One more line in a file that may lose its last lines in a power cut: not synced."""
    try:
        handle = calls.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _write_all(handle, f"{line}\n".encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(path, error) from error


def make_folder(path: Path) -> bool:
    """The folder and its parents. True if it was not there before."""
    if path.is_dir():
        return False
    try:
        if not path.parent.is_dir():
            make_folder(path.parent)
        calls.make_folder(path)
        calls.sync_folder(path.parent)
    except FileExistsError:
        if path.is_dir():
            return False
        raise RunUnwritable(f"Expected {path} to be a folder, but it is a file. Give another folder.") from None
    except OSError as error:
        raise unwritable(path, error) from error
    return True


def remove(path: Path) -> None:
    """`path` is gone on return; it may have been gone before."""
    try:
        calls.remove(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritable(path, error) from error


def sweep(folder: Path) -> None:
    """Removes what a killed process left unfinished."""
    for part in folder.glob(f".*{PART}"):
        remove(part)


def unwritable(path: Path, error: OSError) -> RunUnwritable:
    """The reason in words a person can act on."""
    reasons = {
        errno.ENOSPC: "the disk is full. Make room",
        errno.EDQUOT: "your disk quota is used up. Make room",
        errno.EACCES: "it is read-only for you. Change its permissions or give another folder",
        errno.EPERM: "it is read-only for you. Change its permissions or give another folder",
        errno.EROFS: "the file system is read-only. Give another folder",
        errno.ENOENT: "its folder is gone. It may have been moved or removed while the run was writing it",
        errno.ENOTDIR: "a part of its path is a file. Give another folder",
        errno.ENAMETOOLONG: "its name is too long. Give another folder",
    }
    reason = reasons.get(error.errno or 0, f"{error.strerror or error}. Check the disk")
    return RunUnwritable(f"Cannot write {path}: {reason}. What was written before is safe; resume the run to go on.")


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while len(rest):
        done = calls.write(handle, rest)  # may be short: a signal, a nearly full disk
        if done <= 0:
            raise OSError(errno.ENOSPC, "nothing was written")
        rest = rest[done:]


def _discard(part: Path) -> None:
    with contextlib.suppress(OSError):  # the error that brought us here is the one to report
        calls.remove(part)
