"""Flags read off RunConfig: the configuration says what a flag means, what its default is and which type it has."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from zeuxis.config import SECTIONS, RunConfig, flag, parse_options
from zeuxis.plugins import trust_fields

EVERYDAY = (
    *("prompt", "negative", "image_prompt", "generator", "classes", "scorer", "judge", "search"),
    *("population", "generations", "start", "seed"),
)


def option(name: str, *, default: str | None = None, group: str | None = None) -> Any:
    """A typer option for a field of RunConfig. The default is only told: "not given" leaves room for `--config`."""
    field = RunConfig.model_fields[name]
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        value = " ".join(value)
    if default is None and value not in (None, "", {}, False):
        default = "on" if value is True else str(value)
    about = f"{field.description} (default: {default})" if default else field.description
    flags = f"{flag(name)}/{flag(name).replace('--', '--no-', 1)}" if field.annotation is bool else flag(name)
    return typer.Option(flags, help=about, show_default=False, rich_help_panel=group)


def run_flags(command: Callable[..., None]) -> Callable[..., None]:
    """`command(ctx, ..., **fields)` with a flag for every field of RunConfig, grouped by section, everyday ones first.

    The prompt is an argument. A flag that was not given is None or empty.
    """
    own = inspect.signature(command, eval_str=True)
    first, *rest = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    about = RunConfig.model_fields["prompt"].description
    prompt = inspect.Parameter(
        "prompt",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[list[str] | None, typer.Argument(help=about, show_default=False)],
    )
    rest = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in rest]
    parameters = [first, prompt, *_flags(), *rest]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def given(params: dict[str, Any]) -> dict[str, Any]:
    """Those fields of RunConfig that were given on the command line; what they name may be imported."""
    fields: dict[str, Any] = {}
    for name, value in params.items():
        if name in RunConfig.model_fields and value not in (None, [], ()):
            fields[name] = tuple(map(str, value)) if isinstance(value, list | tuple) else value
    for name in ("options", "generator_options"):
        if name in fields:
            fields[name] = parse_options(fields[name])
    trust_fields(fields)
    return fields


class Grouped(TyperCommand):
    """A command whose help shows its flags in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """One list for each group, in the order of the parameters."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                argument = param.param_type_name == "argument"
                title = "Arguments" if argument else getattr(param, "rich_help_panel", None) or "Output"
                groups.setdefault(title, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _flags() -> Iterator[inspect.Parameter]:
    """A keyword parameter for every field but the prompt: everyday ones first, then section by section."""
    titles = {field: f"{name.capitalize()} options" for name, kind in SECTIONS.items() for field in kind.model_fields}
    rest = [field for kind in SECTIONS.values() for field in kind.model_fields if field not in EVERYDAY]
    for field in [*EVERYDAY[1:], *rest]:
        group = "Everyday options" if field in EVERYDAY else titles[field]
        default = "a new one, printed" if field == "seed" else None
        kind = on_the_line(RunConfig.model_fields[field].annotation)
        hint = Annotated[kind, option(field, default=default, group=group)]  # type: ignore[valid-type]
        yield inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)


def on_the_line(annotation: Any) -> Any:
    """The type of a flag for a field's: a list for what may be given several times, text for a choice of names."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
        origin = typing.get_origin(annotation)
    if origin is Annotated:  # bounds, which are checked with the configuration
        annotation = typing.get_args(annotation)[0]
        origin = typing.get_origin(annotation)
    if origin in (tuple, dict):
        return list[str] | None
    return (str if origin is typing.Literal else annotation) | None
