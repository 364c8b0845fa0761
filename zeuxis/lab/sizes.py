"""A bound on the networks that a recipe asks for: it may come from a stranger, and a few digits ask for terabytes."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook as on_parameter
from torch.overrides import TorchFunctionMode

from zeuxis.errors import BadInput

LARGEST = 4 * 2**30  # bytes of the weights of all networks of a training
COPIES = 5  # weights, gradients, two moments of Adam, the moving average
_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full)


def most_bytes(device: torch.device) -> int:
    """What the weights of all networks may take: a fifth of the memory, `LARGEST` at most."""
    if device.type == "cuda":
        memory = int(torch.cuda.get_device_properties(device).total_memory)
    else:
        try:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, OSError, ValueError):  # Windows
            memory = COPIES * LARGEST
    return min(LARGEST, memory // COPIES)


@contextlib.contextmanager
def bounded_networks(device: torch.device) -> Iterator[None]:
    """BadInput where networks that are built meanwhile are larger than `most_bytes`, or a single tensor is.

    A tensor is refused before it is made; a network at the first layer that is too much, before its weights are drawn.
    """
    most, total = most_bytes(device), 0

    def count(module: nn.Module, name: str, value: nn.Parameter | None) -> None:
        nonlocal total
        if value is not None and value.device.type != "meta":
            total += value.numel() * value.element_size()
        if total > most:
            raise _too_large(total, most)

    hook = on_parameter(count)
    try:
        with _Makers(most):
            yield
    finally:
        hook.remove()


class _Makers(TorchFunctionMode):
    """Looks at the sizes of new tensors before they are made."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS and str(kwargs.get("device")) != "meta":
            size = _numbers(kwargs.get("size", args[0] if args and isinstance(args[0], tuple | list) else args))
            kind = kwargs.get("dtype") or torch.get_default_dtype()
            if (wanted := math.prod(size) * kind.itemsize) > self.most:
                raise _too_large(wanted, self.most)
        return func(*args, **kwargs)


def _numbers(size: Any) -> list[int]:
    return [int(n) for n in size if isinstance(n, int | Tensor)] if isinstance(size, tuple | list) else []


def _too_large(wanted: int, most: int) -> BadInput:
    return BadInput(
        f"The networks of this recipe need {wanted / 2**30:.1f} GiB for their weights or more, and {most / 2**30:.1f} "
        "GiB are allowed here. Make them smaller (width, widths, layers, classes)."
    )
