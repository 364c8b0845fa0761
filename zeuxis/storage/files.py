"""All writing of a run goes through here: a whole file or none, on disk before it counts.

A file is written beside its place, synced, renamed over it, and the folder synced: a kill or a power cut at any moment
leaves the old file or the new one, never half of one. No link is followed at the place itself: the file beside it is
always a new one. The system calls are the attributes of `calls`, so that tests can make each of them fail.

The folder of a run, an experiment or a training is what its user named, by a link if he likes. A folder inside it
(`log`, `images`, ...) is ours and never a link: once `guard` has been told of it, every file in it is opened, renamed
and removed relative to a descriptor of that very folder, so that one put in its place meanwhile is not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zeuxis.errors import RunUnwritable

PART = ".part"  # the ending of a file that is not finished yet
PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe opens, or fails, at once; regular files ignore it
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
RELATIVE = hasattr(os, "O_NOFOLLOW") and {os.open, os.unlink, os.mkdir, os.rename} <= os.supports_dir_fd

_guarded: set[str] = set()  # absolute paths of folders that may not be links


def sync(path: Path) -> None:
    """A file or folder to the disk, so that a power cut after this leaves what was written."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders, and writes their entries through by itself
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def guard(folder: Path, inner: Iterable[str]) -> None:
    """From now on the folders `inner` of `folder` are followed nowhere: OSError (ELOOP) where one is a link."""
    _guarded.update(os.path.abspath(folder / name) for name in inner)  # noqa: PTH100  # links stay as they are


@contextlib.contextmanager
def _place(path: Path) -> Iterator[tuple[str | Path, int | None]]:
    """The name to use for `path` and the descriptor of the folder it is relative to; the path itself and None where
    its folder is not guarded, or the system has no such calls.
    """
    parent = path.parent
    if os.path.abspath(parent) not in _guarded:  # noqa: PTH100
        yield path, None
        return
    if not RELATIVE:  # Windows: looked at, then used
        if parent.is_symlink() or getattr(parent, "is_junction", lambda: False)():
            raise OSError(errno.ELOOP, "its folder is a link", str(parent))
        yield path, None
        return
    outer = os.open(parent.parent, FOLDER)
    try:
        handle = os.open(parent.name, FOLDER | PLAIN, dir_fd=outer)
    except OSError as error:
        if error.errno == errno.ENOTDIR and parent.is_symlink():  # how Linux says it of a link
            raise OSError(errno.ELOOP, "its folder is a link", str(parent)) from error
        raise
    finally:
        os.close(outer)
    try:
        yield path.name, handle
    finally:
        os.close(handle)


def open_file(path: Path, flags: int, mode: int = 0o644) -> int:
    """`os.open`, relative to the folder of `path` where that is guarded."""
    with _place(path) as (name, folder):
        return os.open(name, flags, mode, dir_fd=folder)


def _rename(path: Path, place: Path) -> None:
    """`os.replace` within one folder; a guarded one may have been taken away meanwhile, not changed for another."""
    with _place(path) as (name, folder):
        if folder is None:
            os.replace(path, place)  # noqa: PTH105
        else:
            os.replace(name, place.name, src_dir_fd=folder, dst_dir_fd=folder)


def _unlink(path: Path) -> None:
    with _place(path) as (name, folder):
        os.unlink(name, dir_fd=folder)


@dataclass
class Calls:
    """The system calls in use. Tests replace one to inject a full disk, a short write or a kill."""

    open: Callable[[Path, int, int], int] = open_file
    write: Callable[[int, bytes | memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    rename: Callable[[Path, Path], None] = _rename
    sync_folder: Callable[[Path], None] = sync
    make_folder: Callable[[Path], None] = os.mkdir
    remove: Callable[[Path], None] = _unlink


calls = Calls()


def atomic_write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """`data` as the whole content of `path`, durable on return. RunUnwritable if that cannot be, and `path` whole.

    `mode` says who may read and write it, less what the user's umask takes away.
    """
    with _renamed(path, mode) as handle:
        _write_all(handle, data)


@contextlib.contextmanager
def atomic_file(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file to write and to read, which becomes `path` at the end of `with`: as `atomic_write`, for large content."""
    with _renamed(path, mode) as handle, os.fdopen(os.dup(handle), "w+b") as file:
        yield file
        file.flush()


@contextlib.contextmanager
def _renamed(path: Path, mode: int) -> Iterator[int]:
    """A descriptor of a new file beside `path`, synced and renamed over it at the end; gone after an exception."""
    part = path.with_name(f".{path.name}{PART}")
    try:
        handle = _new(part, mode)
        try:
            yield handle
            calls.fsync(handle)
        finally:
            os.close(handle)
        calls.rename(part, path)
        calls.sync_folder(path.parent)
    except OSError as error:
        _discard(part)
        raise unwritable(path, error) from error
    except BaseException:  # Ctrl-C
        _discard(part)
        raise


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


def open_plain(path: Path, flags: int, open_it: Callable[[Path, int, int], int] = open_file) -> int:
    """A descriptor of a regular file. OSError for a link, a folder, a pipe, a device; where to is never looked at.

    To write, also for a file that has another name (a hard link), whose content would change with it.
    """
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link")
    handle = open_it(path, flags | PLAIN | NO_WAIT, 0o644)
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    if facts.st_nlink > 1 and flags & (os.O_WRONLY | os.O_RDWR):
        os.close(handle)
        raise OSError(errno.EMLINK, "it is a hard link")
    return handle


def make_folder(path: Path) -> bool:
    """The folder and its parents. True if it was not there before."""
    try:
        if path.is_dir():
            return False
        if not path.parent.is_dir():
            make_folder(path.parent)
        calls.make_folder(path)
        calls.sync_folder(path.parent)
    except FileExistsError:
        if path.is_dir():
            return False
        raise RunUnwritable(f"Expected {short(path)} to be a folder, but it is a file. Give another folder.") from None
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


def unfinished(name: str) -> bool:
    """Whether a file's name is that of what a kill leaves of a write, or of a look whether one can be made."""
    return name.startswith(".") and name.endswith(PART)


def unwritable(path: Path, error: OSError) -> RunUnwritable:
    """The reason in words a person can act on; `error` itself where it says so already."""
    if isinstance(error, RunUnwritable):
        return error
    return RunUnwritable(f"Cannot write {short(path)}: {reason(error)}.")


def reason(error: OSError) -> str:
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
        errno.EMLINK: "it has another name elsewhere (a hard link), and that file would change too. Put a copy here",
        errno.ENXIO: "it is a pipe, not a file. Remove it or give another place",
        errno.EISDIR: "it is a folder, not a file. Remove it or give another place",
    }
    return reasons.get(error.errno or 0, f"{error.strerror or error}. Check the disk")


def short(path: Path) -> str:
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


def _new(part: Path, mode: int) -> int:
    """A descriptor of a file that was not there before; what a killed process left in its place is removed first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | PLAIN
    try:
        return calls.open(part, flags, mode)
    except FileExistsError:
        calls.remove(part)  # the link, not what it leads to
        return calls.open(part, flags, mode)


def _discard(part: Path) -> None:
    with contextlib.suppress(OSError):  # the error that brought us here is the one to report
        calls.remove(part)
