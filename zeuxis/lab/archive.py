"""The official CIFAR-10 python archive, read without running it.

Its batches are Python pickles. The reader below builds nothing but lists, dictionaries, strings, numbers and numpy
arrays; any other name in the file is refused before it is looked up.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zeuxis.errors import BadInput

BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
LARGEST = 64 * 2**20  # a batch is 31 MB


class _ArrayReader(pickle.Unpickler):
    """Numpy arrays and plain values only."""

    def find_class(self, module: str, name: str) -> Any:
        """The allow-list: what numpy arrays are rebuilt with."""
        allowed: dict[tuple[str, str], Callable[..., Any] | type] = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): _latin,
        }
        for core in ("numpy.core.multiarray", "numpy._core.multiarray"):
            allowed[core, "_reconstruct"] = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) not in allowed:
            raise BadInput(f"This is no CIFAR-10 batch: it asks for {module}.{name}. Nothing was run; do not trust it.")
        return allowed[module, name]


def _latin(text: str, encoding: str = "latin1") -> bytes:
    """What `_codecs.encode` is for in old array pickles."""
    return text.encode("latin1")


def read_cifar_archive(path: Path, split: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[str]]:
    """uint8 (N, 32, 32, 3), labels (N,), class names, file names. `path` is the .tar.gz or the unpacked folder."""
    pixels, labels, files = [], [], []
    for name in BATCHES[split]:
        batch = _unpickle(_member(path, name), name)
        pixels.append(np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels.append(np.asarray(batch["labels"], dtype=np.int64))
        files += [str(f) for f in batch.get("filenames", [])]
    names = _unpickle(_member(path, "batches.meta"), "batches.meta")["label_names"]
    return np.ascontiguousarray(np.concatenate(pixels)), np.concatenate(labels), tuple(names), files


def _unpickle(data: bytes, name: str) -> dict[str, Any]:
    """One batch as a dictionary with text keys."""
    try:
        found = _ArrayReader(io.BytesIO(data), encoding="latin1").load()
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{name} is not readable as a CIFAR-10 batch ({type(error).__name__}: {error}).") from error
    if not isinstance(found, dict):
        raise BadInput(f"Expected a dictionary in {name}, got {type(found).__name__}.")
    return {k.decode() if isinstance(k, bytes) else str(k): v for k, v in found.items()}


def _member(path: Path, name: str) -> bytes:
    """One file of the archive or of the folder it was unpacked to."""
    if path.is_dir():
        inner = path / "cifar-10-batches-py"
        file = (inner if inner.is_dir() else path) / name
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise BadInput(f"Expected {name} in {path} (the unpacked cifar-10-python archive), or a cifar10.npz pack.")
        return file.read_bytes()
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == name and member.size <= LARGEST:
                    handle = tar.extractfile(member)
                    if handle is not None:
                        return handle.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadInput(f"{path} is no readable tar archive ({error}). Expected cifar-10-python.tar.gz.") from error
    raise BadInput(f"{path} holds no {name}. Expected cifar-10-python.tar.gz.")
