"""A module of a network pickle, looked at through its stored attributes: children, tensors and numbers, all checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.pickles import Inert

DEEPEST = 16
MOST_MODULES = 20_000  # StyleGAN-XL at 1024 px has under 400


class Module:
    """An inert module and where it stands in its network; WeightsRefused, with that place, for what is not there."""

    def __init__(self, node: Inert, file: Path, place: str) -> None:
        self.node, self.file, self.place, self.name = node, file, place, node.name
        self.state: dict[Any, Any] = node.state if isinstance(node.state, dict) else {}

    def refuse(self, reason: str) -> NoReturn:
        """WeightsRefused with this module's place."""
        raise WeightsRefused(self.file, reason, self.place)

    def children(self) -> dict[str, Inert]:
        """Modules inside, by name."""
        return {str(k): v for k, v in self._group("_modules").items() if isinstance(v, Inert)}

    def child(self, name: str) -> Module:
        """The module inside of that (dotted) name."""
        head, _, rest = name.partition(".")
        node = self.children().get(head)
        if node is None:
            self.refuse(f"has no part {head!r}; expected a {self.name} as published")
        found = Module(node, self.file, f"{self.place}.{head}")
        return found.child(rest) if rest else found

    def has(self, name: str) -> bool:
        """Whether there is a module of that (dotted) name."""
        head, _, rest = name.partition(".")
        node = self.children().get(head)
        return node is not None and (not rest or Module(node, self.file, self.place).has(rest))

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute as stored."""
        return self.state.get(name, default)

    def integer(self, name: str) -> int:
        """An attribute that is a whole number."""
        value = self.state.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(f"expected a whole number for {name}, got {type(value).__name__}")
        return value

    def number(self, name: str, *otherwise: None) -> float | None:
        """An attribute that is a finite number; `number(name, None)` allows None as well."""
        value = self.state.get(name)
        if value is None and otherwise:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self.refuse(f"expected a number for {name}, got {type(value).__name__}")
        return value

    def tensor(self, name: str) -> Tensor:
        """A parameter or buffer."""
        value = {**self._group("_parameters"), **self._group("_buffers")}.get(name)
        if not isinstance(value, Tensor):
            raise WeightsRefused(self.file, "is missing", f"{self.place}.{name}")
        return value

    def tensors(self) -> dict[str, Tensor]:
        """Every parameter and lasting buffer below, by its dotted name, as contiguous copies; floats are float32."""
        found: dict[str, Tensor] = {}
        self._collect("", (), found, iter(range(MOST_MODULES)))
        return found

    def _collect(self, prefix: str, above: tuple[Inert, ...], found: dict[str, Tensor], left: Iterator[int]) -> None:
        if len(above) > DEEPEST or next(left, None) is None:
            self.refuse(f"holds modules more than {DEEPEST} deep, or more than {MOST_MODULES:,} of them")
        if self.node in above:  # compared as objects
            self.refuse("holds a module that is inside itself")
        passing = self.state.get("_non_persistent_buffers_set")
        passing = passing if isinstance(passing, set) else set()
        for name, value in {**self._group("_parameters"), **self._group("_buffers")}.items():
            if isinstance(value, Tensor) and name not in passing:
                value = value.detach()
                found[f"{prefix}{name}"] = (value.float() if value.is_floating_point() else value).contiguous()
        for name, node in self.children().items():
            child = Module(node, self.file, f"{self.place}.{name}"[:300])
            child._collect(f"{prefix}{name}.", (*above, self.node), found, left)

    def _group(self, name: str) -> dict[Any, Any]:
        group = self.state.get(name)
        return group if isinstance(group, dict) else {}


def base_of(const: Tensor, file: Path) -> dict[str, list[int]]:
    """The fact that says that a StyleGAN2's constant (C, h, w) is no square of 4 pixels; {} for one that is.

    So forks draw rectangles: every layer is that shape, doubled. WeightsRefused for what is no constant.
    """
    if const.ndim != 3:
        raise WeightsRefused(file, f"has a constant of shape {tuple(const.shape)}, expected (channels, rows, columns)")
    shape = list(const.shape[1:])
    return {} if shape == [4, 4] else {"base": shape}


def shape_of(
    tensors: Mapping[str, Tensor], name: str, dims: int, file: Path, expected: str, *, square: bool = False
) -> tuple[int, ...]:
    """The shape of a tensor of a state dictionary; WeightsRefused unless it is there with so many dimensions, none
    empty, and with `square` a kernel as high as wide. `expected` is what the file should hold.
    """
    if name not in tensors:
        raise WeightsRefused(file, f"is missing; expected {expected}", name)
    shape = tuple(tensors[name].shape)
    if len(shape) != dims or 0 in shape or (square and dims == 4 and shape[2] != shape[3]):
        what = f"{dims} dimensions{' and a square kernel' if square else ''}"
        raise WeightsRefused(file, f"has shape {shape}, expected {what}", name)
    return shape


def rate_of(linear: Module) -> float:
    """The learning-rate multiplier that a linear layer was made with: its gain on biases."""
    rate = linear.number("bias_gain")
    gain = linear.number("weight_gain")
    assert rate is not None and gain is not None
    if not math.isclose(gain, rate / math.sqrt(linear.tensor("weight").shape[1]), rel_tol=1e-5):
        linear.refuse(f"has gain {gain:g} on its weights, which does not fit gain {rate:g} on its biases")
    return float(rate)


def class_labels(config: Mapping[str, Any], classes: int) -> list[str]:
    """The names in config.json, when they are names and as many as there are classes; [] otherwise."""
    table = config.get("id2label")
    named = [table.get(str(i)) for i in range(classes)] if isinstance(table, dict) else config.get("label_names")
    if not isinstance(named, list) or len(named) != classes:
        return []
    real = [str(n) for n in named if isinstance(n, str) and n.isprintable() and 0 < len(n) <= 200]
    return [] if len(real) != classes or real[0].startswith("LABEL_") else real
