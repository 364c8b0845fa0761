"""Network pickles of NVIDIA's programs and their relatives, read without running them.

A pickle is a program: it names functions and calls them. This reader knows a short list of names and stands in its own
functions for them; every other name becomes an `Inert` object, which keeps what it was called with and does nothing.
The source text that these files carry is never compiled. The unpickler is the one written in Python: a forged memo
number or length makes the one in C allocate gigabytes.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.arrays import Array, Dtype, scalar
from zeuxis.hub.legacy import load_legacy

MOST_OPCODES = 5_000_000  # StyleGAN-XL at 1024 px, the largest published file, needs under 200,000
LARGEST = 8 * 2**30  # bytes of one file

# Names that only run something: a file that asks for them is hostile, not merely unknown.
HOSTILE = ("os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "importlib", "runpy", "code", "pty", "ctypes")
HOSTILE_BUILTINS = ("eval", "exec", "compile", "open", "__import__", "getattr", "setattr", "input", "breakpoint")


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
        if isinstance(state, dict):
            self.update(state)


class Name:
    """A name that the file asked for. Called, it gives an inert object, or what our own function makes of it."""

    __slots__ = ("function", "name")

    def __init__(self, name: str, function: Any = None) -> None:
        self.name, self.function = name, function

    def __call__(self, *args: Any) -> Any:
        """Call it, as the file does."""
        return Inert(self.name, *args) if self.function is None else self.function(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(f"it tries to change {self.name}")

    def __repr__(self) -> str:
        return f"Name({self.name})"


def _persistent(meta: Any) -> Inert:
    """torch_utils.persistence: the class name and the attributes; `module_src` is kept as a hash only."""
    if not isinstance(meta, dict) or not isinstance(meta.get("class_name"), str):
        raise pickle.UnpicklingError("it holds a persistent object without a class name")
    source = meta.get("module_src", "")
    source = source.encode("utf-8", "replace") if isinstance(source, str) else b""
    node = Inert(meta["class_name"], hashlib.sha256(source).hexdigest())
    node.state = meta.get("state", {})
    return node


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
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
    spread = any(s == 0 and n > 1 for n, s in zip(size, stride, strict=True))  # one number seen as many
    if (last + 1) * flat.element_size() > max(untyped.nbytes(), flat.element_size()) or spread:
        raise pickle.UnpicklingError("it builds a tensor that is larger than its storage")
    return flat.set_(untyped, offset, size, stride)


def _storage(data: Any) -> Any:
    """torch.storage._load_from_bytes: a second file inside the first."""
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("it loads a storage from something that is not bytes")
    found = load_legacy(data)
    if not isinstance(found, torch.storage.TypedStorage):
        raise pickle.UnpicklingError(f"it holds a {type(found).__name__} where a storage belongs")
    return found


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise pickle.UnpicklingError("it makes a parameter of something that is no tensor")
    return data


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """_codecs.encode, as protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it encodes something other than latin1 text")
    return text.encode("latin1")


def _ordered(pairs: Any = (), *_: Any) -> OrderedDict[Any, Any]:
    """collections.OrderedDict of pairs, as protocol 2 writes them."""
    return OrderedDict((_key(k), v) for k, v in (pairs.items() if isinstance(pairs, dict) else pairs))


def _set(items: Any = (), *_: Any) -> set[Any]:
    """builtins.set."""
    return set(map(_key, items))


def _load_type(name: Any) -> Name:
    """dill's way to name a type of its table."""
    known = {"set": _set, "OrderedDict": _ordered}
    if not isinstance(name, str):
        raise pickle.UnpicklingError("it names a type by something that is no text")
    return Name(f"dill.{name}", known.get(name))


def _create_array(make: Any, args: Any, state: Any, *_: Any) -> Array:
    """dill's way to write an array: our own `_reconstruct`, its arguments, its state."""
    array = make(*args) if isinstance(make, Name) and isinstance(args, tuple) else None
    if not isinstance(array, Array):
        raise pickle.UnpicklingError("it makes an array in a way that is not numpy's")
    array.__setstate__(state)
    return array


KNOWN: dict[str, Any] = {
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    "dnnlib.util.EasyDict": EasyDict,
    "collections.OrderedDict": _ordered,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.storage._load_from_bytes": _storage,
    "_codecs.encode": _encode,
    "dill._dill._load_type": _load_type,
    "dill._dill._create_array": _create_array,
    "numpy.dtype": Dtype,
    **{f"numpy.{core}.multiarray.scalar": scalar for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: Array() for core in ("core", "_core")},
}


_Unpickler: Any = pickle._Unpickler  # type: ignore[attr-defined]  # the one written in Python has no public name


class _Reader(_Unpickler):  # type: ignore[misc]
    """Python's own unpickler with our names; nothing but our names is called or changed."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)
    stack: list[Any]
    storages: Callable[[Any], Any] | None = None

    def find_class(self, module: str, name: str) -> Name:
        """Our function for the name, or an inert one; UnpicklingError for a name that can only do harm."""
        full = f"{module}.{name}"
        root = module.partition(".")[0]
        if root in HOSTILE or (root in ("builtins", "__builtin__") and name in HOSTILE_BUILTINS):
            raise pickle.UnpicklingError(f"it asks to run {full[:80]}. Do not trust this file")
        return Name(full, KNOWN.get(full))

    def get_extension(self, code: int) -> None:
        """The registry of extension codes is not consulted."""
        raise pickle.UnpicklingError("it uses extension codes")

    def persistent_load(self, pid: Any) -> Any:
        """No such objects in these files, but for torch's archives, whose storages are files beside the pickle."""
        if self.storages is not None:
            return self.storages(pid)
        raise pickle.UnpicklingError("it refers to an object outside of the file")

    def load_reduce(self) -> None:
        """Call one of our names."""
        args = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], args)

    def load_newobj(self) -> None:
        """Make an object: the same as calling its name."""
        args = self.stack.pop()
        self.append(self._call(self.stack.pop(), args))

    def load_newobj_ex(self) -> None:
        """Make an object; its keyword arguments are dropped."""
        self.stack.pop()
        self.load_newobj()

    def load_obj(self) -> None:
        """Protocol 1's way to make an object."""
        args = self.pop_mark()
        self.append(self._call(args[0] if args else None, tuple(args[1:])))

    def load_inst(self) -> None:
        """Protocol 0's way to make an object."""
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        self.append(self._call(self.find_class(module, name), tuple(self.pop_mark())))

    def load_build(self) -> None:
        """Give an object its state, if it is one of ours."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert | EasyDict | Array | Dtype):
            self.stack[-1].__setstate__(state)
        elif not isinstance(self.stack[-1], OrderedDict):  # an old file may give it attributes: dropped
            raise pickle.UnpicklingError(f"it changes a {type(self.stack[-1]).__name__}")

    def load_setitem(self) -> None:
        """One pair into a dictionary."""
        value = self.stack.pop()
        self._set(self.stack[-2], [self.stack.pop(), value])

    def load_setitems(self) -> None:
        """Pairs into a dictionary."""
        items = self.pop_mark()
        self._set(self.stack[-1], items)

    def load_dict(self) -> None:
        """A dictionary from the pairs since the mark."""
        items = self.pop_mark()
        self.append({})
        self._set(self.stack[-1], items)

    def load_additems(self) -> None:
        """Into a set."""
        items = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise pickle.UnpicklingError("it adds to something that is no set")
        self.stack[-1].update(map(_key, items))

    def load_frozenset(self) -> None:
        """A set that stays as it is."""
        self.append(frozenset(map(_key, self.pop_mark())))

    def load_appends(self) -> None:
        """Onto a list."""
        items = self.pop_mark()
        if not isinstance(self.stack[-1], list | Inert):
            raise pickle.UnpicklingError("it appends to something that is no list")
        self.stack[-1].extend(items)

    def load_append(self) -> None:
        """Onto a list."""
        item = self.stack.pop()
        if not isinstance(self.stack[-1], list | Inert):
            raise pickle.UnpicklingError("it appends to something that is no list")
        self.stack[-1].append(item)

    def _call(self, name: Any, args: Any) -> Any:
        if not isinstance(name, Name) or not isinstance(args, tuple):
            raise pickle.UnpicklingError(f"it calls a {type(name).__name__}")
        return name(*args)

    def _set(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, dict | Inert) or len(items) % 2:
            raise pickle.UnpicklingError(f"it stores pairs in a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    for _code, _load in (
        ("REDUCE", load_reduce),
        ("NEWOBJ", load_newobj),
        ("NEWOBJ_EX", load_newobj_ex),
        ("OBJ", load_obj),
        ("INST", load_inst),
        ("BUILD", load_build),
        ("SETITEM", load_setitem),
        ("SETITEMS", load_setitems),
        ("DICT", load_dict),
        ("ADDITEMS", load_additems),
        ("FROZENSET", load_frozenset),
        ("APPENDS", load_appends),
        ("APPEND", load_append),
    ):
        dispatch[getattr(pickle, _code)[0]] = _load


def _key(key: Any) -> Any:
    """A key of a dictionary or a set: plain, because the hash of tuples inside tuples can take for ever."""
    if not isinstance(key, str | int | float | bytes | Name | None):
        raise pickle.UnpicklingError(f"it uses a {type(key).__name__} as a key")
    return key


class Counted(io.BytesIO):
    """The bytes of the file. Every opcode reads at least one byte by itself, so reads bound the work."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.left = MOST_OPCODES

    def read(self, size: int | None = -1, /) -> bytes:
        """As ever, but not for ever."""
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"it has more than {MOST_OPCODES:,} steps")
        return super().read(size)


def read_pickle(path: Path) -> Any:
    """What a network pickle holds: dictionaries, lists, numbers, text, tensors, arrays and `Inert` objects.

    WeightsRefused for a file that asks for code to be run, and for one that is damaged.
    """
    if path.stat().st_size > LARGEST:
        raise WeightsRefused(path, f"has {path.stat().st_size:,} bytes, more than any network; it was not read")
    return unpickle(path.read_bytes(), path)


def load_next(stream: Counted, storages: Callable[[Any], Any] | None = None) -> Any:
    """The next pickle of a stream. Raises whatever its parser meets: `unpickle` makes WeightsRefused of it."""
    reader = _Reader(stream, encoding="latin1")
    reader.storages = storages
    return reader.load()


def unpickle(data: bytes, path: Path, storages: Callable[[Any], Any] | None = None) -> Any:
    """`read_pickle` on bytes; `path` is what errors name, `storages` gives the storage that an id stands for."""
    try:
        return load_next(Counted(data), storages)
    except WeightsRefused as error:
        raise WeightsRefused(path, error.reason, error.tensor) from error
    except Exception as error:  # a parser of hostile bytes may raise anything: all of it means the same
        said = str(error) or type(error).__name__
        raise WeightsRefused(path, f"is no readable network pickle: {said[:200]}. Nothing in it was run") from error
