"""One writer per run folder: `flock` on a file `lock` that names the writer's process.

The kernel drops the lock when the process ends, however it ends, so a lock never outlives its owner (a forked child
that outlives it shares the lock; one started with exec does not). On a network file system that does not pass locks
on to the server (old NFS) two machines can both get it: run on one machine there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from zeuxis.errors import RunLocked
from zeuxis.storage.files import unwritable


class RunLock:
    """Held from construction to `release`. RunLocked at once if another run object holds it, in any process."""

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            if isinstance(error, BlockingIOError):
                raise RunLocked(
                    f"{folder} is being written by process {owner}. Wait for it, stop it, or give another folder."
                ) from None
            raise unwritable(path, error) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets the next writer in. The file stays: removing it would race with a writer that is just opening it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
