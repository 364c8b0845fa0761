"""The generator that the tools' options name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def open_generator(
    name: str, truncation: float | None, space: str | None, classes: Sequence[str] | None, device: str
) -> tuple[Any, dict[str, Any]]:
    """The generator on its device, and the options that it was made with."""
    from zeuxis.compute.device import choose_device
    from zeuxis.generators.choose import make_generator

    given = {"truncation": truncation, "space": space, "classes": tuple(classes or ())}
    options = {key: value for key, value in given.items() if value not in (None, ())}
    return make_generator(name, choose_device(device), **options), options
