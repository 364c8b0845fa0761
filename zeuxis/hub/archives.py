"""Files of torch.save, zip and legacy: looked over, and read by our own restricted reader (zeuxis/hub/foreign.py)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from zeuxis.errors import WeightsRefused
from zeuxis.hub.foreign import is_script, read_saved, read_script
from zeuxis.hub.pickles import in_short


def read_archive(path: Path) -> Any:
    """What `torch.save` wrote to a file: dictionaries, numbers, text and tensors on the CPU.

    Of a TorchScript archive the weights are read and the program is not. Of a file with foreign classes only tensors
    and networks are kept; WeightsRefused for one that holds neither, and for a damaged file: a zip file carries
    checksums. Nothing in a file is run.
    """
    try:
        if zipfile.is_zipfile(path):
            _check_zip(path)
            if is_script(path):
                return read_script(path)
        return read_saved(path)
    except WeightsRefused:
        raise
    except Exception as error:  # a forged file may raise anything: all of it means the same
        raise WeightsRefused(path, f"is no readable torch file: {in_short(error)}. Nothing in it was run") from error


def _check_zip(path: Path) -> None:
    """A zip that torch wrote: no larger unpacked than the file."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]
    if not any(name.endswith("data.pkl") for name in names):
        raise WeightsRefused(path, "is a zip file, but not one of torch. Expected a state dictionary")
    size = path.stat().st_size
    if any(info.compress_size > size for info in infos):  # zipfile makes room for it before it reads
        raise WeightsRefused(path, "promises more bytes than it has. Fetch it again")
    if sum(info.file_size for info in infos) > 2 * size + 2**20 or len(infos) > 100_000:
        raise WeightsRefused(path, "unpacks to far more than its size. Nothing in it was read")
