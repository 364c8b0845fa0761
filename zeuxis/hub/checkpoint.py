"""What lies between a published file and a network: a raw file as read, and a checkpoint as this project keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeuxis.hub.model_file import Part


@dataclass(frozen=True)
class Raw:
    """A published file, safely read and not yet understood.

    `content` is what was in it: dictionaries, lists, tuples, numbers, text, tensors, numpy arrays and `Inert` objects
    (zeuxis.hub.pickles). `config` is the config.json that lay beside it, {} without one; `preprocessor` is what
    transformers' files beside it say about preparing pictures.
    """

    file: Path
    content: Any
    config: dict[str, Any] = field(default_factory=dict)
    preprocessor: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """Networks of one family: `parts` by name ("generator", "discriminator", "network"), NETWORKS[f"{family}/{part}"].

    `about` holds further JSON-able facts that no network needs but users may: classes, licence note, layout read.
    """

    family: str
    parts: dict[str, Part]
    about: dict[str, Any] = field(default_factory=dict)
