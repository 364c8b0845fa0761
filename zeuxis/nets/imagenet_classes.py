"""The 1000 classes of ImageNet (ILSVRC 2012; Russakovsky et al. 2015, https://arxiv.org/abs/1409.0575) by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from zeuxis.errors import BadInput
from zeuxis.registry import unknown


@cache
def names() -> tuple[tuple[str, ...], ...]:
    """Every class's WordNet names, in the order of the networks' outputs."""
    lines = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split(", ")) for line in lines if not line.startswith("#"))


@cache
def labels() -> tuple[str, ...]:
    """One name per class, told apart by the number where two classes share one (crane, maillot)."""
    first = [row[0] for row in names()]
    return tuple(name if first.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(first))


def find(wanted: Sequence[str], known: Sequence[str]) -> list[int]:
    """Numbers of classes given by number or by name. UnknownName with near names; BadInput for a number out of range.

    `known` are the labels of the network; where they are ImageNet's, every WordNet name is understood.
    """
    rows = names() if tuple(known) == labels() else tuple((label,) for label in known)
    by_name: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        for name in {*row, known[i]}:
            by_name.setdefault(name.lower(), []).append(i)
    found = []
    for text in wanted:
        if re.fullmatch(r"\d{1,9}", text.strip()):
            number = int(text)
            if number >= len(known):
                raise BadInput(f"Expected the number of a class from 0 to {len(known) - 1}, got {number}.")
            found.append(number)
        elif text.strip().lower() in by_name:
            found += by_name[text.strip().lower()]
        else:
            raise unknown("class", text, list(known) if len(known) <= 40 else _nearest(text, list(by_name)))
    return sorted(set(found))


def _nearest(text: str, known: list[str]) -> list[str]:
    """Names that contain the text, or are like it: too many to list all."""
    import difflib

    inside = [name for name in known if text.lower() in name]
    near = [*inside, *difflib.get_close_matches(text.lower(), known, n=6, cutoff=0.4)]
    return list(dict.fromkeys(near))[:8] or known[:8]
