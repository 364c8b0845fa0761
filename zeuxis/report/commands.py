"""A configuration as the command line that gives it, so that every report says how it is made again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from zeuxis import plugins
from zeuxis.config import RunConfig, flag
from zeuxis.generators import GENERATORS
from zeuxis.prompts.series import escaped
from zeuxis.run.folder import RunFolder
from zeuxis.run.stopping import longer
from zeuxis.scorers import JUDGES, SCORERS
from zeuxis.search import SEARCHES

CODE = {"generator": GENERATORS, "scorer": SCORERS, "judge": JUDGES, "search": SEARCHES}  # fields that may name code


def generate_command(config: RunConfig) -> str:
    """`zeuxis generate ...` for this very configuration; only what differs from the defaults is written out."""
    words = ["zeuxis", "generate"]
    for name, field in RunConfig.model_fields.items():
        value = getattr(config, name)
        if name != "prompt" and (name == "seed" or value != field.get_default(call_default_factory=True)):
            words += _option(name, value)
    if any(phrase.startswith("-") for phrase in config.prompt):
        words.append("--")  # what follows is no flag
    return shlex.join([*words, *map(escaped, config.prompt)])


def folder_command(command: str, path: Path, *rest: str) -> str:
    """`zeuxis COMMAND PATH ...`, quoted where the shell needs it."""
    return shlex.join(["zeuxis", command, str(path), *rest])


def next_limits(folder: RunFolder) -> dict[str, int | float] | None:
    """The limits with which the run of a folder goes on; {} for those that it has, None where none helps."""
    return longer(folder.config, folder.summary())


def resume_command(folder: RunFolder) -> str:
    """`zeuxis resume PATH ...` with a limit that lets the run go on; "" where no limit does."""
    config, limits = folder.config, next_limits(folder)
    if limits is None:
        return ""
    words = [word for name, value in limits.items() for word in (flag(name), str(value))]
    return folder_command("resume", folder.path, *words, *repeated(config))


def repeated(config: RunConfig, *fields: str) -> list[str]:
    """The flags that a command needs beside the run's files where these `fields` (all) name code of the user's own:
    no file alone may name it.
    """
    words = []
    for name in fields or CODE:
        table, value = CODE[name], getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        if any(v is not None and table.refers(plugins.reference_in(v)) for v in values):
            words += _option(name, value)
    return words


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
