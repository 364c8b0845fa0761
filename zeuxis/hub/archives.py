"""Files of torch.save, zip and legacy: read by torch's restricted unpickler (`weights_only`).

Zip files with foreign classes in them, as Lightning writes them, go through our own: zeuxis/hub/lightning.py.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.legacy import in_short
from zeuxis.hub.lightning import read_state


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
