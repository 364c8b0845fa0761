"""What a task is: the part of training that differs between architectures. The loop is `zeuxis.lab.train`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput


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
        """The recipe's options over the task's defaults; unknown names are refused."""
        unknown = set(self.config.options) - set(known)
        if unknown:
            raise BadInput(
                f"Unknown option {', '.join(sorted(unknown))} of task {self.config.task}. Known: {', '.join(known)}."
            )
        options = known | self.config.options
        if "name" in options:
            plain_name(options["name"])
        return options


def plain_name(name: Any) -> str:
    """`name` if it can be the name of a file in a folder of ours, on any system; BadInput for anything else."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise BadInput(
            f"Expected a plain name for a file (letters, digits, '-', '_', '.'; 64 at most), got {str(name)[:60]!r}."
        )
    return name


class Task(Protocol):
    """Networks, optimisers and one training step.

    `averaged` names the networks whose moving average is evaluated and exported.
    """

    nets: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    averaged: tuple[str, ...]

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
        group["lr"] = group["base_lr"] * factor


def groups(*pairs: tuple[list[nn.Parameter], float, float]) -> list[dict[str, Any]]:
    """Parameter groups from (parameters, learning rate, weight decay)."""
    return [{"params": p, "lr": lr, "base_lr": lr, "weight_decay": decay} for p, lr, decay in pairs if p]
