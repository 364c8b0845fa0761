"""Files of torch.save that hold more than weights: training checkpoints, Lightning's .ckpt, networks, TorchScript.

torch's own `weights_only` refuses such a file for the first class that it does not know, and takes for ever over some
forged ones. Here every pickle goes through the same reader as NVIDIA's (zeuxis/hub/pickles.py): foreign names become
objects that do nothing, names that only run something are refused, and where there are any, only tensors, and networks
as inert objects, are kept.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.extent import inside
from zeuxis.hub.legacy import OTHER_ORDER, legacy_content, storage_reader
from zeuxis.hub.pickles import Budget, Inert, Name, in_short, unpickle

MOST_PICKLE = 2**28  # bytes of the pickle itself; the largest published ones need under 2**20
DEEPEST = 4  # dictionaries in dictionaries
PLAIN = (Tensor, dict, list, tuple, set, str, bytes, int, float, complex, type(None))
OF_TORCH = re.compile(r"torch\.\w+")  # torch.float32 and the like


def read_saved(path: Path) -> Any:
    """What `torch.save` wrote; of a file with foreign classes in it the tensors, in the dictionaries where they are.

    A zip file is one that `archives` has looked over. Raises whatever its parser meets, and WeightsRefused for a pickle
    that asks for code to be run, holds foreign classes and no weights, or mixes other things into a "state_dict".
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            content = zip_content(archive, path)
    else:
        data = path.read_bytes()
        content = legacy_content(data, Budget(len(data)))
    stranger = _stranger(content)
    if stranger is None:
        return content
    state = content.get("state_dict") if isinstance(content, dict) else None
    for name, value in state.items() if isinstance(state, dict) else ():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            shown = name[:120] if isinstance(name, str) else f"a name that is a {type(name).__name__}"
            raise WeightsRefused(path, f"is a {type(value).__name__}, expected a tensor", shown)
    kept = _kept(content)
    if kept is None:
        raise pickle.UnpicklingError(f"it asks for {stranger} and holds no weights")
    return kept


def _stranger(content: Any) -> str | None:
    """The name of an object in it that is no plain value; None without one."""
    waiting, seen = [content], {id(content)}
    while waiting:
        value = waiting.pop()
        if isinstance(value, Name | Inert):
            if isinstance(value, Inert) or not OF_TORCH.fullmatch(value.name):
                return value.name[:160]
        elif not isinstance(value, PLAIN):
            return type(value).__name__
        elif isinstance(value, dict):
            waiting += [name for name in value if isinstance(name, Name)]
        for part in inside(value):
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
    return None


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
        raise WeightsRefused(path, f"is no readable TorchScript: {in_short(error)}. Nothing in it was run") from error
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
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist() if "/code/" not in info.filename):
        raise WeightsRefused(path, "is a zip file with compressed parts. Expected one of torch.save")
    if sizes[main[0]] > MOST_PICKLE:
        raise WeightsRefused(path, f"has a pickle of {sizes[main[0]]:,} bytes, more than any checkpoint")
    order = f"{folder}byteorder"
    if order in sizes and (sizes[order] > 16 or archive.read(order).strip() != b"little"):
        raise WeightsRefused(path, OTHER_ORDER.removeprefix("it "))

    def read(key: str, size: int) -> bytearray:
        name = f"{folder}data/{key}"
        if name not in sizes:
            raise pickle.UnpicklingError(f"it refers to a storage that it does not have: {key[:40]}")
        if size != sizes[name]:
            raise pickle.UnpicklingError(f"its storage {key[:40]} has {sizes[name]:,} bytes, not {size:,}")
        data = bytearray(max(size, 1))
        with archive.open(name) as file:
            place = memoryview(data)[:size]
            while place:
                done = file.readinto(place)  # type: ignore[attr-defined]  # the last of it is checked against the checksum in the zip file
                if not done:
                    raise pickle.UnpicklingError(f"it ends within its storage {name[-40:]}")
                place = place[done:]
            file.read(1)
        return data

    return unpickle(archive.read(main[0]), path, storage_reader(read), Budget(path.stat().st_size))
