"""A configuration as the command line that gives it, so that every report says how it is made again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from zeuxis.config import RunConfig, flag


def generate_command(config: RunConfig) -> str:
    """`zeuxis generate ...` for this very configuration; only what differs from the defaults is written out."""
    words = ["zeuxis", "generate"]
    for name, field in RunConfig.model_fields.items():
        value = getattr(config, name)
        if name != "prompt" and (name == "seed" or value != field.get_default(call_default_factory=True)):
            words += _option(name, value)
    if any(phrase.startswith("-") for phrase in config.prompt):
        words.append("--")  # what follows is no flag
    return shlex.join([*words, *config.prompt])


def folder_command(command: str, path: Path, *rest: str) -> str:
    """`zeuxis COMMAND PATH ...`, quoted where the shell needs it."""
    return shlex.join(["zeuxis", command, str(path), *rest])


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag(name) if value else flag(name).replace("--", "--no-", 1)]
    if isinstance(value, dict):
        return [word for key, v in value.items() for word in _pair(flag(name), f"{key}={v}")]
    if isinstance(value, tuple):
        return [word for v in value for word in _pair(flag(name), v)]
    return _pair(flag(name), "none" if value is None else str(value))


def _pair(name: str, value: str) -> list[str]:
    return [f"{name}={value}"] if value.startswith("-") else [name, value]
