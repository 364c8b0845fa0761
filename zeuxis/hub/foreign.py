"""Torch files with foreign classes in them: training checkpoints, Lightning's .ckpt, pickled networks, TorchScript.

torch's `weights_only` refuses such a file for the first class that it does not know. Here the pickle goes through the
same reader as NVIDIA's (zeuxis/hub/pickles.py): foreign names become objects that do nothing, names that only run
something are refused, and of all that comes out only tensors, and networks as inert objects, are kept.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.pickles import Counted, Inert, Name, load_next, unpickle

MOST_PICKLE = 2**28  # bytes of the pickle itself; the largest published ones need under 2**20
DEEPEST = 4  # dictionaries in dictionaries
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


def read_foreign(path: Path) -> Any:
    """The tensors of a torch file, in the dictionaries where they are, or the network that it is; None without any.

    A zip file is one that `archives` has looked over. WeightsRefused for a pickle that asks for code to be run, is
    damaged, or mixes other things into a "state_dict".
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = zip_content(archive, path)
        else:
            content = _legacy_content(path)
    except WeightsRefused:
        raise
    except Exception as error:  # a forged file may raise anything: all of it means the same
        raise WeightsRefused(path, f"is no readable torch file: {str(error)[:160]}. Nothing in it was run") from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    for name, value in state.items() if isinstance(state, dict) else ():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsRefused(path, f"is a {type(value).__name__}, expected a tensor", str(name)[:120])
    return _kept(content)


def is_script(path: Path) -> bool:
    """Whether a zip file is a TorchScript archive: weights beside a program."""
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name or name.endswith("constants.pkl") for name in archive.namelist())


def read_script(path: Path) -> dict[str, Tensor]:
    """The parameters and buffers of a TorchScript archive by their dotted names; its program is not looked at.

    WeightsRefused for a damaged archive, and for one without tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = zip_content(archive, path)
        found = _script_tensors(content)
    except WeightsRefused:
        raise
    except Exception as error:  # a forged zip file may raise anything: all of it means the same
        raise WeightsRefused(path, f"is no readable TorchScript: {str(error)[:160]}. Nothing in it was run") from error
    if not found:
        raise WeightsRefused(path, "is a TorchScript archive without weights. Use a file of plain weights")
    return found


def _script_tensors(root: Any) -> dict[str, Tensor]:
    """A module of TorchScript is an object whose state holds its tensors and the modules inside it, by name."""
    found: dict[str, Tensor] = {}
    waiting, seen = [("", root)], set()
    while waiting:
        prefix, node = waiting.pop()
        if not isinstance(node, Inert) or not isinstance(node.state, dict) or id(node) in seen:
            continue  # a forged file may hold a module that is inside itself
        seen.add(id(node))
        for name, value in node.state.items():
            if isinstance(value, Tensor):
                found[f"{prefix}{name}"] = value.detach()
            else:
                waiting.append((f"{prefix}{name}.", value))
    return found


def _kept(content: Any, known: dict[int, Any] | None = None, depth: int = 0) -> Any:
    """Tensors, networks, and the dictionaries that hold some; None for anything else."""
    known = {} if known is None else known
    if isinstance(content, Tensor):
        return content.detach()
    if isinstance(content, Inert):
        return content if isinstance(content.state, dict) and "_modules" in content.state else None
    if not isinstance(content, dict) or depth == DEEPEST:
        return None
    if id(content) not in known:
        known[id(content)] = None  # while it is looked at: a forged one may hold itself
        found = {name: _kept(value, known, depth + 1) for name, value in content.items() if isinstance(name, str)}
        known[id(content)] = {name: value for name, value in found.items() if value is not None} or None
    return known[id(content)]


def zip_content(archive: zipfile.ZipFile, path: Path) -> Any:
    """What the pickle of a zip file says, with storages from the files beside it."""
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

    def read(key: str, size: int) -> bytearray:
        name = f"{folder}data/{key}"
        if name not in sizes:
            raise pickle.UnpicklingError(f"it refers to a storage that it does not have: {key[:40]}")
        if size != sizes[name]:
            raise pickle.UnpicklingError(f"its storage {key[:40]} has {sizes[name]:,} bytes, not {size:,}")
        return bytearray(archive.read(name) or b"\0")

    return unpickle(archive.read(main[0]), path, _storages(read))


def _storages(read: Callable[[str, int], bytearray]) -> Callable[[Any], Any]:
    """What turns a persistent id ("storage", type, key, place, count, ...) into a storage on the CPU, each once."""
    known: dict[str, Any] = {}

    def storage(pid: Any) -> Any:
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":  # a class, as torch wrote it before 1.6
            return pid[1]
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or not isinstance(pid[1], Name):
            raise pickle.UnpicklingError("it refers to an object that is no storage")
        kind, key, count = pid[1].name, pid[2], pid[4]
        if (
            kind not in TYPES
            or not isinstance(key, str)
            or type(count) is not int
            or count < 0
            or pid[5:] not in ((), (None,))
        ):
            raise pickle.UnpicklingError(f"it refers to a storage of an unknown kind: {str(key)[:40]}")
        if key not in known:
            data = read(key, count * TYPES[kind].itemsize)
            known[key] = torch.frombuffer(data, dtype=torch.uint8).untyped_storage()
        typed: Any = torch.storage.TypedStorage
        return typed(wrap_storage=known[key], dtype=TYPES[kind], _internal=True)

    return storage


def _legacy_content(path: Path) -> Any:
    """As torch wrote before 1.6: a magic number, a version, facts of the machine, the pickle, and then the storages."""
    stream = Counted(path.read_bytes())
    size = path.stat().st_size
    _, _, machine = (load_next(stream) for _ in range(3))
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise WeightsRefused(path, "was written on a machine with the other order of bytes. Save it on this one")
    waiting: dict[str, bytearray] = {}

    def read(key: str, wanted: int) -> bytearray:
        if wanted + sum(map(len, waiting.values())) > size:
            raise pickle.UnpicklingError(f"its storage {key[:40]} is larger than the file")
        waiting[key] = bytearray(max(wanted, 1))
        return waiting[key]

    storage = _storages(read)
    content = load_next(stream, storage)
    keys = load_next(stream)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(waiting):
        raise pickle.UnpicklingError("its storages are not those that it refers to")
    _fill(stream, keys, waiting)
    return content


def _fill(stream: io.BytesIO, keys: list[str], waiting: dict[str, bytearray]) -> None:
    """Each storage in turn: how many numbers, then their bytes."""
    for place, key in enumerate(keys):
        count = int.from_bytes(stream.read(8), "little")
        left = stream.getbuffer().nbytes - stream.tell()
        data = stream.read(len(waiting[key]) if count else 0)
        if len(data) != (len(waiting[key]) if count else 0) or left < 0:
            raise pickle.UnpicklingError(f"it ends within its storage {place + 1}")
        waiting[key][: len(data)] = data
