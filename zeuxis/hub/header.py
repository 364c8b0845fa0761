"""The JSON header of a model file, read as if a stranger had written it: types, sizes and depth are checked.

What is built from it is checked again by the networks' constructors and against the tensors (zeuxis.hub.model_file).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from zeuxis.errors import WeightsRefused
from zeuxis.nets.wordpiece import PAD, UNKNOWN

FORMATS = (1,)
CHECKSUM = "header_sha256"  # files of before it have none
COUNTER = "num_batches_tracked"  # of batch norm, never stored
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MOST_TEXT = 2**24  # characters of the header; a vocabulary of 30,000 words has half a million
MOST_ENTRIES = 2**20  # numbers, words and lists in it
MOST_DEPTH = 12
PARTS = {"generator": "a generator", "discriminator": "a discriminator", "network": "a classifier"}
LARGEST_SIZE = 2**16  # a number among the facts that may exceed the count of the weights


@dataclass(frozen=True)
class Model:
    """What a model file says of itself; `parts` maps each network's name to the facts that build it.

    `tensors_sha256` maps parts to the checksums of their tensors; {} in files that older versions wrote.
    """

    path: Path
    family: str
    parts: dict[str, dict[str, Any]]
    about: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    tensors_sha256: dict[str, str] = field(default_factory=dict)

    @property
    def known_as(self) -> Path:
        """The file as its user knows it: what it was converted from, where it lies in the cache under a hash."""
        file = self.source.get("file")
        return Path(file[:200]) if isinstance(file, str) and file and DIGEST.fullmatch(self.path.stem) else self.path


def parse(text: str, path: Path, tensors: Sequence[str]) -> Model:
    """The header `text` of the file `path` with the named `tensors`. WeightsRefused, in one sentence, for a bad one."""
    try:
        return _parse(text, path, tensors)
    except (ValueError, RecursionError) as error:
        raise WeightsRefused(path, f"has a header that cannot be read: {str(error)[:200]}. Export it again") from error


def header_checksum(header: dict[str, Any]) -> str:
    """SHA-256 over the rest of a header, hex: one flipped bit may be another number that builds another network."""
    rest = {key: value for key, value in header.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _parse(text: str, path: Path, tensors: Sequence[str]) -> Model:
    if not text:
        raise WeightsRefused(path, "says nothing about what it holds. Expected a model file: zeuxis convert makes one")
    if len(text) > MOST_TEXT:
        raise ValueError(f"it has {len(text):,} characters, more than {MOST_TEXT:,}")
    header = json.loads(text, parse_constant=_no_number)
    if not isinstance(header, dict):
        raise ValueError(f"it is a {type(header).__name__}, expected a dictionary")
    missing = [name for name in ("format", "family", "parts") if name not in header]
    if missing:
        raise WeightsRefused(
            path, f"says nothing about {', '.join(missing)}: it is no model file of this version. Export it again"
        )
    if header["format"] not in FORMATS:
        raise ValueError(f"it is of format {str(header['format'])[:20]}, expected {FORMATS[-1]}")
    family, parts = header["family"], header["parts"]
    _check_name(family, "family")
    if not isinstance(parts, dict) or not 1 <= len(parts) <= 16:
        raise ValueError("expected its parts as a dictionary of 1 to 16 networks")
    for name, facts in parts.items():
        _check_name(name, "part")
        if not isinstance(facts, dict):
            raise ValueError(f"the facts of its part {name} are a {type(facts).__name__}, expected a dictionary")
    _check_extent(header)
    stray = [name for name in tensors if name.partition(".")[0] not in parts]
    if stray:
        raise WeightsRefused(path, f"belongs to none of its parts {', '.join(parts)}", stray[0][:100])
    digests = _dictionary(header, "tensors_sha256")
    if digests and (digests.keys() != parts.keys() or not all(_is_digest(value) for value in digests.values())):
        raise ValueError("expected tensors_sha256 with one checksum for each part")
    licence = header.get("licence", "")
    if not isinstance(licence, str):
        raise ValueError(f"its licence is a {type(licence).__name__}, expected a text")
    about, source = _dictionary(header, "about"), _dictionary(header, "source")
    if CHECKSUM in header and header[CHECKSUM] != header_checksum(header):
        raise ValueError("it does not have the checksum that was written with it")
    return Model(path, family, parts, about, source, licence, digests)


def in_words(model: Model) -> str:
    """What a model file holds: "a classifier (speedrun)"."""
    known = {
        "dual-encoder": "a scorer",
        "aligned": "a scorer",
        "text-tower": "a text tower",
        "inception": "a network of features",
    }
    other = next((what for part, what in PARTS.items() if part in model.parts), "networks")
    return f"{known.get(model.family, other)} ({model.family})"


def check_facts(model: Model, part: str, values: int) -> None:
    """WeightsRefused for a size among the facts of `part` that its tensors, of `values` numbers in all, cannot have."""
    most = max(values, LARGEST_SIZE)
    for entry in _walk(model.parts[part]):
        if isinstance(entry, int) and abs(entry) > most:
            said = str(entry) if abs(entry) < 2**63 else "a number of more than 19 digits"
            raise WeightsRefused(model.path, f"describes a {part} with {said} of something in {values:,} weights")


def names_of(model: Model, key: str, count: int) -> tuple[str, ...]:
    """The list of `count` names (of classes, of terms) under `key` of what a model file tells about itself."""
    found = model.about.get(key)
    if not isinstance(found, list) or not all(isinstance(name, str) and 0 < len(name) <= 1000 for name in found):
        raise WeightsRefused(model.path, f"its header has no {key} as a list of names. Export it again")
    if len(found) != count:
        raise WeightsRefused(model.path, f"names {len(found):,} {key} for {count:,} outputs. Export it again")
    return tuple(found)


def vocabulary_of(model: Model, tokens: int) -> tuple[str, ...]:
    """The words of a text tower of `tokens` tokens, in the order of their numbers. WeightsRefused without a list."""
    words = names_of(model, "vocabulary", tokens)
    if not {PAD, UNKNOWN} <= set(words):
        raise WeightsRefused(model.path, f"has a vocabulary without {PAD} and {UNKNOWN}. Export it again")
    return words


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _walk(value: Any) -> Iterator[Any]:
    """Every value inside, lists and dictionaries included; to be called on what `_check_extent` has seen."""
    yield value
    for inner in _inside(value):
        yield from _walk(inner)


def _check_extent(header: dict[str, Any]) -> None:
    """ValueError for too many entries, or lists in lists too deep. Level by level: only containers are looked into."""
    level: list[Any] = [header]
    entries = 0
    for _ in range(MOST_DEPTH):
        entries += sum(map(len, level))
        if entries > MOST_ENTRIES:
            raise ValueError(f"it has more than {MOST_ENTRIES:,} entries")
        level = [inner for value in level for inner in _inside(value) if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")


def _check_name(name: Any, what: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"expected the name of a {what} in small letters, got {repr(name)[:60]}")


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and DIGEST.fullmatch(value) is not None


def _dictionary(header: dict[str, Any], key: str) -> dict[str, Any]:
    value = header.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"its {key} is a {type(value).__name__}, expected a dictionary")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}, which is no number")
