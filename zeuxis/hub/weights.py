"""Weight files of this project: safetensors whose JSON header names the architecture; read strictly.

Missing, unexpected, mis-shaped and NaN tensors are refused with the tensor's name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from zeuxis.errors import MissingModel, WeightsRefused

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Net = TypeVar("Net", bound=nn.Module)


def save_weights(net: nn.Module, path: Path, facts: dict[str, Any], dtype: torch.dtype = torch.float16) -> Path:
    """Write `net` to `path` with `facts` as its header; floating tensors in `dtype`. Atomic."""
    tensors = {name: value for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    return write_tensors(tensors, path, facts, dtype)


def write_tensors(tensors: Mapping[str, Tensor], path: Path, facts: dict[str, Any], dtype: torch.dtype) -> Path:
    """Write named tensors to `path` with `facts` as the header; floating ones in `dtype`, all finite. Atomic."""
    cast = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous().clone()
        for name, value in tensors.items()
    }
    for name, value in cast.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsRefused(path, f"is not finite in {dtype}; nothing was written", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(cast, part, {"facts": json.dumps(facts, ensure_ascii=False)})
    part.chmod(0o644)  # safetensors writes for the owner only
    part.replace(path)
    return path


def read_facts(path: Path, *needed: str) -> dict[str, Any]:
    """The header of a weight file. WeightsRefused when it lacks one of the `needed` names."""
    facts = _open(path, None)[0]
    missing = [name for name in needed if name not in facts]
    if missing:
        raise WeightsRefused(path, f"says nothing about {', '.join(missing)}. It is the file of another network")
    return facts


def load_weights(net: Net, path: Path, prefix: str = "") -> Net:
    """Fill `net` from the tensors of `path` under `prefix` (floating ones become float32) and put it in eval mode."""
    return fill(net, _open(path, prefix)[1], path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a weight file by name."""
    return _open(path, "")[1]


def fill(net: Net, tensors: Mapping[str, Tensor], path: Path) -> Net:
    """Fill `net` from named tensors, strictly; `path` is what errors name. Floating tensors become float32."""
    fit(net, tensors, path)
    floats = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    net.load_state_dict(floats, strict=False)  # `fit` was strict, but for the counters of batch norm
    return net.eval()


def fit(net: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """WeightsRefused when a tensor is missing, not expected, mis-shaped, of another kind, or not finite."""
    wanted = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    problems = [(name, "is missing") for name in wanted if name not in tensors]
    problems += [(name, "is not expected") for name in tensors if name not in wanted]
    for name in sorted(wanted.keys() & tensors.keys()):
        value, place = tensors[name], wanted[name]
        if value.shape != place.shape:
            problems.append((name, f"has shape {tuple(value.shape)}, expected {tuple(place.shape)}"))
        elif not _same_kind(value.dtype, place.dtype):
            problems.append((name, f"is {value.dtype}, expected {place.dtype}"))
        elif value.is_floating_point() and not bool(torch.isfinite(value.float()).all()):
            problems.append((name, "holds NaN or infinity"))
    if problems:
        (name, reason), *others = problems
        more = f"; and {len(others)} more, such as {others[0][0]}, which {others[0][1]}" if others else ""
        raise WeightsRefused(path, f"{reason}; this file does not fit {type(net).__name__}{more}", name)


def _same_kind(found: torch.dtype, wanted: torch.dtype) -> bool:
    return found in FLOATS if wanted.is_floating_point else found == wanted


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    _there(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _there(path: Path) -> None:
    if not path.is_file():
        raise MissingModel(
            f"Expected a weight file at {path}, found none. Reinstall zeuxis, or train it: zeuxis list recipes"
        )


def _open(path: Path, prefix: str | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors under `prefix`, which is taken off their names; None reads no tensor."""
    _there(path)
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            if not isinstance(facts, dict):
                raise ValueError(f"its facts are a {type(facts).__name__}, expected a dictionary")
            names = [name for name in file.keys() if prefix is not None and name.startswith(prefix)]  # noqa: SIM118
            return facts, {name.removeprefix(prefix or ""): file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise WeightsRefused(path, f"cannot be read as safetensors: {error}. Fetch or install it again") from error


def count_values(path: Path, prefix: str = "") -> int:
    """How many numbers the tensors of a weight file under `prefix` hold."""
    return sum(value.numel() for value in _open(path, prefix)[1].values())
