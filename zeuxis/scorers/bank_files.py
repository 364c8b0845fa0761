"""The files of a start bank: bank.json by a schema, arrays that are written without memory maps and read with them."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.errors import RunDamaged
from zeuxis.storage.checksummed import MAX_JSON, verified_if_checked
from zeuxis.storage.files import atomic_file, open_plain
from zeuxis.storage.reading import read_plain

MOST = 10_000_000  # rows of a bank
AT_ONCE = 512  # rows copied at once


class Facts(BaseModel):
    """bank.json: `chunks` holds the sha256 of each 512 rows, `tail` that of the rows after the last whole chunk."""

    model_config = ConfigDict(extra="ignore", strict=True)

    format: Literal[1]
    generator: Annotated[str, Field(max_length=1000)]
    scorer: Annotated[str, Field(max_length=1000)]
    generator_sha256: Annotated[str, Field(max_length=200)]
    scorer_sha256: Annotated[str, Field(max_length=200)]
    dim: Annotated[int, Field(ge=1, le=2**20)]
    width: Annotated[int, Field(ge=1, le=2**20)]
    count: Annotated[int, Field(ge=1, le=MOST)]
    done: Annotated[int, Field(ge=0, le=MOST)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    options: Annotated[dict[str, bool | int | float | str | list[str | int]], Field(max_length=100)]
    chunks: Annotated[list[str], Field(max_length=MOST)]
    tail: str | None = None


def read_facts(path: Path, chunk: int) -> dict[str, Any]:
    """bank.json, `chunk` rows to a checksum; one of an older version has no checksum of its own."""
    try:
        content, _ = verified_if_checked(read_plain(path, MAX_JSON), path)
        facts = Facts.model_validate(content).model_dump()
        if not len(facts["chunks"]) == facts["done"] // chunk or facts["done"] > facts["count"]:
            raise ValueError(f"{facts['done']} of {facts['count']} done, {len(facts['chunks'])} chunks")
        return facts
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg'][:160]}"
        raise RunDamaged(f"{path} is not one that this version wrote ({why}). Build the bank again.") from error
    except (ValueError, RunDamaged) as error:
        raise RunDamaged(f"{path} is not one that this version wrote ({error}). Build the bank again.") from error


class Rows:
    """An .npy file with room for `count` rows, `done` of which are there already, written without a memory map.

    Room is taken on the disk at once: a map of a file with holes ends the process when the disk is full.
    """

    def __init__(self, path: Path, what: tuple[Any, int], count: int, done: int) -> None:
        self.dtype, self.width = np.dtype(what[0]), what[1]
        header = io.BytesIO()
        facts = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (count, self.width),
        }
        np.lib.format.write_array_header_1_0(header, facts)
        self.start, self.row = len(header.getvalue()), self.width * self.dtype.itemsize
        if done and _rows_in(path, what) == count:
            self.file = os.fdopen(open_plain(path, os.O_RDWR), "r+b")
            return
        with atomic_file(path) as new:
            _reserve(new, self.start + count * self.row)
            new.write(header.getvalue())
            for at in range(0, done, AT_ONCE):
                old = mapped(path, what, done)[at : min(done, at + AT_ONCE)]
                new.write(old.tobytes())
        self.file = os.fdopen(open_plain(path, os.O_RDWR), "r+b")

    def write(self, at: int, rows: np.ndarray[Any, Any]) -> None:
        """Rows `(N, width)` from row `at` on, on disk on return."""
        self.file.seek(self.start + at * self.row)
        self.file.write(np.ascontiguousarray(rows, dtype=self.dtype).tobytes())
        self.file.flush()
        os.fsync(self.file.fileno())

    def read(self, start: int, stop: int) -> bytes:
        """The bytes of those rows."""
        self.file.seek(self.start + start * self.row)
        return self.file.read((stop - start) * self.row)

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


def _reserve(file: BinaryIO, size: int) -> None:
    """Room for `size` bytes on the disk, zeros; OSError where it has not so much."""
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        for at in range(0, size, 2**20):
            file.write(bytes(min(2**20, size - at)))
        file.seek(0)


def _rows_in(path: Path, what: tuple[Any, int]) -> int:
    """How many rows a file has room for; -1 for one that cannot be used."""
    try:
        return len(mapped(path, what, 0))
    except RunDamaged:
        return -1


def mapped(path: Path, what: tuple[Any, int], least: int) -> Any:
    """The memory map `(N, width)` of an .npy file with `least` rows or more. RunDamaged for any other file."""
    dtype, width = what
    try:
        with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("another version of the format")
            shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
            if kind != dtype or fortran or len(shape) != 2 or shape[1] != width or shape[0] < max(1, least):
                raise ValueError(f"expected {least:,} rows of {width}, got {shape}")
            if size < start + shape[0] * width * kind.itemsize:
                raise ValueError("it is cut short")
            return np.memmap(file, dtype=kind, mode="r", offset=start, shape=shape)
    except Exception as error:  # the reader of the header takes it for Python, and raises nearly anything
        reason = getattr(error, "strerror", None) or str(error)[:200]
        raise RunDamaged(f"{path} cannot be read: {reason}. Build the bank again.") from error
