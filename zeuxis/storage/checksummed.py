"""Checksummed files: safetensors and JSON that carry the SHA-256 of themselves, so that a flipped bit cannot pass.

A safetensors file has no checksum of its own. Here its only metadata entry is `zeuxis`: 64 hex digits, a space, and
a JSON header. The digits are the SHA-256 of the file with zeros in their place; any safetensors reader reads it.
Lines of a `.jsonl` file carry theirs one by one. A checksum says that nothing has changed by accident, not who wrote
it: what is read is also bounded in size and depth, and its types are for the reader to check.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeuxis.errors import RunDamaged
from zeuxis.storage.reading import read_plain

if TYPE_CHECKING:  # what only holds JSON files waits for no import of torch
    from torch import Tensor

Header = dict[str, Any]

_ZEROS = b"0" * 64
_OPENING = b'{"__metadata__":{"zeuxis":"'  # what follows the 8 bytes of the header's length
_AT = 8 + len(_OPENING)
MAX_JSON = 64 * 2**20
MAX_DEPTH = 32  # tables and lists within one another
SHORT = 16  # hex digits of a line's checksum
_HEX = re.compile(rf"[0-9a-f]{{{SHORT}}}")


def checksummed(tensors: Mapping[str, Tensor], header: Header) -> bytes:
    """Tensors and a JSON header as one safetensors file. The same input gives the same bytes."""
    text = json.dumps(header, sort_keys=True)
    blob = bytearray(_packed(tensors, {"zeuxis": f"{_ZEROS.decode()} {text}"}))
    blob[_AT : _AT + 64] = hashlib.sha256(blob).hexdigest().encode()
    return bytes(blob)


def _packed(tensors: Mapping[str, Tensor], about: dict[str, str]) -> bytes:
    """A safetensors file. Numpy's writer gives the same bytes as torch's in a third of the time."""
    import numpy as np
    import safetensors.numpy
    import safetensors.torch

    try:
        plain = {name: np.asarray(t.numpy(force=True), order="C") for name, t in tensors.items()}
    except TypeError:  # numpy has no bfloat16
        own = {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}
        return safetensors.torch.save(own, about)
    return safetensors.numpy.save(plain, about)


def verified(path: Path) -> tuple[dict[str, Tensor], Header]:
    """Tensors (on the CPU) and header of a checksummed file. RunDamaged if one bit of it is not as written."""
    return verified_bytes(read_plain(path), path)


def verified_bytes(data: bytes, path: Path) -> tuple[dict[str, Tensor], Header]:
    """What `verified` does, for the bytes that were read from `path`."""
    import safetensors.torch
    from safetensors import SafetensorError

    blob = bytearray(data)
    digest = bytes(blob[_AT : _AT + 64])
    blob[_AT : _AT + 64] = _ZEROS
    if blob[8:_AT] != _OPENING or hashlib.sha256(blob).hexdigest().encode() != digest:
        raise damaged(path, "its checksum does not fit its content")
    try:
        size = int.from_bytes(blob[:8], "little")
        text = json.loads(blob[8 : 8 + size])["__metadata__"]["zeuxis"]
        return safetensors.torch.load(bytes(blob)), table(text[65:])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:  # another program wrote it
        raise damaged(path, str(error)) from error


def checksummed_json(content: Header) -> bytes:
    """JSON for people, with `sha256` over the rest of it as its last entry."""
    body = {key: value for key, value in content.items() if key != "sha256"}
    return (json.dumps(body | {"sha256": _digest(body)}, indent=2) + "\n").encode()


def verified_json(path: Path) -> Header:
    """The content of a checksummed JSON file, without its `sha256`. RunDamaged if it was changed."""
    return verified_json_bytes(read_plain(path, MAX_JSON), path)


def verified_json_bytes(data: bytes, path: Path) -> Header:
    """What `verified_json` does, for the bytes that were read from `path`."""
    try:
        content = table(data)
        digest = content.pop("sha256")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, f"it is not the JSON that was written ({type(error).__name__})") from error
    if _digest(content) != digest:
        raise damaged(path, "its checksum does not fit its content")
    return content


def verified_if_checked(data: bytes, path: Path) -> tuple[Header, bool]:
    """The table in a JSON file, and whether it carried a checksum, as those of older versions do not.

    RunDamaged where the checksum does not fit, or the file is no table.
    """
    try:
        content = table(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path, f"it is not the JSON that was written ({type(error).__name__})") from error
    checked = isinstance(content.get("sha256"), str)
    return (verified_json_bytes(data, path) if checked else content), checked


def checked_line(content: Header, key: str = "") -> str:
    """A table as one line of JSON; `check` is its last entry. `key` says what the line belongs to, e.g. a run."""
    return json.dumps(content | {"check": _digest(content, key)[:SHORT]})


def verified_line(line: str | bytes, key: str = "") -> tuple[Header, bool]:
    """A line's table without its `check`, and whether it had one, as lines of older versions have not.

    ValueError if it is no table, or not the one that was written.
    """
    try:
        content = table(line)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    digest = content.pop("check", None)
    if digest is None and any(isinstance(value, str) and _HEX.fullmatch(value) for value in content.values()):
        raise ValueError("the name of its checksum is damaged")
    if digest is not None and digest != _digest(content, key)[:SHORT]:
        raise ValueError("its checksum does not fit its content")
    return content, digest is not None


def table(text: str | bytes) -> Header:
    """JSON that is a table, bounded in depth; ValueError, TypeError or RecursionError for other text."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise TypeError("it is no table")
    level: list[Any] = [content]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
        if not level:
            return content
    raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def damaged(path: Path, why: str) -> RunDamaged:
    """The error for a file that cannot be believed."""
    return RunDamaged(f"{path} is damaged: {why}. Restore it from a copy, or move it away.")


def _digest(content: Header, key: str = "") -> str:
    return hashlib.sha256((key + json.dumps(content, sort_keys=True)).encode()).hexdigest()
