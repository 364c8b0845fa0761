"""The one weight file of this project: safetensors with a JSON header that names the networks and how to build them.

{"format": 1, "family": "stylegan2", "parts": {"generator": {facts}, ...}, "about": {...}, "source": {...},
 "licence": "...", "tensors_sha256": {"generator": "...", ...},
 "header_sha256": "..."}                                                 tensors "generator.synthesis.b4.const", ...

`facts` are the keyword arguments of NETWORKS["family/part"]; `about` holds what users may want to know (names of
classes, a vocabulary) and no network needs. The training lab, `zeuxis convert` and the package's own models write it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from zeuxis.compute.device import NoFirstWeights, shapes_only
from zeuxis.errors import MissingModel, RunUnwritable, UnknownName, WeightsRefused
from zeuxis.hub.cache import cache_folder, file_sha256
from zeuxis.hub.header import CHECKSUM, COUNTER, Model, check_facts, header_checksum, parse
from zeuxis.hub.weights import fit, no_more_parts_than, pour
from zeuxis.nets import NETWORKS
from zeuxis.storage.files import sync

__all__ = ["Model", "Part", "build", "build_from", "check_model", "checksum", "count_values", "file_sha256", "is_model",
           "read_model", "tensors_of", "write_model"]  # fmt: skip

FORMAT = 1
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "BOOL": torch.bool,
          "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One network: the keyword arguments that build it (JSON-able) and the tensors that fill it."""

    facts: dict[str, Any]
    tensors: Mapping[str, Tensor]


def write_model(
    path: Path,
    family: str,
    parts: Mapping[str, Part],
    *,
    about: Mapping[str, Any] | None = None,
    source: Mapping[str, Any] | None = None,
    licence: str = "",
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write the networks of one family to `path` and return it: the whole file, on disk, or the file before it.

    Floating tensors are stored in `dtype`, others as they are; counters of batch norms are left out. WeightsRefused
    for a tensor that is not finite in `dtype`, and for a header that could not be read back; RunUnwritable when the
    disk does not take the file.
    """
    cast = {f"{name}.{key}": value for name, part in parts.items() for key, value in _cast(part, dtype, path).items()}
    header: dict[str, Any] = {"format": FORMAT, "family": family}
    header["parts"] = {name: dict(part.facts) for name, part in parts.items()}
    header |= {"about": dict(about or {}), "source": dict(source or {}), "licence": licence}
    header["tensors_sha256"] = {name: checksum(_under(cast, name)) for name in parts}
    try:
        text = json.dumps(header | {CHECKSUM: header_checksum(header)}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WeightsRefused(path, f"its header is no JSON: {error}; nothing was written") from error
    parse(text, path, list(cast))
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(cast, fresh, {"facts": text})
        fresh.chmod(0o644)  # safetensors writes for the owner only
        sync(fresh)
        fresh.replace(path)
        sync(path.parent)
    except BaseException as error:  # a full disk, or Ctrl-C
        with contextlib.suppress(OSError):
            fresh.unlink()
        if isinstance(error, OSError | SafetensorError):
            raise RunUnwritable(f"Cannot write {path}: {error}. Make room, or give another place.") from error
        raise
    return path


def _sweep(path: Path) -> None:
    """Removes what processes that were killed while they wrote `path` left beside it."""
    for old in path.parent.iterdir() if os.name == "posix" else ():
        pid = old.name.removeprefix(f".{path.name}.").removesuffix(".part")
        if pid.isdigit() and old.name == f".{path.name}.{pid}.part":
            with contextlib.suppress(OSError, OverflowError):
                try:
                    os.kill(int(pid), 0)
                except ProcessLookupError:
                    old.unlink()


def read_model(path: Path) -> Model:
    """The header of a model file; no tensor is read. MissingModel, or WeightsRefused for any other file."""
    with _opened(path) as file:
        return parse((file.metadata() or {}).get("facts", ""), path, list(file.keys()))


def is_model(path: Path) -> bool:
    """Whether `path` carries a header of this project. It may still be refused: `read_model` says why."""
    try:
        with _opened(path) as file:
            return "facts" in (file.metadata() or {})
    except (WeightsRefused, MissingModel):
        return False


def tensors_of(path: Path, part: str, *, verify: bool = True) -> dict[str, Tensor]:
    """The tensors of one part by name, on the CPU and as they are stored.

    WeightsRefused when the part is not there, or its tensors are not those that were written; files of before the
    checksum, and any file with `verify` off, are taken as they are.
    """
    return _tensors(read_model(path), part, verify)


def _tensors(model: Model, part: str, verify: bool) -> dict[str, Tensor]:
    _check_part(model, part)
    path = model.path
    with _opened(path) as file:
        tensors = _under({name: file.get_tensor(name) for name in file.keys() if name.startswith(f"{part}.")}, part)  # noqa: SIM118
    wanted = model.tensors_sha256.get(part)
    if verify and wanted and checksum(tensors) != wanted:
        if path.parent == cache_folder() / "converted":
            with contextlib.suppress(OSError):
                path.unlink()
            raise WeightsRefused(model.known_as, "its conversion in the cache was damaged, and was removed. Give the "
                                                 "same command again: it is made anew")  # fmt: skip
        raise WeightsRefused(path, f"its {part} is damaged: the weights do not have the checksum that was written "
                                   "with them. Fetch, export or convert it again")  # fmt: skip
    return tensors


def build(path: Path, part: str = "generator", *, verify: bool = True) -> nn.Module:
    """One network of a model file, filled, in eval mode, in float32, without gradients to its weights.

    It is built without memory first, so that a forged size costs nothing. The global random state stays as it was.
    """
    return build_from(read_model(path), part, verify=verify)


def build_from(model: Model, part: str, *, verify: bool = True) -> nn.Module:
    """As `build`, where the header is at hand."""
    tensors = _tensors(model, part, verify)
    check_facts(model, part, sum(value.numel() for value in tensors.values()))
    with torch.random.fork_rng(devices=[]):
        _fit_without_memory(model, part, tensors)
        with NoFirstWeights():  # `fit` has seen a tensor for every one
            net = network(model.family, part, model.parts[part], model.path)
    return pour(net, tensors).requires_grad_(False)


def check_model(path: Path, part: str = "generator") -> Model:
    """The header of a model file whose `part` can be built: what `build` checks, without reading a single weight."""
    model = read_model(path)
    _check_part(model, part)
    shapes = _shapes(path, part)
    check_facts(model, part, sum(value.numel() for value in shapes.values()))
    with torch.random.fork_rng(devices=[]):
        _fit_without_memory(model, part, shapes)
    return model


def _fit_without_memory(model: Model, part: str, tensors: Mapping[str, Tensor]) -> None:
    with shapes_only(), no_more_parts_than(len(tensors)):
        fit(network(model.family, part, model.parts[part], model.path), tensors, model.path)


def network(family: str, part: str, facts: Mapping[str, Any], path: Path) -> nn.Module:
    """The network NETWORKS[family/part](**facts), not filled. WeightsRefused (naming `path`) when that cannot be."""
    try:
        net: nn.Module = NETWORKS[f"{family}/{part}"](**facts)
        return net
    except UnknownName as error:
        raise WeightsRefused(path, f"names the network {family}/{part}, which this version has not") from error
    except Exception as error:  # forged facts may make any step of a constructor fail
        said = str(error)[:200] or type(error).__name__
        raise WeightsRefused(path, f"describes a {family} {part} that cannot be built: {said}") from error


def count_values(path: Path, part: str) -> int:
    """How many numbers the tensors of one part hold. No tensor is read."""
    _check_part(read_model(path), part)
    return sum(value.numel() for value in _shapes(path, part).values())


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over name, type, shape and bytes of every tensor in the order of their names, hex."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {str(value.dtype).removeprefix('torch.')} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _cast(part: Part, dtype: torch.dtype, path: Path) -> dict[str, Tensor]:
    """The part's tensors as they are to be stored."""
    stored = {}
    for name, value in part.tensors.items():
        if name.endswith(COUNTER):
            continue
        kept = (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous().clone()
        if kept.is_floating_point() and not bool(torch.isfinite(kept).all()):
            raise WeightsRefused(path, f"is not finite in {dtype}; nothing was written", name)
        stored[name] = kept
    return stored


def _under(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Those of one part, its name taken off."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _shapes(path: Path, part: str) -> dict[str, Tensor]:
    """The part's tensors without their values, on the meta device."""
    with _opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys() if name.startswith(f"{part}.")}  # noqa: SIM118
        found = {name: torch.empty(s.get_shape(), dtype=_dtype(s), device="meta") for name, s in slices.items()}
    return _under(found, part)


def _dtype(piece: Any) -> torch.dtype:
    name = piece.get_dtype()
    if name not in DTYPES:
        raise ValueError(f"a tensor of the type {name}")
    return DTYPES[name]


def _check_part(model: Model, part: str) -> None:
    if part not in model.parts:
        raise WeightsRefused(model.path, f"holds {', '.join(model.parts)} of {model.family}, no {part}")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; whatever its parser meets is a WeightsRefused."""
    if not path.is_file():
        raise MissingModel(f"Expected a model file at {path}, found none. Check the path, or: zeuxis list recipes")
    try:
        try:
            opened = safe_open(path, "pt")
        except RuntimeError as error:  # it is larger than what can be mapped
            raise ValueError(str(error)) from error
        with opened as file:
            yield file
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsRefused(path, f"cannot be read as safetensors: {error}. Fetch or export it again") from error
