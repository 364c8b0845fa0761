"""Axes of a plot: values of one field of a run's configuration, as lists and ranges, or words of the prompt.

    search       cma-ga, ga, de
    realism      0..1 step 0.25
    population   8, 16, 32..128 step 32
    options.F    0.4, 0.8
    words        red, blue, green        "red" in the prompt, and what takes its place

A value with a comma or with spaces at its ends is put into quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from zeuxis.config import RunConfig, make_config, parse_options
from zeuxis.errors import BadInput
from zeuxis.registry import nearest

WORDS = "words"
MOST_VALUES = 64  # on one axis
NAMED = 60  # letters of a value in a heading
EXAMPLE = "1, 2, 3 or 0..1 step 0.25"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+step\s+({_NUMBER}))?", re.IGNORECASE)
_ITEM = re.compile(r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^,]*?))\s*(?:,|$)""")
DOTTED = ("options", "generator_options")


class Axis(BaseModel):
    """A field of RunConfig (`options.NAME` for one in a table, `words` for words of the prompt) and its values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z][\w.-]*$")]
    values: Annotated[str, Field(min_length=1, max_length=4000)]


@dataclass(frozen=True)
class ReadAxis:
    """An axis as it was understood: `shown` are its values for people, `values` those of the configuration.

    Of words, `values` are the texts that take the place of the first of them.
    """

    field: str
    shown: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def title(self) -> str:
        """For people."""
        return f"“{self.values[0][:NAMED]}”" if self.field == WORDS else self.field.replace("_", " ")


def field_names() -> list[str]:
    """What an axis may be of, the words first."""
    return [WORDS, *(name for name in RunConfig.model_fields if name not in DOTTED)]


def read_axis(axis: Axis, prompt: Sequence[str] = ()) -> ReadAxis:
    """The values of an axis. BadInput in one sentence for what is no list or range, or what the field cannot hold."""
    field, items = known_field(axis.field), split(axis.values)
    if field == WORDS:
        return _words(items, prompt)
    texts = [text for item, quoted in items for text in ([item] if quoted else spread(item, field))]
    if len(texts) > MOST_VALUES:
        raise BadInput(f"Expected at most {MOST_VALUES} values of {field}, got {len(texts):,}. Take larger steps.")
    values = tuple(value_of(field, text) for text in texts)
    shown = tuple(_shown(value)[:NAMED] for value in values)
    if len({repr(value) for value in values}) < len(values):
        raise BadInput(f"Expected each value of {field} once, got {', '.join(shown)[:200]}.")
    return ReadAxis(field, shown, values)


def known_field(name: str) -> str:
    """The name of a field as the configuration has it; `--view-every` and `view every` count too. BadInput else."""
    plain = name.strip().removeprefix("--").replace("-", "_").replace(" ", "_")
    table, dot, rest = name.strip().partition(".")
    if plain in field_names():
        return plain
    if dot and table in DOTTED and rest:
        return name.strip()
    near = nearest(plain, [*field_names(), *(f"{name}.NAME" for name in DOTTED)])
    hint = f" Did you mean {' or '.join(near)}?" if near else " `zeuxis generate --help` lists them."
    raise BadInput(f"Expected a setting of a run, e.g. search, got {name[:80]!r}.{hint}")


def split(text: str) -> list[tuple[str, bool]]:
    """ "1, 'a, b'" -> [("1", False), ("a, b", True)]: the items, and whether each was in quotes."""
    found, at, text = [], 0, text.strip()
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None or match.end() == at:
            raise BadInput(f"Expected a comma between values and quotes in pairs, got {text[at : at + 60]!r}.")
        quoted = match["plain"] is None
        item = match["plain"] if not quoted else match["double"] if match["double"] is not None else match["single"]
        if not item and not quoted:
            raise BadInput(f"Expected values with commas between them, e.g. {EXAMPLE}, got an empty one.")
        found.append((item, quoted))
        at = match.end()
    if not found or (text.endswith(",") and not found[-1][1]):
        raise BadInput(f"Expected values with commas between them, e.g. {EXAMPLE}, got an empty one.")
    return found


def spread(item: str, field: str) -> list[str]:
    """The numbers of a range `LOW..HIGH step STEP`, both ends included where a step meets them; else the item itself.

    Decimal, so that 0..1 step 0.1 has no 0.30000000000000004.
    """
    match, kinds = _RANGE.fullmatch(item), _kinds(field)
    if match is None or not kinds & {int, float}:
        return [item]
    low, high = Decimal(match[1]), Decimal(match[2])
    if match[3] is None and float in kinds:
        raise BadInput(f"Expected a step for {field}, e.g. {item} step {(high - low) / 4 or 1:f}, got {item!r}.")
    step = Decimal(match[3] or 1)
    if step <= 0 or low >= high:
        raise BadInput(f"Expected a range LOW..HIGH step STEP with LOW below HIGH and STEP above 0, got {item!r}.")
    if (high - low) / step >= MOST_VALUES:
        raise BadInput(f"Expected at most {MOST_VALUES} values of {field}, got more in {item!r}. Take a larger step.")
    count = int((high - low) / step) + 1
    return [f"{(low + k * step).normalize():f}" for k in range(count)]


def value_of(field: str, text: str) -> Any:
    """A text as a value of a field, as JSON has it. BadInput in the words of the configuration."""
    _, dot, name = field.partition(".")
    if dot:
        return parse_options([f"{name}={text}"])[name]
    given: Any = text
    if field == "prompt":
        given = (text,)
    elif _is_list(field):
        given = tuple(part.strip() for part in text.split("+"))
    config = make_config(**{field: given})
    if field == "judge" and config.judge is None:
        return "none"  # TOML has no null
    return config.model_dump(mode="json")[field]


def put(fields: Mapping[str, Any], field: str, value: Any) -> dict[str, Any]:
    """`fields` with another value, also of one in a table."""
    table, dot, name = field.partition(".")
    return {**fields, table: {**fields.get(table, {}), name: value}} if dot else {**fields, field: value}


def _words(items: Sequence[tuple[str, bool]], prompt: Sequence[str]) -> ReadAxis:
    texts = tuple(item for item, _ in items)
    if not 1 < len(texts) <= MOST_VALUES:
        raise BadInput(f"Expected 2 to {MOST_VALUES} words, the first of them from the prompt, got {len(texts)}.")
    if not any(texts[0] and texts[0] in phrase for phrase in prompt):
        said = " | ".join(prompt)[:80]
        raise BadInput(f"Expected the first of the words to stand in the prompt {said!r}, got {texts[0][:60]!r}.")
    if len(set(texts)) < len(texts):
        raise BadInput(f"Expected each of the words once, got {', '.join(texts)[:200]}.")
    return ReadAxis(WORDS, tuple(text[:NAMED] or "(nothing)" for text in texts), texts)


def _kinds(field: str) -> set[Any]:
    """The plain types that a field may have; those of an option are not known."""
    if "." in field:
        return {int}  # a range of an option may go without a step; its values are read as they are written
    found, todo = set(), [RunConfig.model_fields[field].annotation]
    while todo:
        kind = todo.pop()
        todo += [one for one in get_args(kind) if get_origin(kind) is not dict]
        found.add(kind)
    return set() if _is_list(field) else found & {int, float, bool, str}


def _is_list(field: str) -> bool:
    kind: Any = RunConfig.model_fields[field].annotation
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_origin(kind) is tuple


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:.6g}" if isinstance(value, float) else str(value)
