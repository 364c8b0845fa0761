"""`.npz` files and `.xz` streams that somebody else made: no pickles, and nothing larger than the file could hold.

numpy allocates what an array's header promises before it reads it; here the header is compared with the bytes first.
"""

from __future__ import annotations

import io
import lzma
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zeuxis.errors import BadInput
from zeuxis.storage.reading import open_regular, read_bounded

LARGEST_PACK = 8 * 2**30  # bytes on disk
LARGEST_MEMBER = 512 * 2**20  # bytes of one array, unpacked
LARGEST_HEADER = 2**16  # bytes of what stands before the numbers of an array
MOST_MEMBERS = 100_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes; others ask for gigabytes to unpack a byte
LARGEST_XZ = 256 * 2**20  # bytes of a stream, unpacked
LARGEST_DICTIONARY = 512 * 2**20  # bytes that a stream may ask the decoder for


class Npz:
    """The arrays of an open `.npz` by name, each read when it is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)
        if len(self._zip.infolist()) > MOST_MEMBERS:
            raise ValueError(f"it holds more than {MOST_MEMBERS:,} arrays")
        self._members = {info.filename.removesuffix(".npy"): info for info in self._zip.infolist()}
        self.files = list(self._members)

    def __getitem__(self, name: str) -> np.ndarray:
        info = self._members[name]
        if info.file_size > LARGEST_MEMBER:
            raise ValueError(f"{name} promises {info.file_size:,} bytes; {LARGEST_MEMBER:,} are allowed")
        if info.compress_type not in METHODS:
            raise ValueError(f"{name} is packed by a method that numpy does not use")
        with self._zip.open(info) as member:
            head = member.read(LARGEST_HEADER)
            header_of(head, name, info.file_size)  # before the rest is unpacked
            data = head + member.read(LARGEST_MEMBER + 1 - len(head))  # a forged directory may lie about the size
        return array_of(data, name)


def array_of(data: bytes, name: str) -> np.ndarray:
    """The array in the bytes of a `.npy`. ValueError for pickled objects and for a header that promises other bytes."""
    shape, fortran, dtype, start = header_of(data[:LARGEST_HEADER], name, len(data))
    if not dtype.itemsize or 0 in shape:
        return np.empty(shape, dtype)
    return np.frombuffer(memoryview(data)[start:], dtype).reshape(shape, order="F" if fortran else "C")


def header_of(head: bytes, name: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, type and where the numbers begin, from the first bytes of a `.npy` of `size` bytes. ValueError."""
    stream = io.BytesIO(head)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of the unknown .npy version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(stream)
    except Exception as error:  # numpy takes the header for Python: TokenError, SyntaxError, RecursionError, ...
        raise ValueError(f"{name} has a header that cannot be read ({type(error).__name__})") from error
    if dtype.hasobject:
        raise ValueError(f"{name} holds pickled objects, which are never loaded")
    if min(shape, default=0) < 0:
        raise ValueError(f"{name} has a negative size in its shape")
    promised, there = math.prod(map(int, shape)) * dtype.itemsize, size - stream.tell()  # without overflow
    if promised != there:
        raise ValueError(f"{name} has {there:,} bytes, which are not {str(shape)[:80]} of {str(dtype)[:80]}")
    return shape, fortran, dtype, stream.tell()


@contextmanager
def open_npz(path: Path, what: str) -> Iterator[Npz]:
    """The pack at `path` (`.npz` or `.npz.xz`). Whatever goes wrong inside becomes one BadInput that names it."""
    try:
        if path.suffix == ".xz":
            yield Npz(io.BytesIO(read_xz(path)))
        else:
            with open_regular(path, what) as file:
                yield Npz(file)
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib, numpy and Pillow have a dozen ways to say that bytes are wrong
        plain = isinstance(error, zipfile.BadZipFile) and "not a zip" in str(error)
        reason = "its content is of another kind, or cut short" if plain else str(error)[:160] or type(error).__name__
        raise BadInput(
            f"Expected {path} to be a whole {what}, but it is not readable: {reason}. Copy the file again."
        ) from error


def read_xz(path: Path) -> bytes:
    """The bytes in an `.xz` file. BadInput if it is none, is cut short, or unpacks to more than is allowed."""
    packed = read_bounded(path, LARGEST_XZ, "xz file")
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LARGEST_DICTIONARY)
        data = unpacker.decompress(packed, max_length=LARGEST_XZ)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise BadInput(f"Expected {path} to be an .xz file, but it is not readable: {error}. Copy it again.") from error
    if not unpacker.eof:
        raise BadInput(
            f"Expected {path} to unpack to at most {LARGEST_XZ:,} bytes; it is cut short or larger. Copy it again."
        )
    return data
