"""The restricted unpickler: a pickle is a program that names functions and calls them, and this one knows a short list.

Every name that is not in the table it is given (zeuxis.hub.pickle_names) becomes an `Inert` object, which keeps what it
was called with and does nothing. It is Python's own unpickler, the one written in Python: a forged memo number or
length makes the one in C allocate gigabytes.
"""

from __future__ import annotations

import gc
import io
import pickle
from collections.abc import Callable, Mapping
from struct import unpack
from typing import Any, ClassVar

from zeuxis.hub.pickle_names import Budget, Inert, Name, give_state, key

LARGEST = 8 * 2**30  # bytes of one file
LONGEST_NAME = 500  # characters of a module or class
LARGEST_MEMO = 2**32

# Names that only run something: a file that asks for them is hostile, not merely unknown.
HOSTILE = ("os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "importlib", "runpy", "code", "pty", "ctypes")
HOSTILE_BUILTINS = ("eval", "exec", "compile", "open", "__import__", "getattr", "setattr", "input", "breakpoint")


_Unpickler: Any = pickle._Unpickler  # type: ignore[attr-defined]  # the one written in Python has no public name


class _Reader(_Unpickler):  # type: ignore[misc]
    """Python's own unpickler with our names; nothing but our names is called or changed."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)
    stack: list[Any]
    storages: Callable[[Any], Any] | None = None
    names: Mapping[str, Any]
    budget: Budget

    def load(self) -> Any:
        """The object; every step is paid for, inside frames and outside of them."""
        frames = pickle._Unframer(self._file_read, self._file_readline)  # type: ignore[attr-defined]
        self._unframer, self.read, self.readinto, self.readline = frames, frames.read, frames.readinto, frames.readline
        self.metastack: list[Any] = []
        self.stack, self.proto = [], 0
        self.append = self.stack.append
        read, spend, dispatch, collecting = self.read, self.budget.spend, self.dispatch, gc.isenabled()
        gc.disable()  # a million containers would be looked through again and again
        try:
            while code := read(1):
                spend()
                dispatch[code[0]](self)
        except pickle._Stop as stop:  # type: ignore[attr-defined]
            return stop.value
        finally:
            if collecting:
                gc.enable()
        raise EOFError("it ends too early")

    def find_class(self, module: str, name: str) -> Name:
        """Our function for the name, or an inert one; UnpicklingError for a name that can only do harm."""
        if len(module) + len(name) > LONGEST_NAME:
            raise pickle.UnpicklingError(f"it asks for a name of {len(module) + len(name):,} characters")
        full = f"{module}.{name}"
        root = module.partition(".")[0]
        if root in HOSTILE or (root in ("builtins", "__builtin__") and name in HOSTILE_BUILTINS):
            raise pickle.UnpicklingError(f"it asks to run {full[:80]}. Do not trust this file")
        return Name(full, self.names.get(full))

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
        give_state(self.budget, self.stack[-1], state)

    def load_put(self) -> None:
        """Protocol 0's memo; its numbers are counted up from 0, so that none is large."""
        self.memo[self._memo_number()] = self.stack[-1]

    def load_get(self) -> None:
        """From protocol 0's memo."""
        self.append(self.memo[self._memo_number()])

    def _memo_number(self) -> int:
        text = self.readline()[:-1]
        if len(text) > 10 or not text.isdigit() or int(text) >= LARGEST_MEMO:
            raise pickle.UnpicklingError("it uses a memo number that is none")
        return int(text)

    def load_bytearray8(self) -> None:
        """Bytes as many as there are: the room is not made before they are read."""
        (size,) = unpack("<Q", self.read(8))
        data = self.read(min(size, LARGEST))
        if len(data) != size:
            raise pickle.UnpicklingError("it ends within its bytes")
        self.append(bytearray(data))

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
        self.stack[-1].update(map(key, items))

    def load_frozenset(self) -> None:
        """A set that stays as it is."""
        self.append(frozenset(map(key, self.pop_mark())))

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
        return name.call(self.budget, args)

    def _set(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, dict | Inert) or len(items) % 2:
            raise pickle.UnpicklingError(f"it stores pairs in a {type(target).__name__}")
        for name, value in zip(items[::2], items[1::2], strict=True):
            target[key(name)] = value

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
        ("PUT", load_put),
        ("GET", load_get),
        ("BYTEARRAY8", load_bytearray8),
    ):
        dispatch[getattr(pickle, _code)[0]] = _load


def load_next(
    stream: io.BytesIO, budget: Budget, names: Mapping[str, Any], storages: Callable[[Any], Any] | None = None
) -> Any:
    """The next pickle of a stream: `names` are the functions it may call, `storages` gives what a persistent id means.

    Raises whatever its parser meets: the callers make one error of it.
    """
    reader = _Reader(stream, encoding="latin1")
    reader.budget, reader.names, reader.storages = budget, names, storages
    return reader.load()


def in_short(error: BaseException) -> str:
    """What an error of a parser says, in one line. What a file put into it is not printed: that may take for ever."""
    said = error.args[0] if error.args and isinstance(error.args[0], str) else type(error).__name__
    return " ".join(said[:400].split())[:160] or type(error).__name__
