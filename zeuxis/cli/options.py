"""Options read off RunConfig: the configuration says what a flag means, what its default is and which type it has."""

from __future__ import annotations

from typing import Any

import typer

from zeuxis.config import RunConfig, parse_options
from zeuxis.report.commands import flag

NONE = "none"  # what switches the judge off


def option(name: str, *, default: str | None = None) -> Any:
    """A typer option for a field of RunConfig. The default is only told: "not given" leaves room for `--config`."""
    field = RunConfig.model_fields[name]
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        value = " ".join(value)
    if default is None and value not in (None, "", {}, False):
        default = "on" if value is True else str(value)
    about = f"{field.description} (default: {default})" if default else field.description
    flags = f"{flag(name)}/{flag(name).replace('--', '--no-', 1)}" if field.annotation is bool else flag(name)
    return typer.Option(flags, help=about, show_default=False)


def given(params: dict[str, Any]) -> dict[str, Any]:
    """Those fields of RunConfig that were given on the command line."""
    fields: dict[str, Any] = {}
    for name, value in params.items():
        if name in RunConfig.model_fields and value not in (None, [], ()):
            fields[name] = tuple(map(str, value)) if isinstance(value, list | tuple) else value
    if "options" in fields:
        fields["options"] = parse_options(fields["options"])
    if fields.get("judge") == NONE:
        fields["judge"] = None
    return fields
