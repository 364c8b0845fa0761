"""What is wrong with the fields of a configuration, in sentences."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

MOST_WRONG = 5  # sentences on wrong fields in one message
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "a text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table of names and values",
    "model": "a table of names and values",
}
TABLES = ("jobs",)  # fields that are lists of tables in TOML


def in_words(error: ValidationError, known: Sequence[str], spelled: Callable[[str], str] = str) -> str:
    """What is wrong with fields, a sentence each: what was expected, what came, and for an unknown one the nearest."""
    said = [_in_words(wrong, known, spelled) for wrong in error.errors()]
    return " ".join(said[:MOST_WRONG]) + (f" And {len(said) - MOST_WRONG} more." if len(said) > MOST_WRONG else "")


def _in_words(wrong: Mapping[str, Any], known: Sequence[str], spelled: Callable[[str], str]) -> str:
    place, context = [str(part) for part in wrong["loc"]] or [""], wrong.get("ctx", {})
    if wrong["type"] == "value_error" and not wrong["loc"]:  # of the whole: a sentence of ours
        return str(context["error"])
    name, got = ".".join([spelled(place[0]), *place[1:]]), f"got {wrong['input']!r:.80}"
    if wrong["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1].lower(), known, n=2, cutoff=0.5)
        more = "" if spelled is str else " `zeuxis generate --help` lists all."
        hint = f" Did you mean {' or '.join(map(spelled, near))}?" if near else more
        return f"There is no {'.'.join(place)!r}, got {wrong['input']!r:.40}.{hint}"
    if wrong["type"] == "missing":
        return f"{name} is missing."
    if wrong["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        near = difflib.get_close_matches(str(wrong["input"]).lower(), choices, n=1, cutoff=0.5)
        return f"Expected {name} to be one of {', '.join(choices)}, {got}." + (
            f" Did you mean {near[0]}?" if near else ""
        )
    for bound, words in BOUNDS.items():
        if bound in context:
            limit = f"{context[bound]:,}" if context[bound] > 10**5 else f"{context[bound]:g}"
            return f"Expected {name} to be {words} {limit}, {got}."
    if "max_length" in context:
        what = "letters" if wrong["type"] == "string_too_long" else "entries"
        return f"Expected {name} to have at most {context['max_length']:,} {what}, {got}."
    if wrong["type"] == "string_pattern_mismatch":
        return f"Expected {name} to be on one line without control characters, {got}."
    if wrong["type"] == "string_too_short":
        return f"Expected {name} to have at least {context['min_length']:,} letters, {got}."
    if wrong["type"] == "value_error":
        return f"{name}: {context['error']}, {got}."
    if wrong["type"] == "too_short":
        return f"Expected {name} at least {context['min_length']} time(s), {got}."
    wanted = next((words for part, words in TYPES.items() if wrong["type"].startswith(part)), None)
    if name in TABLES and isinstance(wrong["input"], dict):
        return f"Expected {name} to be a list of tables, {got}. Write [[{name}]] in place of [{name}]."
    return f"Expected {name} to be {wanted}, {got}." if wanted else f"{name}: {wrong['msg']}, {got}."
