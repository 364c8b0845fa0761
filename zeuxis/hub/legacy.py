"""Files that torch wrote before 1.6, alone or inside a pickle of NVIDIA's: read by torch's restricted unpickler."""

from __future__ import annotations

import io
import pickle
import re
from typing import Any

import torch

LEGACY_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # LONG1 of 0x1950a86a20f9469cfc6c, after PROTO


def is_legacy(head: bytes) -> bool:
    """Whether a file begins as torch wrote them before 1.6."""
    return LEGACY_MAGIC in head[:16]


def load_legacy(data: bytes) -> Any:
    """A legacy file inside another file. UnpicklingError for what torch refuses, and for a zip."""
    if not is_legacy(data[:16]):
        raise pickle.UnpicklingError("it holds a nested file that is not torch's")
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise pickle.UnpicklingError(f"a nested file is refused: {in_short(error)}") from error


def in_short(error: BaseException) -> str:
    """What torch says in a page, in a line: the name that it does not allow, or the beginning."""
    said = " ".join((str(error) or type(error).__name__).split())
    name = re.search(r"GLOBAL ([\w.]+)", said)
    return f"it asks for {name[1]}" if name else said[:160]
