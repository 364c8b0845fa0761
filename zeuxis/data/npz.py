"""`.npz` files and `.xz` streams that somebody else made: no pickles, and nothing larger than the file could hold.

numpy allocates what an array's header promises before it reads it; here the header is compared with the bytes first.
"""

from __future__ import annotations

import io
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zeuxis.errors import BadInput
from zeuxis.storage.reading import open_regular, read_bounded

LARGEST_PACK = 8 * 2**30  # bytes on disk
LARGEST_MEMBER = 512 * 2**20  # bytes of one array, unpacked
LARGEST_XZ = 256 * 2**20  # bytes of a stream, unpacked
LARGEST_DICTIONARY = 512 * 2**20  # bytes that a stream may ask the decoder for


class Npz:
    """The arrays of an open `.npz` by name, each read when it is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)
        self._members = {info.filename.removesuffix(".npy"): info for info in self._zip.infolist()}
        self.files = list(self._members)

    def __getitem__(self, name: str) -> np.ndarray:
        info = self._members[name]
        if info.file_size > LARGEST_MEMBER:
            raise ValueError(f"{name} promises {info.file_size:,} bytes; {LARGEST_MEMBER:,} are allowed")
        with self._zip.open(info) as member:
            data = member.read(LARGEST_MEMBER + 1)  # the directory of a forged file may lie about the size
        return array_of(data, name)


def array_of(data: bytes, name: str) -> np.ndarray:
    """The array in the bytes of a `.npy`. ValueError for pickled objects and for a header that promises other bytes."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of the unknown .npy version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError(f"{name} holds pickled objects, which are never loaded")
    body = memoryview(data)[stream.tell() :]
    count = 1
    for size in shape:
        count *= int(size)  # Python's integers do not overflow
    if count < 0 or count * dtype.itemsize != len(body):
        raise ValueError(f"{name} has {len(body):,} bytes, which are not {shape} of {dtype}")
    if not dtype.itemsize or not count:
        return np.empty(shape, dtype)
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")


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
