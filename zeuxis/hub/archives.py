"""Files of torch.save, zip and legacy: read by torch's restricted unpickler (`weights_only`).

Zip files with foreign classes in them, as Lightning writes them, go through our own: zeuxis/hub/lightning.py.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from zeuxis.errors import WeightsRefused

LEGACY_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # LONG1 of 0x1950a86a20f9469cfc6c, after PROTO
LARGEST = 8 * 2**30


def is_legacy(head: bytes) -> bool:
    """Whether a file begins as torch wrote them before 1.6."""
    return LEGACY_MAGIC in head[:16]


def load_legacy(data: bytes) -> Any:
    """A legacy file inside another file. UnpicklingError for what torch refuses, and for a zip."""
    if not is_legacy(data[:16]):
        raise pickle.UnpicklingError("it holds a nested file that is not torch's")
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise pickle.UnpicklingError(f"a nested file is refused: {in_short(error)}") from error


def in_short(error: BaseException) -> str:
    """What torch says in a page, in a line: the name that it does not allow, or the beginning."""
    said = " ".join((str(error) or type(error).__name__).split())
    name = re.search(r"GLOBAL ([\w.]+)", said)
    return f"it asks for {name[1]}" if name else said[:160]


def read_archive(path: Path) -> Any:
    """What `torch.save` wrote to a file: dictionaries, numbers, text and tensors on the CPU.

    WeightsRefused for a damaged file, and for one of anything else without a `state_dict`. Nothing in a file is run.
    """
    try:
        if zipfile.is_zipfile(path):
            _check_zip(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsRefused:
        raise
    except Exception as error:  # torch raises whatever its parser meets
        if isinstance(error, pickle.UnpicklingError) and zipfile.is_zipfile(path):
            from zeuxis.hub.lightning import read_state

            state = read_state(path)
            if state is not None:
                return state
        raise WeightsRefused(path, f"is no readable torch file: {in_short(error)}. Nothing in it was run") from error


def _check_zip(path: Path) -> None:
    """A zip that torch wrote: stored, not compressed, no larger unpacked than the file, and no TorchScript."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]
    if any("/code/" in name or name.endswith("constants.pkl") for name in names):
        raise WeightsRefused(path, "is a TorchScript archive, which is a program. Use a file of plain weights")
    if not any(name.endswith("data.pkl") for name in names):
        raise WeightsRefused(path, "is a zip file, but not one of torch. Expected a state dictionary")
    if sum(info.file_size for info in infos) > 2 * path.stat().st_size + 2**20 or len(infos) > 100_000:
        raise WeightsRefused(path, "unpacks to far more than its size. Nothing in it was read")
