"""What the names in a pickle stand for here: our own functions for a short list of them, inert objects for the rest.

Every function first pays for what it makes out of the reader's budget: a few bytes of a pickle may call one of them on
megabytes that were read once, again and again.
"""

from __future__ import annotations

import functools
import hashlib
import math
import pickle
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from zeuxis.hub.arrays import Array, Dtype, scalar

MOST_STEPS = 1_000_000  # StyleGAN-XL at 1024 px, the largest published network, needs under 200,000
A_CALL = 8  # steps that a call counts as
LARGEST_KEY = 2**60  # whole numbers below it have hashes of their own


class Budget:
    """What reading one file may cost: steps of its pickles, and bytes that its calls make of the `size` that it has."""

    def __init__(self, size: int) -> None:
        self.steps, self.bytes = MOST_STEPS, 3 * size + 2**24

    def spend(self, steps: int = 1, size: int = 0) -> None:
        """UnpicklingError once there is nothing left."""
        self.steps -= steps
        self.bytes -= size
        if self.steps < 0:
            raise pickle.UnpicklingError(f"it has more than {MOST_STEPS:,} steps")
        if self.bytes < 0:
            raise pickle.UnpicklingError("it makes far more out of its bytes than they are")


class Inert:
    """An object of a class that is not ours: its name, what it was made with, and its state. It does nothing."""

    __slots__ = ("args", "items", "name", "state")

    def __init__(self, name: str, *args: Any) -> None:
        self.name, self.args = name, args
        self.state: Any = {}
        self.items: list[Any] = []

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, item: Any) -> None:
        """What the pickle of a list-like object calls."""
        self.items.append(item)

    def extend(self, items: Any) -> None:
        """What the pickle of a list-like object calls."""
        self.items.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def __repr__(self) -> str:
        return f"Inert({self.name})"


class EasyDict(dict[str, Any]):
    """dnnlib's dictionary with attributes: a dictionary."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):  # its keys were checked when they came into it
            self.update(state)


class Name:
    """A name that the file asked for. Called, it gives an inert object, or what our own function makes of it."""

    __slots__ = ("function", "name")

    def __init__(self, name: str, function: Any = None) -> None:
        self.name, self.function = name, function

    def call(self, budget: Budget, args: tuple[Any, ...]) -> Any:
        """Call it, as the file does."""
        budget.spend(A_CALL + len(args))
        return Inert(self.name, *args) if self.function is None else self.function(budget, *args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(f"it tries to change {self.name}")

    def __repr__(self) -> str:
        return f"Name({self.name})"


def key(value: Any) -> Any:
    """A key of a dictionary or a set: plain, because the hash of tuples inside tuples can take for ever.

    So can a dictionary of whole numbers that all have one hash: such numbers are large.
    """
    if not isinstance(value, str | int | float | bytes | Name | None):
        raise pickle.UnpicklingError(f"it uses a {type(value).__name__} as a key")
    if isinstance(value, int) and not -LARGEST_KEY < value < LARGEST_KEY:
        raise pickle.UnpicklingError("it uses a number of more than 18 digits as a key")
    return value


def _pairs(budget: Budget, pairs: Any) -> list[tuple[Any, Any]]:
    """The pairs that a dictionary is made of, each with a plain key."""
    if not isinstance(pairs, dict | list | tuple):
        raise pickle.UnpicklingError(f"it makes a dictionary of a {type(pairs).__name__}")
    budget.spend(len(pairs))
    rows = pairs.items() if isinstance(pairs, dict) else pairs
    if not all(isinstance(row, tuple | list) and len(row) == 2 for row in rows):
        raise pickle.UnpicklingError("it makes a dictionary of something that is no pairs")
    return [(key(k), v) for k, v in rows]


def _ordered(budget: Budget, pairs: Any = (), *_: Any) -> OrderedDict[Any, Any]:
    """collections.OrderedDict of pairs, as protocol 2 writes them."""
    return OrderedDict(_pairs(budget, pairs))


def _easy(budget: Budget, pairs: Any = (), *_: Any) -> EasyDict:
    return EasyDict(_pairs(budget, pairs))


def _set(budget: Budget, items: Any = (), *_: Any) -> set[Any]:
    """builtins.set."""
    if not isinstance(items, list | tuple | set | frozenset | dict):
        raise pickle.UnpicklingError(f"it makes a set of a {type(items).__name__}")
    budget.spend(len(items))
    return set(map(key, items))


@functools.lru_cache(maxsize=64)  # one text is the source of many modules
def _digest(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()


def _persistent(_: Budget, meta: Any = None, *_more: Any) -> Inert:
    """torch_utils.persistence: the class name and the attributes; `module_src` is kept as a hash only."""
    if not isinstance(meta, dict) or not isinstance(meta.get("class_name"), str):
        raise pickle.UnpicklingError("it holds a persistent object without a class name")
    source = meta.get("module_src", "")
    node = Inert(meta["class_name"], _digest(source if isinstance(source, str) else ""))
    node.state = meta.get("state", {})
    return node


def _rebuild_tensor(_: Budget, storage: Any, offset: Any, size: Any, stride: Any, *_more: Any) -> Tensor:
    """torch._utils._rebuild_tensor_v2 on a storage that we have read; hooks and metadata are dropped."""
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError("it builds a tensor of something that is no storage")
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride) or len(size) > 16:
        raise pickle.UnpicklingError("it builds a tensor without shape and stride")
    if not all(type(n) is int and 0 <= n < 2**40 for n in (offset, *size, *stride)):
        raise pickle.UnpicklingError("it builds a tensor whose shape, stride or offset are no counts")
    flat = torch.empty(0, dtype=storage.dtype)
    untyped = storage._untyped_storage
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if all(size) else offset
    most = max(untyped.nbytes() // flat.element_size(), 1)  # torch gives an empty storage one number's room
    spread = any(s == 0 and n > 1 for n, s in zip(size, stride, strict=True))  # one number seen as many
    if last + 1 > most or spread or math.prod(size) > most:  # the last: rows that lie over each other
        raise pickle.UnpicklingError("it builds a tensor that is larger than its storage")
    return flat.set_(untyped, offset, size, stride)


def _parameter(_: Budget, data: Any = None, *_more: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise pickle.UnpicklingError("it makes a parameter of something that is no tensor")
    return data


def _encode(budget: Budget, text: Any = None, encoding: Any = "latin1", *_: Any) -> bytes:
    """_codecs.encode, as protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it encodes something other than latin1 text")
    budget.spend(size=len(text))
    return text.encode("latin1")


def _load_type(_: Budget, name: Any = None, *_more: Any) -> Name:
    """dill's way to name a type of its table."""
    known = {"set": _set, "OrderedDict": _ordered}
    if not isinstance(name, str) or len(name) > 500:
        raise pickle.UnpicklingError("it names a type by something that is no text")
    return Name(f"dill.{name}", known.get(name))


def _create_array(budget: Budget, make: Any = None, args: Any = None, state: Any = None, *_: Any) -> Array:
    """dill's way to write an array: our own `_reconstruct`, its arguments, its state."""
    array = make.call(budget, args) if isinstance(make, Name) and isinstance(args, tuple) else None
    if not isinstance(array, Array):
        raise pickle.UnpicklingError("it makes an array in a way that is not numpy's")
    give_state(budget, array, state)
    return array


def give_state(budget: Budget, target: Any, state: Any) -> None:
    """`target` gets its state, as BUILD wants, if it is one of ours."""
    budget.spend(len(state) if isinstance(state, dict | list | tuple) else 1)
    if isinstance(target, Array) and isinstance(state, tuple):
        budget.spend(size=sum(len(value) for value in state if isinstance(value, str)))  # Python 2's bytes are copied
    if isinstance(target, Inert | EasyDict | Array | Dtype):
        target.__setstate__(state)
    elif not isinstance(target, OrderedDict):  # an old file may give it attributes: dropped
        raise pickle.UnpicklingError(f"it changes a {type(target).__name__}")


KNOWN: dict[str, Any] = {
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    "dnnlib.util.EasyDict": _easy,
    "collections.OrderedDict": _ordered,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "torch.Size": lambda _, sizes=(), *__: tuple(sizes) if isinstance(sizes, tuple | list) else (),
    "torch.device": lambda _, *names: ":".join(str(name)[:40] for name in names if isinstance(name, str | int)),
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "_codecs.encode": _encode,
    "dill._dill._load_type": _load_type,
    "dill._dill._create_array": _create_array,
    "numpy.dtype": lambda _, *args: Dtype(*args),
    **{f"numpy.{core}.multiarray.scalar": lambda _, *args: scalar(*args) for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: Array() for core in ("core", "_core")},
}
