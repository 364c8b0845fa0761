"""Several prompts, one run each: matrices like "a {red|green} {shoe|bag}", and files with a prompt on each line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from zeuxis.errors import BadInput
from zeuxis.scorers.weights import quoted
from zeuxis.storage.files import unfinished
from zeuxis.storage.reading import read_bounded

MOST, LARGEST = 256, 2**20  # prompts in a series; bytes of a file
LONGEST = 40  # letters of a phrase in a folder's name
OWN = ("report.html", "best.png")  # files of a series beside its runs
_GROUP = re.compile(r"(?<!\\)\{([^{}]*\|[^{}]*)\}")
_BAR = re.compile(r"(?<!\\)\|")
_OPEN = re.compile(r"(?<!\\)\{[^{}]*(?:\||\{)")
Phrases = tuple[str, ...]


def expanded(phrases: Sequence[str]) -> list[Phrases]:
    """Every combination of the alternatives in braces, the last group changing first; without braces the prompt itself.

    "a {red|} shoe" is "a red shoe" and "a shoe". A group needs a bar: "a {shoe}" stays as it is, and so do `\\{` and
    `\\|`. BadInput for a brace that is not closed, one inside another, and more than 256 combinations.
    """
    found: list[list[str]] = []
    count = 1
    for phrase in phrases:
        pieces = _GROUP.split(phrase)
        groups = [_BAR.split(piece) for piece in pieces[1::2]]
        if any(_OPEN.search(piece) for piece in pieces[::2]):
            raise BadInput(
                f"Expected alternatives like {{red|green}} in {quoted(phrase)}, one pair of braces each, got one that "
                "is not closed or inside another. '\\{' keeps a brace as text."
            )
        for group in groups:
            count *= len(group)
        if count > MOST:
            raise BadInput(f"Expected at most {MOST} prompts, got more from {quoted(phrase)}. Give fewer alternatives.")
        rows = [_filled(pieces, words) if groups else phrase for words in product(*groups)]
        found.append([row.replace("\\{", "{").replace("\\}", "}") for row in rows])
    return list(product(*found))


def every(phrases: Sequence[str]) -> Phrases:
    """Phrases that are each a prompt of their own, those with alternatives once for each; see `expanded`."""
    return tuple(one for phrase in phrases for (one,) in expanded([phrase]))


def escaped(phrase: str) -> str:
    """`phrase` as it is given, so that its braces are text and no alternatives."""
    return phrase.replace("{", "\\{").replace("}", "\\}")


def _filled(pieces: Sequence[str], words: Sequence[str]) -> str:
    """Text and groups in turns, each group replaced by one of its words; no double spaces where that is empty."""
    text = "".join(a + b.strip() for a, b in zip(pieces[::2], (*words, ""), strict=True))
    return " ".join(text.split())


def read_prompts(path: str | Path) -> list[Phrases]:
    """The prompts of a text file, one a line; lines that are blank or begin with '#' are left out.

    BadInput for a file that is none, holds no prompt or too many.
    """
    try:
        text = read_bounded(path, LARGEST, "text file of prompts").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"Expected a text file of prompts in UTF-8, got something else in {path}. Save it so."
        ) from error
    if "\x00" in text:
        raise BadInput(f"Expected a text file of prompts, got bytes that are no text in {path}. Give another one.")
    lines = [line.strip() for line in text.splitlines()]
    prompts: list[Phrases] = []
    for line in lines:
        if line and not line.startswith("#") and len(prompts) <= MOST:
            prompts += expanded([line])
    if not 1 <= len(prompts) <= MOST:
        raise BadInput(f"Expected 1 to {MOST} prompts in {path}, one a line, got {_counted(len(prompts))}.")
    return prompts


def folders(prompts: Sequence[Phrases], out: Path) -> list[Path]:
    """The folder of each run. BadInput where `out` holds something that is no part of this series."""
    digits = len(str(len(prompts)))
    found = [out / f"{k:0{digits}}-{slug(' '.join(prompt))}" for k, prompt in enumerate(prompts, 1)]
    if out.is_dir():
        there = {path.name for path in out.iterdir() if not unfinished(path.name)}
        strange = sorted(there - {path.name for path in found} - set(OWN))
        if strange:
            raise BadInput(
                f"Expected an empty or new folder for {len(prompts)} runs, or one that holds them, but {out} holds "
                f"{strange[0][:80]!r}. Give another --out."
            )
    return found


def _counted(number: int) -> str:
    return str(number) if number <= MOST else "more"


def slug(text: str) -> str:
    """Any text as 1 to 40 characters of a-z, 0-9 and hyphens; "run" when nothing is left."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-") or "run"
