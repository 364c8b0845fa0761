"""What a task is: the part of training that differs between architectures. The loop is `zeuxis.lab.train`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput
from zeuxis.registry import unknown


@dataclass(frozen=True)
class Lab:
    """What the loop hands to a task: the recipe, where the data lie, where to compute and in which type."""

    config: TrainConfig
    data: Path
    device: torch.device
    dtype: torch.dtype
    weights: Path | None = None  # a folder with networks trained before (the trunk for the GAN, ...)

    def autocast(self) -> torch.autocast:
        """Mixed precision as the recipe asks."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def options(self, known: dict[str, Any]) -> dict[str, Any]:
        """The recipe's options over the task's defaults. UnknownName; BadInput for another kind of value, or range."""
        for name, value in self.config.options.items():
            if name not in known:
                raise unknown(f"option of task {self.config.task}", name, list(known))
            _check_value(name, value, known[name])
        options = known | self.config.options
        if "name" in options:
            plain_name(options["name"])
        return options


LARGEST_WHOLE = 2**20  # of an option that is a whole number
SIZES = ("width", "layers", "heads", "joint", "hidden", "size", "held_out")  # at least 1
SHARES = ("label_smoothing", "mixup", "imagined", "same_class", "alike", "peak", "end")  # from 0 to 1


def _check_value(name: str, value: Any, default: Any) -> None:
    """BadInput unless `value` is of the kind of `default` and in the range of its name. No option is below 0."""
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
    kind = "text" if isinstance(default, str) else "true or false" if isinstance(default, bool) else ""
    if isinstance(default, list | dict):
        what = "a list" if isinstance(default, list) else "a table"
        kind = f"{what} of numbers of at least 0"
        right = isinstance(value, type(default)) and all(_number(item) for item in items)
        if right and name == "widths":
            kind, right = "a list of whole numbers from 1 on", all(type(item) is int and item > 0 for item in items)
    elif kind:
        right = isinstance(value, type(default))
    else:
        whole = type(default) is int
        low, high = (1 if name in SIZES else 0), (LARGEST_WHOLE if whole else 1 if name in SHARES else math.inf)
        kind = f"a {'whole ' * whole}number {f'from {low} to {high}' if high < math.inf else f'of at least {low}'}"
        right = _number(value) and (not whole or type(value) is int) and low <= value <= high
    if not right:
        raise BadInput(f"Expected {kind} as the option {name}, got {str(value)[:60]!r}. Correct the recipe.")


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def plain_name(name: Any) -> str:
    """`name` if it can be the name of a file in a folder of ours, on any system; BadInput for anything else."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise BadInput(
            f"Expected a plain name for a file (letters, digits, '-', '_', '.'; 64 at most), got {str(name)[:60]!r}."
        )
    return name


class Task(Protocol):
    """Networks, optimisers and one training step.

    `averaged` names the networks whose moving average is evaluated and exported. Further members, all optional: `train`
    and `test`, the image sets, `notes`, sentences to say at the start, `images_per_step`, `columns` of the sample
    grid, `state` and `load_state` for what the checkpoint keeps beside networks and optimisers.
    """

    nets: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    averaged: tuple[str, ...]
    origin: dict[str, Any]  # what it was begun with: see zeuxis.lab.origin

    def step(self, step: int, progress: float) -> dict[str, float]:
        """One optimiser step; `progress` in [0, 1) drives schedules. Returns the losses by name."""
        ...

    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """Held-out figures of the (averaged) networks."""
        ...

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """A grid's worth of images (N, 3, H, W) in [0, 1], always from the same latents; None if it draws nothing."""
        ...

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """Write the trained weights as safetensors (fp16) with a JSON header each."""
        ...


def triangular(progress: float, peak: float = 0.25, start: float = 0.2, end: float = 0.02) -> float:
    """Learning-rate factor: linear up to 1 at `peak`, linear down to `end`."""
    if progress < peak:
        return start + (1 - start) * progress / peak
    return 1 + (end - 1) * (progress - peak) / (1 - peak)


def descend(optimizer: Optimizer, loss: Tensor) -> None:
    """One step down the gradient of `loss`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def set_rate(optimizer: Optimizer, factor: float) -> None:
    """Scale every group's own base rate ("base_lr")."""
    for group in optimizer.param_groups:
        rate = group["base_lr"] * factor
        if isinstance(group["lr"], Tensor):  # a captured step reads it where it lies
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def groups(*pairs: tuple[list[nn.Parameter], float, float]) -> list[dict[str, Any]]:
    """Parameter groups from (parameters, learning rate, weight decay)."""
    return [{"params": p, "lr": lr, "base_lr": lr, "weight_decay": decay} for p, lr, decay in pairs if p]
