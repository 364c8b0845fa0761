"""Tensors into networks, strictly: missing, unexpected, mis-shaped and NaN ones are refused with the tensor's name."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from zeuxis.errors import WeightsRefused

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Net = TypeVar("Net", bound=nn.Module)


def fill(net: Net, tensors: Mapping[str, Tensor], path: Path) -> Net:
    """Fill `net` from named tensors, strictly; `path` is what errors name. Floating tensors become float32."""
    fit(net, tensors, path)
    return pour(net, tensors)


def pour(net: Net, tensors: Mapping[str, Tensor]) -> Net:
    """Fill `net` from named tensors that are known to `fit`, and put it in eval mode."""
    floats = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    net.load_state_dict(floats, strict=False)  # `fit` was strict, but for the counters of batch norm
    return net.eval()


def fit(net: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """WeightsRefused when a tensor is missing, not expected, mis-shaped, of another kind, or not finite.

    Tensors on the meta device have a shape and no values, so only that is compared.
    """
    wanted = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    problems = [(name, "is missing") for name in wanted if name not in tensors]
    problems += [(name, "is not expected") for name in tensors if name not in wanted]
    for name in sorted(wanted.keys() & tensors.keys()):
        value, place = tensors[name], wanted[name]
        if value.shape != place.shape:
            problems.append((name, f"has shape {tuple(value.shape)}, expected {tuple(place.shape)}"))
        elif not _same_kind(value.dtype, place.dtype):
            problems.append((name, f"is {value.dtype}, expected {place.dtype}"))
        elif value.is_floating_point() and not value.is_meta and not bool(torch.isfinite(value.float()).all()):
            problems.append((name, "holds NaN or infinity"))
    if problems:
        (name, reason), *others = problems
        more = f"; and {len(others)} more, such as {others[0][0]}, which {others[0][1]}" if others else ""
        raise WeightsRefused(path, f"{reason}; this file does not fit {type(net).__name__}{more}", name)


@contextlib.contextmanager
def no_more_parts_than(tensors: int) -> Iterator[None]:
    """Within it, a constructor that makes far more modules or weights than `tensors` can fill ends in a ValueError.

    A network of a million layers costs gigabytes and minutes, even without memory for its weights.
    """
    left, mine = 8 * tensors + 500, threading.get_ident()

    def count(*_: object) -> None:
        nonlocal left
        left -= threading.get_ident() == mine  # other threads may be building networks of their own
        if left < 0:
            raise ValueError(f"it has far more layers than its {tensors:,} tensors fill")

    hooks = [register_module_module_registration_hook(count), register_module_parameter_registration_hook(count)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _same_kind(found: torch.dtype, wanted: torch.dtype) -> bool:
    return found in FLOATS if wanted.is_floating_point else found == wanted
