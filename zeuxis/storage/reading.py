"""Opening files that somebody else named: regular files only, never waiting on a pipe, never more than allowed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from zeuxis.errors import BadInput


def shown(path: str | Path) -> str:
    """The end of a path, quoted: a file's name says more than its first folders."""
    name = str(path)
    return repr(name if len(name) <= 60 else "…" + name[-59:])


def open_regular(path: str | Path, what: str = "file") -> BinaryIO:
    """`path` opened for reading in binary. BadInput for a folder, a pipe, a device and what cannot be opened."""
    name = shown(path)
    try:
        # O_NONBLOCK: a named pipe opens at once instead of waiting for a writer; regular files ignore it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except IsADirectoryError:
        raise _not_regular(name, what) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"Expected {_a(what)} that can be read, got {name}: {reason}. Check the path.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _not_regular(name, what)
    return os.fdopen(handle, "rb")


def read_bounded(path: str | Path, limit: int, what: str = "file") -> bytes:
    """All bytes of a regular file, which has 1 to `limit` of them; BadInput else, before a byte is read."""
    with open_regular(path, what) as file:
        size = os.fstat(file.fileno()).st_size
        if not 0 < size <= limit:
            raise BadInput(
                f"Expected {_a(what)} of 1 to {limit:,} bytes, got {size:,} bytes in {shown(path)}. "
                "Check that it was copied whole, or give a smaller one."
            )
        try:
            return file.read(limit)
        except OSError as error:
            raise BadInput(f"Expected {_a(what)} that can be read, got {shown(path)}: {error.strerror}.") from error


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'aeiouAEIOU' else 'a'} {what}"


def _not_regular(name: str, what: str) -> BadInput:
    return BadInput(f"Expected {_a(what)}, got {name}, which is not a file. Give the path of one {what}.")
