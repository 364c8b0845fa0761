"""Weight files of this project: fp16 safetensors whose JSON header names the architecture; read strictly.

Missing, unexpected, mis-shaped and NaN tensors are refused with the tensor's name.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from zeuxis.errors import MissingModel, WeightsDamaged

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def save_weights(net: nn.Module, path: Path, facts: dict[str, Any], dtype: torch.dtype = torch.float16) -> Path:
    """Write `net` to `path` with `facts` as its header; floating tensors in `dtype`. Atomic."""
    tensors = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous().clone()
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsDamaged(f"{name} is not finite in {dtype}; the network was not written to {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(tensors, part, {"facts": json.dumps(facts, ensure_ascii=False)})
    part.chmod(0o644)  # safetensors writes for the owner only
    part.replace(path)
    return path


def read_facts(path: Path, *needed: str) -> dict[str, Any]:
    """The header of a weight file. WeightsDamaged when it lacks one of the `needed` names."""
    facts = _open(path)[0]
    missing = [name for name in needed if name not in facts]
    if missing:
        raise WeightsDamaged(f"{path.name} says nothing about {', '.join(missing)}. It is the file of another network.")
    return facts


def load_weights(net: nn.Module, path: Path) -> nn.Module:
    """Fill `net` from `path` (floating tensors become float32) and put it in eval mode."""
    _, tensors = _open(path)
    wanted = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    problems = [f"it lacks {name}" for name in wanted if name not in tensors]
    problems += [f"it has {name}, which the network does not" for name in tensors if name not in wanted]
    for name in sorted(wanted.keys() & tensors.keys()):
        value, place = tensors[name], wanted[name]
        if value.shape != place.shape:
            problems.append(f"{name} is {tuple(value.shape)}, expected {tuple(place.shape)}")
        elif not _same_kind(value.dtype, place.dtype):
            problems.append(f"{name} is {value.dtype}, expected {place.dtype}")
        elif value.is_floating_point() and not bool(torch.isfinite(value.float()).all()):
            problems.append(f"{name} holds NaN or infinity")
    if problems:
        raise WeightsDamaged(f"{path.name} does not fit {type(net).__name__}: {'; '.join(problems[:4])}.")
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, strict=False)
    return net.eval()


def _same_kind(found: torch.dtype, wanted: torch.dtype) -> bool:
    return found in FLOATS if wanted.is_floating_point else found == wanted


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    if not path.is_file():
        raise MissingModel(
            f"Expected a weight file at {path}, found none. Reinstall zeuxis, or train it: zeuxis list recipes"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _open(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise MissingModel(
            f"Expected a weight file at {path}, found none. Reinstall zeuxis, or train it: zeuxis list recipes"
        )
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            if not isinstance(facts, dict):
                raise ValueError(f"its facts are a {type(facts).__name__}, expected a dictionary")
            return facts, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise WeightsDamaged(
            f"{path.name} cannot be read as safetensors: {error}. Fetch or install it again."
        ) from error
