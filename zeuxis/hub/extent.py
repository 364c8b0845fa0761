"""How large what a pickle holds becomes once each of its names is followed: few bytes can name one thing many times."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.arrays import Array
from zeuxis.hub.pickle_names import Inert

MOST_AGAIN = 300_000  # containers that are met once more under another name


def inside(value: Any) -> Iterable[Any]:
    """What a container holds; nothing for anything else."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    return (value.args, value.state, value.items) if isinstance(value, Inert) else ()


def check_extent(content: Any, size: int, path: Path) -> None:
    """WeightsRefused for what a reader that follows every name would meet for ever, or copy to far more than `size`.

    `size` is that of the file in bytes. A container inside itself counts once here: who follows names must stop.
    """
    held: dict[int, tuple[int, int]] = {}  # containers and bytes below, by container
    waiting: list[tuple[Any, bool]] = [(content, False)]
    while waiting:
        value, ready = waiting.pop()
        if not ready:
            if id(value) in held:
                continue
            held[id(value)] = (1, 0)
            waiting.append((value, True))
            waiting += [(part, False) for part in inside(value) if _holds(part) and id(part) not in held]
            continue
        containers, total = 1, 0
        for part in inside(value):
            if _holds(part):
                more, room = held[id(part)]
                containers, total = containers + more, total + room
            else:
                total += _bytes(part)
        held[id(value)] = containers, total
    containers, total = held.get(id(content), (1, 0))
    if containers > len(held) + MOST_AGAIN:
        raise WeightsRefused(path, f"names the same things again and again: {_number(containers)} in {len(held):,}")
    if total > 3 * size + 2**24:
        raise WeightsRefused(path, f"names the same numbers again and again: {_number(total)} bytes in {size:,}")


def has_complex(content: Any) -> bool:
    """Whether a tensor of complex numbers is in it: as float32 it would lose half of itself without a word."""
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor) and value.is_complex():
            return True
        if _holds(value) and id(value) not in seen:
            seen.add(id(value))
            waiting += inside(value)
    return False


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list | tuple | set | frozenset | Inert)


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return value.value.nbytes if isinstance(value, Array) else 0


def _number(count: int) -> str:
    return f"{count:,}" if count < 10**15 else "more than 10^15"
