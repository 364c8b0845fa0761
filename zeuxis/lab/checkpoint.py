"""Training checkpoints: networks, optimisers and averages as one flat safetensors file. No pickle.

Random state is not stored: every step derives its numbers from (seed, step), so a resumed run goes on as if unbroken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from zeuxis.errors import RunDamaged
from zeuxis.lab.ema import Average
from zeuxis.lab.tasks.base import Task


def save(task: Task, averages: dict[str, Average], progress: dict[str, int], folder: Path) -> None:
    """Write `checkpoint.safetensors`; the file before it stays as `checkpoint.previous.safetensors`."""
    tensors: dict[str, Tensor] = {}
    for name, net in task.nets.items():
        tensors |= {f"net/{name}/{key}": value for key, value in net.state_dict().items()}
    for name, average in averages.items():
        tensors |= {f"average/{name}/{key}": value for key, value in average.net.state_dict().items()}
    for name, optimizer in task.optimizers.items():
        tensors |= {f"optimizer/{name}/{key}": value for key, value in _flat(optimizer).items()}
    header: dict[str, Any] = progress | {f"average_steps/{name}": average.steps for name, average in averages.items()}
    if hasattr(task, "state"):  # of parts that are no networks: the best distance so far, an equilibrium, ...
        header["state"] = task.state()
    newest, fresh = folder / "checkpoint.safetensors", folder / "checkpoint.part"
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, fresh, {"progress": json.dumps(header)})
    with fresh.open("rb") as handle:
        os.fsync(handle.fileno())
    if newest.exists():
        newest.replace(folder / "checkpoint.previous.safetensors")
    fresh.replace(newest)


def load(
    task: Task, averages: dict[str, Average], folder: Path, say: Callable[[str], None] = lambda text: None
) -> dict[str, int]:
    """Restore the newest good checkpoint into `task` and `averages`; {} when there is none. `say` hears of damage."""
    damaged = []
    for name in ("checkpoint.safetensors", "checkpoint.previous.safetensors"):
        path = folder / name
        if not path.exists():
            continue
        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {})["progress"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            progress = {key: int(value) for key, value in header.items() if key != "state"}
            if min(progress.values(), default=0) < 0:
                raise ValueError("counts below 0")
            _restore(task, averages, tensors, header)
        except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            damaged.append(f"{name}: {str(error)[:200]}")
            continue
        if damaged:
            say(f"{damaged[0].partition(':')[0]} is damaged; going on from {name}, the one before it.")
        return progress
    if damaged:
        raise RunDamaged(
            f"No checkpoint in {folder} can be read ({'; '.join(damaged)}). Start afresh in another folder."
        )
    return {}


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
