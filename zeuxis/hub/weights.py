"""Tensors into networks, strictly: missing, unexpected, mis-shaped and NaN ones are refused with the tensor's name."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from zeuxis.compute.device import NoFirstWeights, shapes_only
from zeuxis.errors import WeightsRefused

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Names = Sequence[tuple[str, str]]
Net = TypeVar("Net", bound=nn.Module)


def fill(net: Net, tensors: Mapping[str, Tensor], path: Path) -> Net:
    """Fill `net` from named tensors, strictly; `path` is what errors name. Floating tensors become float32."""
    fit(net, tensors, path)
    return pour(net, tensors)


def build_filled(
    make: Callable[[], Net], content: Any, path: Path, config: Path, passing: tuple[str, ...] = (), older: Names = ()
) -> Net:
    """The network that a library's `make` builds of the configuration in `config`, filled strictly: see `planned`."""
    return filled(make, planned(make, content, path, config, passing, older)[1], config)


def planned(
    make: Callable[[], Net], content: Any, path: Path, config: Path, passing: tuple[str, ...] = (), older: Names = ()
) -> tuple[Net, dict[str, Tensor]]:
    """What `make` builds, without memory (on the meta device), and the tensors of the file `path` that fill it.

    So a forged size in `config` costs nothing. Tensors whose names end in one of `passing` are left out, and those of
    `older` names (patterns, and what stands in their place in the library's newer versions) get their newer ones.
    WeightsRefused for what describes no network, or does not fill it.
    """
    if not isinstance(content, Mapping):
        raise WeightsRefused(path, f"holds a {type(content).__name__}, expected tensors by their names")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise WeightsRefused(path, f"is a {type(value).__name__}, expected a tensor", str(name)[:80])
    tensors = {str(name): value for name, value in content.items() if not str(name).endswith(passing)}
    with shapes_only(), no_more_parts_than(len(tensors)):
        plan = _made(make, config)
    tensors = _with_newer_names(tensors, plan.state_dict(), older)
    fit(plan, tensors, path)
    return plan, tensors


def filled(make: Callable[[], Net], tensors: Mapping[str, Tensor], config: Path) -> Net:
    """The network that `make` builds, filled from tensors that were `planned` for it, in eval mode."""
    with NoFirstWeights():  # there is a tensor for every weight
        net = _made(make, config)
    return pour(net, tensors)


def _made(make: Callable[[], Net], config: Path) -> Net:
    try:
        return make()
    except Exception as error:  # a forged configuration may fail anywhere in a library
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise WeightsRefused(config, f"describes no network: {said}") from error


def _with_newer_names(tensors: dict[str, Tensor], wanted: Mapping[str, Any], older: Names) -> dict[str, Tensor]:
    """Those that nobody wants as they are called, under the names that the library's newer versions have for them."""
    named: dict[str, Tensor] = {}
    for name, value in tensors.items():
        newer = name
        for pattern, place in older if name not in wanted else ():
            newer = re.sub(pattern, place, newer)
        named[newer if newer in wanted and newer not in tensors else name] = value
    return named


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
