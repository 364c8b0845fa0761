"""numpy arrays inside pickles, rebuilt from their bytes. numpy's own functions are not called with forged arguments."""

from __future__ import annotations

import math
import pickle
import re
from typing import Any

import numpy as np

KINDS = re.compile(r"[<>|=]?([fiubSU])(\d{1,4})")
MOST = 2**33  # bytes of one array


class Dtype:
    """numpy.dtype: only floats, integers, booleans and text of a stated width."""

    def __init__(self, code: Any, *_: Any) -> None:
        found = KINDS.fullmatch(code) if isinstance(code, str) else None
        if found is None or (found[1] in "fiub" and int(found[2]) not in (1, 2, 4, 8)) or code.lstrip("<>|=") == "f1":
            raise pickle.UnpicklingError(
                f"it holds an array of type {code[:30]!r}" if isinstance(code, str) else "it holds an untyped array"
            )
        self.code = code.lstrip("<>|=")
        self.order = code[0] if code[0] in "<>" else "<"

    def __setstate__(self, state: Any) -> None:
        """(version, byte order, ...): only the byte order says something new."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]

    def numpy(self) -> np.dtype[Any]:
        """The same as numpy knows it."""
        width = int(self.code[1:])
        return np.dtype(f"{self.order}{self.code[0]}{width}")


class Array:
    """numpy.ndarray: a shape, a type and bytes, put together in `value`."""

    def __init__(self) -> None:
        self.value: np.ndarray = np.empty(0, np.float32)

    def __setstate__(self, state: Any) -> None:
        """numpy's (version, shape, dtype, in Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("it holds an array without shape and bytes")
        _, shape, dtype, fortran, raw = state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as text
        if not isinstance(dtype, Dtype) or not isinstance(raw, bytes) or not isinstance(shape, tuple):
            raise pickle.UnpicklingError("it holds an array that is not made of numbers")
        if len(shape) > 16 or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
            raise pickle.UnpicklingError("it holds an array whose shape is not made of counts")
        kind = dtype.numpy()
        size = math.prod(shape) * kind.itemsize
        if size != len(raw) or size > MOST:
            raise pickle.UnpicklingError(f"it holds an array of shape {shape} in {len(raw)} bytes")
        self.value = np.frombuffer(raw, kind).reshape(shape, order="F" if fortran is True else "C")


def scalar(dtype: Any, raw: Any = b"", *_: Any) -> Any:
    """numpy.core.multiarray.scalar: one number as Python has it."""
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(dtype, Dtype) or not isinstance(raw, bytes) or len(raw) != dtype.numpy().itemsize:
        raise pickle.UnpicklingError("it holds a number that is none")
    return np.frombuffer(raw, dtype.numpy())[0].item()
