"""The official CIFAR-10 python archive, read without running it.

Its batches are Python pickles. The reader below builds nothing but lists, dictionaries, strings, numbers and arrays of
bytes; any other name in the file is refused before it is looked up. Not even numpy's own functions are called, because
a forged dtype makes numpy take bytes for pointers; and the unpickler is the one written in Python, because a forged
memo number of nine bytes makes the one in C allocate gigabytes.
"""

from __future__ import annotations

import io
import lzma
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from zeuxis.errors import BadInput
from zeuxis.storage.reading import open_regular

BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
LARGEST = 64 * 2**20  # bytes; a batch is 31 MB
ROW = 3 * 32 * 32
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")  # how gzip, bzip2 and xz begin


class _Bytes:
    """An array of bytes in the making: what `_reconstruct` and `numpy.dtype` stand for in these files."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        """numpy's (version, shape, dtype, in Fortran order, bytes); the eight numbers of a dtype say nothing new."""
        if len(state) == 5:
            _, shape, _, fortran, raw = state
            raw = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as text
            self.value = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Harmless:
    """A name that a batch may ask for. It cannot be changed, and its call gives bytes."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        raise BadInput(f"This is no CIFAR-10 batch: it changes {self.name}. Nothing was run; do not trust it.")

    def __call__(self, *given: Any) -> bytes | _Bytes:
        if self.name == "encode":
            return str(given[0]).encode("latin1")
        if self.name == "dtype" and given[0] not in ("u1", "|u1"):
            raise BadInput(f"Expected bytes (dtype u1) in a CIFAR-10 batch, got dtype {str(given[0])[:20]!r}.")
        return _Bytes()


class _BatchReader(pickle._Unpickler):
    """Plain values and arrays of bytes only."""

    def find_class(self, module: str, name: str) -> _Harmless:
        """The allow-list: what numpy writes around an array."""
        allowed = {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
        allowed |= {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
        if (module, name) not in allowed:
            raise BadInput(f"This is no CIFAR-10 batch: it asks for {module}.{name}. Nothing was run; do not trust it.")
        return _Harmless(name)


def read_cifar_archive(path: Path, split: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[str]]:
    """uint8 (N, 32, 32, 3), labels (N,), class names, file names. `path` is the .tar.gz or the unpacked folder."""
    names = _texts(_unpickle(_member(path, "batches.meta"), "batches.meta"), "label_names", "batches.meta")
    pixels, labels, files = [], [], []
    for name in BATCHES[split]:
        batch = _unpickle(_member(path, name), name)
        rows = _rows(batch, name)
        pixels.append(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels.append(_labels(batch, name, len(rows), len(names)))
        files += _texts(batch, "filenames", name) if "filenames" in batch else []
    if files and len(files) != sum(map(len, labels)):
        raise BadInput(f"Expected a file name for each image of {path}, got {len(files)}.")
    return np.ascontiguousarray(np.concatenate(pixels)), np.concatenate(labels), tuple(names), files


def _unpickle(data: bytes, name: str) -> dict[str, Any]:
    """One batch as a dictionary with text keys."""
    try:
        found = _BatchReader(io.BytesIO(data), encoding="latin1").load()
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{name} is not readable as a CIFAR-10 batch ({type(error).__name__}: {error}).") from error
    if not isinstance(found, dict):
        raise BadInput(f"Expected a dictionary in {name}, got {type(found).__name__}.")
    return {
        k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in found.items() if isinstance(k, str | bytes)
    }


def _rows(batch: dict[str, Any], name: str) -> np.ndarray:
    """The pictures: uint8 (N, 3072)."""
    data = batch.get("data")
    if not isinstance(data, _Bytes) or list(data.value.shape[1:]) != [ROW]:
        shape = data.value.shape if isinstance(data, _Bytes) else type(data).__name__
        raise BadInput(f"Expected data of shape (N, {ROW}) in {name}, got {shape}.")
    return data.value


def _labels(batch: dict[str, Any], name: str, count: int, classes: int) -> np.ndarray:
    """The class numbers: int64 (N,)."""
    found = batch.get("labels")
    if not isinstance(found, list) or len(found) != count:
        got = len(found) if isinstance(found, list) else type(found).__name__
        raise BadInput(f"Expected {count} labels in {name}, got {got}.")
    if not all(type(k) is int and 0 <= k < classes for k in found):
        raise BadInput(f"Expected labels from 0 to {classes - 1} in {name}.")
    return np.array(found, dtype=np.int64)


def _texts(batch: dict[str, Any], key: str, name: str) -> list[str]:
    """A list of words."""
    found = batch.get(key)
    if not isinstance(found, list) or not all(isinstance(text, str | bytes) for text in found):
        raise BadInput(f"Expected a list of texts under {key!r} in {name}, got {type(found).__name__}.")
    return [text.decode("latin1") if isinstance(text, bytes) else text for text in found]


def _member(path: Path, name: str) -> bytes:
    """One file of the archive or of the folder it was unpacked to."""
    if path.is_dir():
        inner = path / "cifar-10-batches-py"
        file = (inner if inner.is_dir() else path) / name
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise BadInput(f"Expected {name} in {path} (the unpacked cifar-10-python archive), or a cifar10.npz pack.")
        return file.read_bytes()
    try:
        with open_regular(path, "tar archive") as packed:
            if not packed.read(262).startswith(PACKED) and packed.seek(257) and packed.read(5) != b"ustar":
                raise tarfile.ReadError  # zeros without end would pass for an old .lzma, and be unpacked without end
        with open_regular(path, "tar archive") as packed, tarfile.open(fileobj=packed) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == name and member.size <= LARGEST:
                    handle = tar.extractfile(member)
                    if handle is not None:
                        return bytes(handle.read())
    except BadInput:
        raise
    except (tarfile.TarError, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        # what tarfile says of content that is no archive at all is a list of every format it tried
        reason = "its content is of another kind" if isinstance(error, tarfile.ReadError) else str(error)[:120]
        raise BadInput(
            f"Expected CIFAR-10 at {path} (cifar-10-python.tar.gz, its unpacked folder, or cifar10.npz), but it is no "
            f"readable tar archive: {reason}. Give the path of one of these."
        ) from error
    raise BadInput(f"{path} holds no {name}. Expected cifar-10-python.tar.gz.")
