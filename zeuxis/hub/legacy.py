"""Storages in the files of torch.save, and files as torch wrote them before 1.6, alone or inside another pickle."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import torch

from zeuxis.hub.pickle_names import A_CALL, KNOWN, Budget, Name
from zeuxis.hub.unpickler import in_short, load_next

LEGACY_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # LONG1 of 0x1950a86a20f9469cfc6c, after PROTO
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
    "torch.ComplexFloatStorage": torch.complex64,
    "torch.ComplexDoubleStorage": torch.complex128,
}


def is_legacy(head: bytes) -> bool:
    """Whether a file begins as torch wrote them before 1.6."""
    return LEGACY_MAGIC in head[:16]


def nested_storage(budget: Budget, data: Any = None, *_: Any) -> Any:
    """torch.storage._load_from_bytes: a second file, inside the pickle. UnpicklingError for anything but a storage."""
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("it loads a storage from something that is not bytes")
    budget.spend(A_CALL, len(data))
    if not is_legacy(data[:16]):
        raise pickle.UnpicklingError("it holds a nested file that is not torch's")
    try:
        found = legacy_content(data, budget)
    except Exception as error:
        raise pickle.UnpicklingError(f"a nested file is refused: {in_short(error)}") from error
    if not isinstance(found, torch.storage.TypedStorage):
        raise pickle.UnpicklingError(f"it holds a {type(found).__name__} where a storage belongs")
    return found


NAMES = KNOWN | {"torch.storage._load_from_bytes": nested_storage}  # all that a pickle may call


def legacy_content(data: bytes, budget: Budget) -> Any:
    """A magic number, a version, facts of the machine, the pickle, and then the storages."""
    stream = io.BytesIO(data)
    _, _, machine = (load_next(stream, budget, NAMES) for _ in range(3))
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise pickle.UnpicklingError(OTHER_ORDER)
    waiting: dict[str, bytearray] = {}
    room = len(data)

    def read(name: str, wanted: int) -> bytearray:
        nonlocal room
        room -= wanted
        if room < 0:
            raise pickle.UnpicklingError(f"its storage {name[:40]} is larger than the file")
        waiting[name] = bytearray(max(wanted, 1))
        return waiting[name]

    content = load_next(stream, budget, NAMES, storage_reader(read))
    names = load_next(stream, budget, NAMES)
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or sorted(names) != sorted(waiting):
        raise pickle.UnpicklingError("its storages are not those that it refers to")
    for place, name in enumerate(names):
        _fill(stream, waiting[name], place)
    return content


OTHER_ORDER = "it was written on a machine with the other order of bytes. Save it on this one"


def storage_reader(read: Callable[[str, int], bytearray]) -> Callable[[Any], Any]:
    """What turns a persistent id ("storage", type, key, place, count, ...) into a storage on the CPU, each once."""
    known: dict[str, Any] = {}

    def storage(pid: Any) -> Any:
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":  # a class, as torch wrote it before 1.6
            return pid[1]
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or not isinstance(pid[1], Name):
            raise pickle.UnpicklingError("it refers to an object that is no storage")
        kind, name, count, view = pid[1].name, pid[2], pid[4], pid[5] if len(pid) == 6 else None
        if kind not in TYPES or not isinstance(name, str) or type(count) is not int or not 0 <= count < 2**40:
            raise pickle.UnpicklingError(f"it refers to a storage of an unknown kind: {kind[:80]}")
        if name not in known:
            data = read(name, count * TYPES[kind].itemsize)
            known[name] = torch.frombuffer(data, dtype=torch.uint8).untyped_storage()
        return _typed(known[name] if view is None else _part(known[name], view, TYPES[kind]), TYPES[kind])

    return storage


def _typed(untyped: Any, dtype: torch.dtype) -> Any:
    typed: Any = torch.storage.TypedStorage
    return typed(wrap_storage=untyped, dtype=dtype, _internal=True)


def _part(whole: Any, view: Any, dtype: torch.dtype) -> Any:
    """A storage inside another, as the oldest files have it: (key, first number, count)."""
    if not isinstance(view, tuple) or len(view) != 3 or not all(type(n) is int and 0 <= n < 2**40 for n in view[1:]):
        raise pickle.UnpicklingError("it refers to a part of a storage that is none")
    begin, end = view[1] * dtype.itemsize, (view[1] + view[2]) * dtype.itemsize
    if end > whole.nbytes():
        raise pickle.UnpicklingError("it refers to a part of a storage that is larger than the storage")
    return whole[begin:end]


def _fill(stream: io.BytesIO, storage: bytearray, place: int) -> None:
    """A storage: how many numbers, then their bytes."""
    count = int.from_bytes(stream.read(8), "little")
    wanted = len(storage) if count else 0
    if stream.readinto(memoryview(storage)[:wanted]) != wanted:
        raise pickle.UnpicklingError(f"it ends within its storage {place + 1}")
