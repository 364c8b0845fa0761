"""Lightning's .ckpt: a zip file of torch whose pickle holds callbacks and hyper-parameters beside the weights.

torch's `weights_only` refuses such a file for the first class that it does not know. Here the pickle goes through the
same reader as NVIDIA's (zeuxis/hub/pickles.py): foreign names become objects that do nothing, names that only run
something are refused, and of all that comes out nothing is kept but the tensors under "state_dict".
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.pickles import Name, unpickle

MOST_PICKLE = 2**28  # bytes of the pickle itself; the largest published ones need under 2**20
TYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


def read_state(path: Path) -> dict[str, dict[str, Tensor]] | None:
    """{"state_dict": {name: tensor}} of a zip file that `archives` has looked over; None if it holds no such thing.

    WeightsRefused for a pickle that asks for code to be run, is damaged, or mixes other things into the weights.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = _content(archive, path)
    except WeightsRefused:
        raise
    except Exception as error:  # a forged zip file may raise anything: all of it means the same
        raise WeightsRefused(path, f"is no readable torch file: {str(error)[:160]}. Nothing in it was run") from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        return None
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsRefused(path, f"is a {type(value).__name__}, expected a tensor", str(name)[:120])
    return {"state_dict": {name: value.detach() for name, value in state.items()}}


def _content(archive: zipfile.ZipFile, path: Path) -> Any:
    sizes = {info.filename: info.file_size for info in archive.infolist()}
    main = [name for name in sizes if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(main) != 1 or len(sizes) != len(archive.infolist()):
        raise WeightsRefused(path, "is a zip file with several pickles or names twice. Expected one of torch.save")
    folder = main[0].removesuffix("data.pkl")
    if sizes[main[0]] > MOST_PICKLE:
        raise WeightsRefused(path, f"has a pickle of {sizes[main[0]]:,} bytes, more than any checkpoint")
    order = f"{folder}byteorder"
    if order in sizes and (sizes[order] > 16 or archive.read(order).strip() != b"little"):
        raise WeightsRefused(path, "was written on a machine with the other order of bytes. Save it on this one")
    known: dict[str, Any] = {}

    def storage(pid: Any) -> Any:
        """("storage", type, key, place, count): the file data/KEY, read once, on the CPU."""
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], Name):
            raise pickle.UnpicklingError("it refers to an object that is no storage")
        kind, key, count = pid[1].name, pid[2], pid[4]
        name = f"{folder}data/{key}"
        if kind not in TYPES or not isinstance(key, str) or not isinstance(count, int) or name not in sizes:
            raise pickle.UnpicklingError(f"it refers to a storage that it does not have: {str(key)[:40]}")
        if count * TYPES[kind].itemsize != sizes[name]:
            raise pickle.UnpicklingError(f"its storage {key[:40]} has {sizes[name]:,} bytes, not {count:,} numbers")
        if key not in known:
            known[key] = torch.frombuffer(bytearray(archive.read(name) or b"\0"), dtype=torch.uint8).untyped_storage()
        typed: Any = torch.storage.TypedStorage
        return typed(wrap_storage=known[key], dtype=TYPES[kind], _internal=True)

    return unpickle(archive.read(main[0]), path, storage)
