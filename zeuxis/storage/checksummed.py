"""Checksummed files: safetensors and JSON that carry the SHA-256 of themselves, so that a flipped bit cannot pass.

A safetensors file has no checksum of its own. Here its only metadata entry is `zeuxis`: 64 hex digits, a space, and
a JSON header. The digits are the SHA-256 of the file with zeros in their place; any safetensors reader reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from zeuxis.errors import RunDamaged

Header = dict[str, Any]

_ZEROS = b"0" * 64
_OPENING = b'{"__metadata__":{"zeuxis":"'  # what follows the 8 bytes of the header's length
_AT = 8 + len(_OPENING)
MAX_JSON = 64 * 2**20


def checksummed(tensors: Mapping[str, Tensor], header: Header) -> bytes:
    """Tensors and a JSON header as one safetensors file. The same input gives the same bytes."""
    plain = {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}
    text = json.dumps(header, sort_keys=True)
    blob = bytearray(safetensors.torch.save(plain, {"zeuxis": f"{_ZEROS.decode()} {text}"}))
    blob[_AT : _AT + 64] = hashlib.sha256(blob).hexdigest().encode()
    return bytes(blob)


def verified(path: Path) -> tuple[dict[str, Tensor], Header]:
    """Tensors (on the CPU) and header of a checksummed file. RunDamaged if one bit of it is not as written."""
    return verified_bytes(_read(path), path)


def verified_bytes(data: bytes, path: Path) -> tuple[dict[str, Tensor], Header]:
    """What `verified` does, for the bytes that were read from `path`."""
    blob = bytearray(data)
    digest = bytes(blob[_AT : _AT + 64])
    blob[_AT : _AT + 64] = _ZEROS
    if blob[8:_AT] != _OPENING or hashlib.sha256(blob).hexdigest().encode() != digest:
        raise damaged(path, "its checksum does not fit its content")
    try:
        size = int.from_bytes(blob[:8], "little")
        text = json.loads(blob[8 : 8 + size])["__metadata__"]["zeuxis"]
        return safetensors.torch.load(bytes(blob)), json.loads(text[65:])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:  # its checksum fits, but another program wrote it
        raise damaged(path, str(error)) from error


def checksummed_json(content: Header) -> bytes:
    """JSON for people, with `sha256` over the rest of it as its last entry."""
    body = {key: value for key, value in content.items() if key != "sha256"}
    return (json.dumps(body | {"sha256": _digest(body)}, indent=2) + "\n").encode()


def verified_json(path: Path) -> Header:
    """The content of a checksummed JSON file, without its `sha256`. RunDamaged if it was changed."""
    try:
        content = json.loads(_read(path))
        digest = content.pop("sha256")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise damaged(path, f"it is not the JSON that was written ({type(error).__name__})") from error
    if _digest(content) != digest:
        raise damaged(path, "its checksum does not fit its content")
    return dict(content)


def damaged(path: Path, why: str) -> RunDamaged:
    """The error for a file that cannot be believed."""
    return RunDamaged(f"{path} is damaged: {why}. Restore it from a copy, or move it away.")


def _digest(content: Header) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        if path.suffix == ".json" and path.stat().st_size > MAX_JSON:
            raise damaged(path, "it is larger than any file we write")
        return path.read_bytes()
    except OSError as error:
        raise damaged(path, f"it cannot be read ({error.strerror or error})") from error
