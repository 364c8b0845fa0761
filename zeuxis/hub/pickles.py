"""Network pickles of NVIDIA's programs and their relatives, read without running them.

The restricted reader (zeuxis.hub.unpickler) stands in our own functions for the names that these files use, and keeps
the rest as objects that do nothing. The source text that they carry is never compiled.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zeuxis.errors import WeightsRefused
from zeuxis.hub.legacy import NAMES
from zeuxis.hub.pickle_names import Budget, Inert, Name
from zeuxis.hub.unpickler import LARGEST, in_short, load_next

__all__ = ["Budget", "Inert", "Name", "in_short", "read_pickle", "unpickle"]


def read_pickle(path: Path) -> Any:
    """What a network pickle holds: dictionaries, lists, numbers, text, tensors, arrays and `Inert` objects.

    WeightsRefused for a file that asks for code to be run, and for one that is damaged.
    """
    if path.stat().st_size > LARGEST:
        raise WeightsRefused(path, f"has {path.stat().st_size:,} bytes, more than any network; it was not read")
    return unpickle(path.read_bytes(), path)


def unpickle(
    data: bytes, path: Path, storages: Callable[[Any], Any] | None = None, budget: Budget | None = None
) -> Any:
    """`read_pickle` on bytes; `path` is what errors name, `storages` gives the storage that an id stands for."""
    try:
        return load_next(io.BytesIO(data), budget or Budget(len(data)), NAMES, storages)
    except WeightsRefused as error:
        raise WeightsRefused(path, error.reason, error.tensor) from error
    except Exception as error:  # a parser of hostile bytes may raise anything: all of it means the same
        raise WeightsRefused(
            path, f"is no readable network pickle: {in_short(error)}. Nothing in it was run"
        ) from error
