"""Tokenizers of transformers from a folder that somebody else made: only a bounded copy of their data is read.

A tokenizer's configuration may name other files, classes and programs, its rules may be patterns that take for ever,
and the library reads all of it, of whatever size. So what is plain goes into a folder of our own, and that is read.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.storage.reading import read_bounded

TABLES = {  # file -> the most bytes it may have; the largest published ones have 5 MB, 2 MB, 34 MB and 4 MB
    "vocab.json": 2**24,
    "merges.txt": 2**24,
    "tokenizer.json": 2**26,
    "spiece.model": 2**24,
    "tokenizer.model": 2**24,
}
WHOLE = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",), ("tokenizer.model",))
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
MOST_SETTINGS = 2**22  # bytes of each
MOST_SET = 1000  # settings of one tokenizer
MOST_TOKENS = 2**21
MOST_MARK = 200  # characters of a token that settings name
PLAIN = ("padding_side", "truncation_side")
IN_TURN = re.compile(r"\)\s*(?:[*+]|\{\d*,)")  # a group that is repeated: what takes for ever has one


def read_tokenizer(make: Any, folder: Path) -> Any:
    """`make.from_pretrained` of what is plain in `folder`. WeightsRefused for no tokenizer, or one that reads no words.

    `make` is a class of transformers. ImportError where a package that it needs is not installed.
    """
    with tempfile.TemporaryDirectory() as place:
        _copy(folder, Path(place))
        try:
            made = make.from_pretrained(place, local_files_only=True)
            made(["a word", "of two"], max_length=8, truncation=True, padding="max_length", return_tensors="pt")
        except ImportError:
            raise
        except BaseException as error:  # the parsers raise all kinds; those in Rust one that is no Exception
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            said = " ".join(str(error).replace(place, folder.name).split())[:160]
            raise WeightsRefused(folder, f"holds no tokenizer that can be read: {said}") from error
    return made


def check_ids(ids: Tensor, words: int, folder: Path) -> None:
    """WeightsRefused for token ids that a network of `words` tokens has no row for."""
    if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < words):
        raise WeightsRefused(folder, f"has a tokenizer of more tokens than the {words:,} of its network")


def tokenizer_files(folder: Path) -> list[Path]:
    """What of a folder has a say in its tokens. WeightsRefused unless the tables of a tokenizer are among it."""
    found = [folder / name for name in (*TABLES, *SETTINGS) if (folder / name).is_file()]
    if not any(all(folder / name in found for name in whole) for whole in WHOLE):
        raise WeightsRefused(folder, f"holds no tokenizer: expected {', or '.join(map(' and '.join, WHOLE))}")
    return found


def _copy(folder: Path, place: Path) -> None:
    """Tables as they are, settings without what names other files, classes and programs."""
    tokenizer_files(folder)
    for name, limit in TABLES.items():
        if (folder / name).is_file():
            data = _bytes(folder / name, limit)
            if name.endswith(".json"):
                _check_table(data, folder / name)
            (place / name).write_bytes(data)
    for name in SETTINGS:
        if (folder / name).is_file():
            found = _json(_bytes(folder / name, MOST_SETTINGS), folder / name)
            kept = {k: v for k, v in found.items() if _is_plain(k, v, ids=name == "added_tokens.json")}
            if len(kept) > MOST_SET and name != "added_tokens.json":
                raise WeightsRefused(folder / name, f"has {len(kept):,} settings, more than any tokenizer")
            (place / name).write_text(json.dumps(kept), encoding="utf-8")


def _bytes(path: Path, limit: int) -> bytes:
    try:
        return read_bounded(path, limit, "tokenizer's file")
    except BadInput as error:
        raise WeightsRefused(path, str(error)) from error


def _json(data: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WeightsRefused(path, f"is no JSON: {str(error)[:120]}") from error
    if not isinstance(found, dict):
        raise WeightsRefused(path, f"is a {type(found).__name__}, expected a dictionary")
    return found


def _check_table(data: bytes, path: Path) -> None:
    """WeightsRefused for numbers of tokens, and patterns, that are out of proportion."""
    found = _json(data, path)
    model = found.get("model", {}) if path.name == "tokenizer.json" else {"vocab": found}
    tokens = model.get("vocab", {}) if isinstance(model, Mapping) else {}
    numbers = list(tokens.values()) if isinstance(tokens, dict) else []
    if any(type(number) is not int or not 0 <= number < MOST_TOKENS for number in numbers):
        raise WeightsRefused(path, f"numbers its tokens otherwise than from 0 to below {MOST_TOKENS:,}")
    waiting = [value for name, value in found.items() if name != "model"] if path.name == "tokenizer.json" else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(rule := value.get("Regex"), str) and IN_TURN.search(rule):
                raise WeightsRefused(path, "has a pattern with a group that is repeated, which may take for ever")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _is_plain(name: str, value: Any, *, ids: bool) -> bool:
    """Whether a setting is a switch, a number, a token or a table of tokens."""
    if ids:  # token -> its number
        return type(value) is int and 0 <= value < MOST_TOKENS and len(name) <= MOST_MARK
    if name == "added_tokens_decoder":
        return isinstance(value, dict) and all(
            re.fullmatch(r"\d{1,7}", number) and int(number) < MOST_TOKENS and _is_mark(token)
            for number, token in value.items()
        )
    if name in ("additional_special_tokens", "extra_special_tokens"):
        return isinstance(value, list) and all(map(_is_mark, value))
    if name.endswith("_token"):
        return value is None or _is_mark(value)
    return (name in PLAIN and isinstance(value, str)) or isinstance(value, bool | int | float)


def _is_mark(value: Any) -> bool:
    content = value.get("content") if isinstance(value, dict) else value
    return isinstance(content, str) and len(content) <= MOST_MARK
