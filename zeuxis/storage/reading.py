"""Opening files that somebody else named or made: regular files only, never waiting on a pipe, bounded in size.

A file that a user names may be a link. Inside of a folder that a stranger may have made nothing is followed:
`check_folder` refuses the folder, and `read_plain` the file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from zeuxis.errors import BadInput, RunDamaged
from zeuxis.storage.files import guard, open_plain

MOST_FILES = 1_000_000  # in one folder
MOST_BYTES = 2**30  # of a file that a run, a bank or an experiment reads whole
LARGEST_BYTES = 8 * 2**30  # of a training's checkpoint, features and exports
MOST_LOG = 2**28  # of a log of lines
MOST_DEPTH, MOST_VALUES = 32, 1_000_000  # of JSON and TOML: tables within one another, and values in all
_TURNS = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # direction of text, and line ends that few know
_UNPRINTED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_TURNS}]")
_OFF_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f{_TURNS}]")
PNG = b"\x89PNG\r\n\x1a\n"


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
            return file.read(size + 1)  # not `limit`: Python takes the memory for all that is asked for
        except OSError as error:
            raise BadInput(f"Expected {_a(what)} that can be read, got {shown(path)}: {error.strerror}.") from error


def read_plain(path: Path, limit: int = MOST_BYTES) -> bytes:
    """All bytes of a regular file in a folder of ours, at most `limit`. RunDamaged for links, pipes, folders, more."""
    try:
        handle = open_plain(path, os.O_RDONLY)
        with os.fdopen(handle, "rb") as file:
            size = os.fstat(handle).st_size
            if size > limit:
                raise _strange(path, f"has {size:,} bytes, more than any file we write there")
            return file.read(size + 1)  # not `limit`: Python takes the memory for all that is asked for
    except OSError as error:
        links = {errno.ELOOP: "is a link", errno.EISDIR: "is a folder, not a file", errno.EINVAL: "is no regular file"}
        why = links.get(error.errno or 0, f"cannot be read ({error.strerror or error})")
        raise _strange(path, why) from error
    except ValueError as error:  # too little memory is no damage
        raise _strange(path, f"cannot be read ({error})") from error


def check_folder(folder: Path, inner: Iterable[str], files: Iterable[str] = ()) -> None:
    """RunDamaged if `folder` holds a link, a pipe or a device, itself or in its folders `inner`, which must be folders.

    `files` name those that must be regular files where they are there. `folder` itself may be a link: its user named
    it. Nothing is opened. What changes after this is refused when it is used: see `zeuxis.storage.files.guard`.
    """
    inner, files = set(inner), set(files)
    guard(folder, inner)
    for entry in _entries(folder):
        directory = entry.is_dir(follow_symlinks=False)
        _check_entry(entry, directory)
        if directory and entry.name in files:
            raise _strange(Path(entry.path), "is a folder, not a file")
        if entry.name in inner:
            if not directory:
                raise _strange(Path(entry.path), "is a file, not a folder")
            for nested in _entries(Path(entry.path)):
                _check_entry(nested, nested.is_dir(follow_symlinks=False))


def printable(text: str, *, lines: bool = False) -> str:
    """`text` with `\\x1b` in place of a control character, and likewise for marks that turn the direction of text.

    With `lines` line ends and tabs stay; else the result is on one line.
    """
    return (_UNPRINTED if lines else _OFF_LINE).sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def bounded(content: Any, depth: int = MOST_DEPTH, values: int = MOST_VALUES) -> Any:
    """`content` of JSON or TOML as it is. ValueError for tables and lists nested deeper than `depth`, more than
    `values` in all, and whole numbers of more than 64 bits, which later steps would walk, copy or write out.
    """
    level, count = [content], 0
    for _ in range(depth + 1):
        count += len(level)
        if count > values:
            raise ValueError(f"it holds more than {values:,} values")
        for value in level:
            if type(value) is int and not -(2**63) <= value < 2**64:
                raise ValueError("a whole number in it has more than 64 bits")
        inner = [of.values() if isinstance(of, dict) else of for of in level if isinstance(of, dict | list)]
        level = [value for of in inner for value in of]
        if not level:
            return content
    raise ValueError(f"it is nested more than {depth} deep")


def whole_png(data: bytes) -> bool:
    """Whether all chunks of a PNG are there with the CRC they were written with; readers pass over some of them."""
    at, kind = len(PNG), b""
    while data.startswith(PNG) and at + 12 <= len(data) and kind != b"IEND":
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + size
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        at = end + 4
    return kind == b"IEND" and at == len(data)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            for count, entry in enumerate(found):
                if count >= MOST_FILES:
                    raise _strange(folder, f"holds more than {MOST_FILES:,} files")
                yield entry
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise _strange(folder, f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _check_entry(entry: os.DirEntry[str], directory: bool) -> None:
    junction = getattr(entry, "is_junction", lambda: False)()
    if entry.is_symlink() or junction:
        raise _strange(Path(entry.path), "is a link, which is not followed")
    if not directory and not entry.is_file(follow_symlinks=False):
        raise _strange(Path(entry.path), "is a pipe or a device, not a file")


def _strange(path: Path, why: str) -> RunDamaged:
    return RunDamaged(f"{str(path)[-200:]} {why}. Move it away, or restore the file that was there from a copy.")


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'aeiouAEIOU' else 'a'} {what}"


def _not_regular(name: str, what: str) -> BadInput:
    return BadInput(f"Expected {_a(what)}, got {name}, which is not a file. Give the path of one {what}.")
