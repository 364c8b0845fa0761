"""Weights behind a colon: "a red truck:1.5". What only looks like one is refused or noted, never silently words."""

from __future__ import annotations

import re

from zeuxis.errors import BadInput

MAX_WEIGHT = 100.0

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_IN_BRACKETS = re.compile(r"\(+(?P<words>[^()]+):(?P<weight>[0-9.]+)\)+")  # as other programs write weights
_HELD = re.compile(r"[(\[]+(?P<words>[^()\[\]]+):(?P<weight>[0-9.]+)[)\]]+")  # the same, beside other words
_FLAG = re.compile(r"(?:^|\s)--?[a-z]{1,20}(?=\s|$)")  # "--ar 16:9"
_ALMOST = re.compile(r"(?<!\\):(?:\s+(?P<spaced>[0-9]{1,2}(?:[.,][0-9]+)?)|(?P<tight>[^\s:]+))$")
_INNER = re.compile(r"[^\W\d_]:[0-9]+(?:[.,][0-9]+)?\s")  # "cat:1 dog:2"


def split_weight(text: str) -> tuple[str, float | None]:
    """Take the weight off: "a cat:1.5" -> ("a cat", 1.5), "a cat" -> ("a cat", None). BadInput for a bad one."""
    head, colon, tail = text.rpartition(":")
    if colon and not head.endswith("\\") and _DECIMAL_COMMA.fullmatch(tail):
        raise _misspelt(text, f"{head}:{tail.replace(',', '.')}")
    if not colon or head.endswith("\\") or not _NUMBER.fullmatch(tail):
        return text, None
    if not abs(weight := float(tail)) <= MAX_WEIGHT:  # NaN fails every comparison
        raise BadInput(
            f"Expected a finite weight between -{MAX_WEIGHT:g} and {MAX_WEIGHT:g} after ':', got {tail[:40]} "
            f"in {quoted(text)}. Give a smaller weight, or write '\\:' if the colon belongs to the words."
        )
    return head.rstrip(), weight


def check_colon(text: str, words: str, weight: float | None, notes: list[str]) -> None:
    """BadInput for what can only be a misspelt weight, a note for what may be one."""
    if words.endswith(":") and not words.endswith("\\:"):
        raise _misspelt(text, f"{words.rstrip(': ')}:{1.0 if weight is None else weight:g}")
    if found := _IN_BRACKETS.fullmatch(text):
        raise _misspelt(text, f"{found['words'].strip()}:{found['weight']}")
    if found := _HELD.search(words):
        meant = f"{found['words'].strip()}:{found['weight']}"
        notes.append(f"{quoted(found[0])} was read as words: a weight ends a phrase, as in {quoted(meant)}.")
    if found := _FLAG.search(words):
        notes.append(f"{quoted(found[0].strip())} was read as words: options stand outside of the phrase.")
    if _INNER.search(words):
        notes.append(f"{quoted(text)} is one phrase: a weight stands at its end, and '|' separates phrases.")
    found = _ALMOST.search(text) if weight is None else None
    if found and found["spaced"]:
        notes.append(
            f"{quoted(text)} was read as words: a weight follows its colon without a space, as in 'a cat:1.5'."
        )
    elif found:
        notes.append(f"{quoted(text)} was read as words: a weight is a plain number, as in 'a cat:1.5'.")


def _misspelt(text: str, meant: str) -> BadInput:
    return BadInput(
        f"Expected a number after ':' in {quoted(text)}. Write {quoted(meant)}, or '\\:' if the colon belongs to the "
        "words."
    )


def quoted(text: str) -> str:
    """The text for a message, cut where it is long."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
