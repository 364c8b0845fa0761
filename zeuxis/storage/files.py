"""All writing of a run goes through here: a whole file or none, on disk before it counts.

A file is written beside its place, synced, renamed over it, and the folder synced: a kill or a power cut at any moment
leaves the old file or the new one, never half of one. No link is followed at the place itself: the file beside it is
always a new one. The system calls are the attributes of `calls`, so that tests can make each of them fail.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zeuxis.errors import RunUnwritable

PART = ".part"  # the ending of a file that is not finished yet
LONGEST_NAME = 255  # bytes, where the file system does not say
PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe opens, or fails, at once; regular files ignore it


def sync(path: Path) -> None:
    """A file or folder to the disk, so that a power cut after this leaves what was written."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders, and writes their entries through by itself
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
        handle = _new(part)
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


def check_file_place(path: Path, what: str = "--out") -> None:
    """RunUnwritable unless a file can be written at `path`: asked before models are loaded. `what` named the path.

    Nothing stays behind: what is tried is a file beside the place, or beside the first folder that is missing there.
    """
    if _there(path, what):
        if path.is_dir():
            raise RunUnwritable(f"Expected a file for {what}, but {_short(path)} is a folder. Add a file name.")
        if not path.is_file():
            raise RunUnwritable(f"Expected a file for {what}, but {_short(path)} is no regular file. Give another.")
    _try_place(path, path, what)


def check_folder_place(path: Path, what: str = "--out") -> None:
    """RunUnwritable unless files can be written into `path`, a folder that is there or can be made."""
    if _there(path, what) and not path.is_dir():
        raise RunUnwritable(f"Expected a folder for {what}, but {_short(path)} is a file. Give another folder.")
    _try_place(path / "x", path, what)


def append_line(path: Path, line: str) -> None:
    """One more line in a file that may lose its last lines in a power cut: not synced. No link is followed."""
    try:
        handle = open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, calls.open)
        try:
            _write_all(handle, f"{line}\n".encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(path, error) from error


def open_plain(path: Path, flags: int, open_it: Callable[[Path, int, int], int] = os.open) -> int:
    """A descriptor of a regular file. OSError for a link, a folder, a pipe, a device; where to is never looked at."""
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    handle = open_it(path, flags | PLAIN | NO_WAIT, 0o644)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    return handle


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
        raise RunUnwritable(f"Expected {_short(path)} to be a folder, but it is a file. Give another folder.") from None
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
    """The reason in words a person can act on; `error` itself where it says so already."""
    if isinstance(error, RunUnwritable):
        return error
    return RunUnwritable(f"Cannot write {_short(path)}: {_reason(error)}.")


def _reason(error: OSError) -> str:
    """Why, and what to do; without the last full stop."""
    reasons = {
        errno.ENOSPC: "the disk is full. Make room",
        errno.EDQUOT: "your disk quota is used up. Make room",
        errno.EACCES: "it is read-only for you. Change its permissions or give another place",
        errno.EPERM: "it is read-only for you. Change its permissions or give another place",
        errno.EROFS: "the file system is read-only. Give another place",
        errno.ENOENT: "its folder is gone. It may have been moved or removed meanwhile",
        errno.ENOTDIR: "a part of its path is a file. Give another place",
        errno.ENAMETOOLONG: "its name is too long. Give a shorter one",
        errno.ELOOP: "it is a link, or a part of its path is one that leads back to itself. Give another place",
        errno.ENXIO: "it is a pipe, not a file. Remove it or give another place",
        errno.EISDIR: "it is a folder, not a file. Remove it or give another place",
    }
    return reasons.get(error.errno or 0, f"{error.strerror or error}. Check the disk")


def _there(path: Path, what: str) -> bool:
    """Whether something is at `path`. RunUnwritable where that cannot be asked."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RunUnwritable(
            f"Expected a place that can be written for {what}, got {_short(path)}: {_reason(error)}."
        ) from None
    except ValueError:  # a NUL in it
        raise RunUnwritable(f"Expected a path for {what}, got {_short(path)}, which no file can have.") from None
    return True


def _try_place(path: Path, shown: Path, what: str) -> None:
    """RunUnwritable unless what is missing first on the way to the file `path` can be made; `shown` is named."""
    folder, longest = path.parent, len(os.fsencode(f".{path.name}{PART}"))
    refused = f"Cannot write {_short(shown)} ({what})"
    while not _there(folder, what) and folder != folder.parent:
        if folder.is_symlink():
            raise RunUnwritable(f"{refused}: {_short(folder)} is a link that leads nowhere. Give another place.")
        longest = max(longest, len(os.fsencode(folder.name)))
        folder = folder.parent
    if not folder.is_dir():
        raise RunUnwritable(f"{refused}: {_short(folder)} is a file, not a folder. Give another place.")
    if longest > LONGEST_NAME:
        raise RunUnwritable(f"{refused}: its name is too long. Give a shorter one.")
    probe = folder / f".probe-{os.getpid()}{PART}"
    try:
        os.close(calls.open(probe, os.O_WRONLY | os.O_CREAT, 0o644))
        calls.remove(probe)
    except OSError as error:
        if error.errno == errno.ENOENT:  # what the kernel says of a folder of its own, such as /proc
            raise RunUnwritable(f"{refused}: no file can be made in {_short(folder)}. Give another place.") from error
        raise RunUnwritable(f"{refused}: {_reason(error)}.") from error


def _short(path: Path) -> str:
    """A path for a sentence: its end says more than its first folders."""
    name = str(path)
    return name if len(name) <= 120 else f"…{name[-119:]}"


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while len(rest):
        done = calls.write(handle, rest)  # may be short: a signal, a nearly full disk
        if done <= 0:
            raise OSError(errno.ENOSPC, "nothing was written")
        rest = rest[done:]


def _new(part: Path) -> int:
    """A descriptor of a file that was not there before; what a killed process left in its place is removed first."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN
    try:
        return calls.open(part, flags, 0o644)
    except FileExistsError:
        calls.remove(part)  # the link, not what it leads to
        return calls.open(part, flags, 0o644)


def _discard(part: Path) -> None:
    with contextlib.suppress(OSError):  # the error that brought us here is the one to report
        calls.remove(part)
