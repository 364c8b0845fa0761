"""What a training was begun with, its data and the networks it builds on: kept in every checkpoint, compared at resume.

The facts are of the content, so a data set may move to another path. Checkpoints from before there were any go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zeuxis.data import ImageSet
from zeuxis.data.cache import checksum
from zeuxis.errors import BadInput

Origin = dict[str, Any]
WORDS = {  # in the order in which differences are named; {} is the number
    "classes": "{}",
    "sets": "{}",
    "resolution": "pictures of {} pixels a side",
    "channels": "pictures of {} channel(s)",
    "pictures": "{:,} pictures",
    "held_out": "{:,} held-out pictures",
    "captions": "{:,} captions",
    "extra": "{:,} extra pictures",
    "sentences": "{:,} sentences",
}


def of_images(train: ImageSet, test: ImageSet, extra: ImageSet | None = None) -> Origin:
    """Numbers that a person can compare, and the fingerprint of everything in the sets."""
    found: Origin = {
        "classes": {name: len(words) for name, words in train.names.items()},
        "resolution": train.resolution, "channels": train.channels, "pictures": len(train), "held_out": len(test),
        "captions": sum(map(bool, train.captions or ())),
    }  # fmt: skip
    if extra is not None:
        found["extra"] = len(extra)
    return found | {"content": fingerprint([train, test, *([extra] if extra is not None else [])])}


def fingerprint(sets: Sequence[ImageSet]) -> str:
    """Of pixels, labels, words and captions: SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    for images in sets:
        pixels = images.pixels.contiguous().numpy()
        labels = {name: checksum(rows.contiguous().numpy().view("uint8")) for name, rows in images.labels.items()}
        facts = (pixels.shape, checksum(pixels), labels, images.names, images.captions)
        digest.update(repr(facts).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def check_same(kept: Origin, now: Origin, folder: Path) -> None:
    """BadInput in one sentence that names what differs, with both numbers."""
    for key, words in WORDS.items():
        if key in kept and key in now and kept[key] != now[key]:
            one, two = (_counted(key, words, facts[key]) for facts in (kept, now))
            raise BadInput(
                f"{folder} holds a training on {one}, but --data gives {two}. Give the data that it began with, or "
                "another folder with --out."
            )
    if "content" in kept and kept["content"] != now.get("content"):
        raise BadInput(
            f"{folder} holds a training on other pictures, labels or captions than --data gives, equal in number. Give "
            "the data that it began with, or another folder with --out."
        )
    other = [name for name, sha in kept.get("networks", {}).items() if now.get("networks", {}).get(name) != sha]
    if other:
        raise BadInput(
            f"{folder} holds a training that builds on another {' and '.join(other)}. Give --weights as when it "
            "began, or another folder with --out."
        )


def _counted(key: str, words: str, value: Any) -> str:
    if not isinstance(value, dict):
        return words.format(value)
    if key == "classes":
        named = [f"{n:,} {'classes' if name == 'class' else f'values of {name}'}" for name, n in value.items()]
        return " and ".join(named) or "pictures without classes"
    return ", ".join(f"{name} ({n:,})" for name, n in value.items())
