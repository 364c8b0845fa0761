"""Training checkpoints: networks, optimisers and averages as one flat safetensors file with a checksum. No pickle.

Random state is not stored: every step derives its numbers from (seed, step), so a resumed run goes on as if unbroken.
The header keeps the rest: how far it is, the sums since the last line of the log, what it was begun with.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.optim import Optimizer

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.lab.ema import Average
from zeuxis.lab.origin import check_same
from zeuxis.lab.tasks.base import Task, plain_name
from zeuxis.storage import files
from zeuxis.storage.checksummed import checksummed, table, verified_bytes
from zeuxis.storage.reading import LARGEST_BYTES, read_plain

NEWEST, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
BROKEN = (SafetensorError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, OSError,
          RunDamaged)  # fmt: skip  # what damage raises


@dataclass
class Progress:
    """How far a training is. `images` shown, `seconds` spent in steps; the `count` steps since the last line of the log
    took `spent` seconds and have `sums` of losses; `last` is the number of the last checkpoint that was evaluated.

    The rest says what else belongs to it: `lines` in the log (-1: not counted), the SHA-256 of each export by its name,
    the recipe's `recipe_key`, number type and threads. Checkpoints of older versions have none of that.
    """

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    count: int = 0
    spent: float = 0.0
    last: int = -1
    sums: dict[str, float] = field(default_factory=dict)
    lines: int = -1
    exports: dict[str, str] = field(default_factory=dict)
    recipe: str = ""
    machine: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, header: dict[str, Any]) -> Progress:
        """From a checkpoint's header; ValueError for numbers that cannot be."""
        kinds = {"step": int, "images": int, "seconds": float, "count": int, "spent": float, "last": int, "lines": int}
        found = cls(**{name: kind(header[name]) for name, kind in kinds.items() if name in header})
        found.sums = {str(name): float(value) for name, value in header.get("sums", {}).items()}
        found.exports = {_export(name): str(sha256) for name, sha256 in header.get("exports", {}).items()}
        found.recipe, found.machine = str(header.get("recipe", "")), dict(header.get("machine", {}))
        counts = found.step, found.images, found.count, found.last + 1, found.lines + 1
        if min(counts) < 0 or not math.isfinite(found.seconds):
            raise ValueError("counts below 0")
        return found


def save(task: Task, averages: dict[str, Average], progress: Progress, folder: Path) -> None:
    """Write `checkpoint.safetensors`; the file before it stays as `checkpoint.previous.safetensors`."""
    tensors: dict[str, Tensor] = {}
    for name, net in task.nets.items():
        tensors |= {f"net/{name}/{key}": value for key, value in net.state_dict().items()}
    for name, average in averages.items():
        tensors |= {f"average/{name}/{key}": value for key, value in average.net.state_dict().items()}
    for name, optimizer in task.optimizers.items():
        tensors |= {f"optimizer/{name}/{key}": value for key, value in _flat(optimizer).items()}
    header: dict[str, Any] = asdict(progress)
    header |= {f"average_steps/{name}": average.steps for name, average in averages.items()}
    header["origin"] = getattr(task, "origin", {})
    if hasattr(task, "state"):  # of parts that are no networks: the best distance so far, an equilibrium, ...
        header["state"] = task.state()
    data = checksummed(tensors, {"progress": json.dumps(header)})  # as text: its order says something
    path = folder / NEWEST
    if path.exists():
        try:
            files.calls.rename(path, folder / PREVIOUS)
        except OSError as error:
            raise files.unwritable(path, error) from error
    files.atomic_write(path, data)


def recipe_key(config: TrainConfig) -> str:
    """What the checkpoints of a recipe are told from those of another by; a training may be made longer."""
    kept = config.model_dump(mode="json", exclude={"images"}, exclude_defaults=True)  # a field of later makes no other
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def newest(folder: Path) -> Progress | None:
    """How far the newest checkpoint is that can be read; None where there is none."""
    for name in (NEWEST, PREVIOUS):
        try:
            return Progress.read(_read(folder / name)[1])
        except BROKEN:
            continue
    return None


def images_in(folder: Path) -> int | None:
    """The images of the newest checkpoint that can be read; None where there is none."""
    found = newest(folder)
    return None if found is None else found.images


def load(
    task: Task, averages: dict[str, Average], folder: Path, say: Callable[[str], None] = lambda text: None,
    recipe: str = "",
) -> Progress | None:  # fmt: skip
    """Restore the newest good checkpoint into `task` and `averages`; None when there is none. `say` hears of damage.

    One of another `recipe` (a `recipe_key`) counts as damage. BadInput if it was begun with other data or on other
    networks.
    """
    damaged = []
    for name in (NEWEST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            tensors, header = _read(path)
            progress, begun_with = Progress.read(header), dict(header.get("origin", {}))
            if recipe and progress.recipe not in ("", recipe):
                raise ValueError("it belongs to a training by another recipe")
        except BROKEN as error:
            damaged.append(f"{name}: {_line(error)}")
            continue
        check_same(begun_with, getattr(task, "origin", {}), folder)
        try:
            _restore(task, averages, tensors, header)
        except BROKEN as error:
            damaged.append(f"{name}: {_line(error)}")
            continue
        if damaged:
            say(f"{damaged[0].partition(':')[0]} is damaged; going on from {name}, the one before it.")
        elif name != NEWEST:
            say(f"{NEWEST} is missing; going on from {name}, the one before it.")
        return progress
    if damaged:
        raise RunDamaged(
            f"No checkpoint in {folder} can be read ({'; '.join(damaged)}). Start afresh in another folder."
        )
    return None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header. Damage raises one of `BROKEN`. Files of before the checksum are taken as they are."""
    data = read_plain(path, LARGEST_BYTES)  # no link, no pipe
    size = int.from_bytes(data[:8], "little")
    old = table(data[8 : 8 + size]).get("__metadata__", {}).get("progress")
    if old is None:
        tensors, told = verified_bytes(data, path)
        old = told["progress"]
    else:
        tensors = safetensors.torch.load(data)
    return tensors, table(old)


def _export(name: Any) -> str:
    try:
        return plain_name(name)
    except BadInput as error:
        raise ValueError(str(error)) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _restore(task: Task, averages: dict[str, Average], tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}

    for name, net in task.nets.items():
        net.load_state_dict(part(f"net/{name}/"))
    for name, average in averages.items():
        average.net.load_state_dict(part(f"average/{name}/"))
        average.steps = int(header[f"average_steps/{name}"])
    if hasattr(task, "load_state"):
        task.load_state(header.get("state", {}))
    for name, optimizer in task.optimizers.items():
        _unflatten(optimizer, part(f"optimizer/{name}/"))


def _flat(optimizer: Optimizer) -> dict[str, Tensor]:
    """{"3/exp_avg": tensor, ...}; hyper-parameters are not state, the recipe sets them at every step."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{key}": torch.as_tensor(value)
        for index, slots in state.items()
        for key, value in slots.items()
        if value is not None
    }


def _unflatten(optimizer: Optimizer, flat: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        index, _, slot = key.partition("/")
        state.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
