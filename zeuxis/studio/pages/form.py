"""The form of a search or a plot as it is sent: what it says as fields of a run, and the other way."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput
from zeuxis.studio.axes import known_field, put, value_of
from zeuxis.studio.live import DEFAULTS, SEARCH, phrases
from zeuxis.studio.plot import Spec, make_plot
from zeuxis.studio.presets import Axes
from zeuxis.trust import check_code

FIRST = {"generator": "auto", "search": SEARCH, "generations": "160", "population": "64", "seed": ""}
NUMBERS = {
    "generations": ("Generations", 0, 100_000), "population": ("Population", 4, 1024),
    "seed": ("Seed (empty: a new one)", 0, 2**31),
}  # fmt: skip


def read_form(given: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Prompt and fields of RunConfig in a form as it was sent. BadInput for what cannot be."""
    fields: dict[str, Any] = {}
    try:
        pairs = [pair.partition("=") for pair in shlex.split(given.get("more", "")[:4000])]
    except ValueError as error:
        raise BadInput(f"Expected settings as name=value with quotes in pairs: {error}.") from None
    for name, equals, text in pairs:
        if not equals or name in ("prompt", "words"):
            raise BadInput(f"Expected other settings as name=value, e.g. augment=4, got {name[:60]!r}.")
        field = known_field(name)
        fields = put(fields, field, value_of(field, text))
    for name in ("generator", "search", *NUMBERS):
        text = given.get(name, "").strip()[:4096]
        value = int(text) if text.isdecimal() and name in NUMBERS else text
        if not text or (name in fields and text == FIRST[name]):  # nothing was chosen, or it was typed below
            continue
        if name in fields and fields[name] != value:
            raise BadInput(f"Expected {name} once, got {text} and, under other settings, {fields[name]}. Take one out.")
        about, low, high = NUMBERS.get(name, ("", 0, 0))
        if name in NUMBERS and not (isinstance(value, int) and low <= value <= high):
            raise BadInput(f"Expected {about.partition(' (')[0]} from {low:,} to {high:,}, got {text[:40]}.")
        fields[name] = value
    if fields.get("search") == "auto" and given.get("generations") == FIRST["generations"]:
        fields.pop("generations", None)  # the form's own, for breeding: the search has a length of its own
    return given.get("prompt", "")[:40_000], fields


def write_form(fields: Mapping[str, Any]) -> dict[str, str]:
    """The values of a form that is read as these fields. BadInput for code that a file names: what is in the form
    counts as typed.
    """
    check_code(fields)
    config = make_config(**fields)
    plain = config.model_dump(mode="json")
    found = dict.fromkeys(NUMBERS, "") | {"generator": "auto", "search": "auto", "prompt": " | ".join(config.prompt)}
    rest = []
    for name in RunConfig.model_fields:
        value = plain[name]
        if name not in config.model_fields_set or name == "prompt" or DEFAULTS.get(name, ...) == value:
            continue
        if name in FIRST:
            found[name] = str(value)
        elif isinstance(value, dict):
            rest += [f"{name}.{key}={one}" for key, one in value.items()]
        else:
            rest.append(f"{name}={_text(value)}")
    found |= {"more": shlex.join(rest)}
    if make_config(**{**DEFAULTS, **config_of(found)}) != make_config(**{**DEFAULTS, **fields}):
        raise BadInput("These settings do not fit into the form. Use them with `zeuxis generate --config FILE`.")
    return found


def config_of(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form, the prompt among them."""
    prompt, fields = read_form(given)
    return fields | {"prompt": phrases(prompt)}


def axes_given(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """(field, values) of the axes in a form as it was sent. BadInput for one of which half is missing."""
    axes = [(given.get(f"{a}-field", "").strip(), given.get(f"{a}-values", "").strip()) for a in "xyz"]
    for name, values in axes:
        if bool(name) != bool(values):
            raise BadInput(f"Expected for each axis what varies and its values, got {name or values!r:.60} only.")
    return [axis for axis in axes if axis[0]]


def seeds_given(given: Mapping[str, str]) -> int:
    """The seeds a cell in a form as it was sent. BadInput for no number."""
    seeds = given.get("seeds", "").strip() or "1"
    if not seeds.isdecimal():
        raise BadInput(f"Expected a number of seeds a cell, got {seeds[:40]!r}.")
    return int(seeds[:9])


def read_axes(given: Mapping[str, str], fields: Mapping[str, Any]) -> Axes | None:
    """The axes in a form over these fields; None without one. BadInput where they are no plot."""
    axes = axes_given(given)
    if not axes:
        return None
    spec = make_plot(fields, axes, seeds_given(given)).spec
    return Axes(x=spec.x, y=spec.y, z=spec.z, seeds=spec.seeds)


def write_axes(axes: Axes | Spec) -> dict[str, str]:
    """The values of a form that are read as these axes."""
    form = {"seeds": str(axes.seeds)}
    for letter, axis in zip("xyz", (axes.x, axes.y, axes.z), strict=True):
        form |= {f"{letter}-field": axis.field if axis else "", f"{letter}-values": axis.values if axis else ""}
    return form


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    return "none" if value is None else str(value)
