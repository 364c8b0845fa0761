"""One writer per folder: a lock on a file `lock` that names the writer's process.

The kernel drops the lock when the process ends, however it ends, so a lock never outlives its owner (a forked child
that outlives it shares the lock; one started with exec does not). On a network file system that does not pass locks
on to the server (old NFS) two machines can both get it: run on one machine there. Windows locks by `msvcrt`.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from zeuxis.errors import RunLocked
from zeuxis.storage.files import open_plain, unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PLACE = 1 << 30  # the byte that Windows locks: nobody can read a locked one, and the owner's name stands at the start


class RunLock:
    """Held from construction to `release`. RunLocked at once if another object holds it, in any process.

    The file is never one that a link leads to. `otherwise` is what else the other writer can do.
    """

    def __init__(self, folder: Path, otherwise: str = "give another folder") -> None:
        path = folder / "lock"
        try:
            self._handle = open_plain(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            _lock(self._handle)
        except OSError as error:
            owner = _owner(self._handle)
            os.close(self._handle)
            self._handle = -1
            if isinstance(error, BlockingIOError):
                raise RunLocked(
                    f"{folder} is being written by process {owner}. Wait for it, stop it, or {otherwise}."
                ) from None
            raise unwritable(path, error) from error
        try:
            os.ftruncate(self._handle, 0)
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, f"{os.getpid()}\n".encode())
        except OSError as error:
            self.release()
            raise unwritable(path, error) from error

    def release(self) -> None:
        """Lets the next writer in. The file stays: removing it would race with a writer that is just opening it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _lock(handle: int) -> None:
    """BlockingIOError where another one has it."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    msvcrt: Any = importlib.import_module("msvcrt")
    os.lseek(handle, PLACE, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        raise BlockingIOError(error.errno, "it is locked") from error


def _owner(handle: int) -> str:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        return "".join(c for c in os.read(handle, 20).decode("ascii", "replace") if c.isdigit()) or "unknown"
    except OSError:
        return "unknown"
