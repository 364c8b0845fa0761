"""A transformers folder read strictly: transformers itself fills missing tensors with random numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import MissingExtra, MissingModel, WeightsRefused
from zeuxis.hub.beside import read_json
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.convert import read_raw
from zeuxis.hub.weights import Names, build_filled

READ = (".json", ".txt", ".model")
MOST_BYTES = 2**26  # of one of these
BPE_TABLE = "bpe_simple_vocab_16e6.txt.gz"  # of OpenAI's tokenizer
PASSING = ("position_ids",)  # counters that older versions saved


def need_transformers(what: str) -> Any:
    """The package, imported on use. MissingExtra without it."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("transformers", "clip", what) from error
    return transformers


def read_config(folder: Path, *needed: str) -> dict[str, Any]:
    """config.json of a folder. WeightsRefused for one that is none, or lacks a name."""
    path = folder / "config.json"
    if not path.is_file():
        raise MissingModel(f"Expected a config.json in {folder}, found none.")
    config = read_json(path)
    missing = [name for name in needed if name not in config]
    if missing:
        raise WeightsRefused(path, f"says nothing about {', '.join(missing)}")
    return config


def filled(make: Callable[[], nn.Module], state: Mapping[str, Any], file: Path, older: Names = ()) -> nn.Module:
    """The network that `make` builds, filled strictly. WeightsRefused for a missing, unexpected or damaged tensor."""
    return build_filled(make, state, file, file.parent / "config.json", PASSING, older)


def read_state(folder: Path) -> tuple[dict[str, Any], Path]:
    """The weights of a folder, and their file."""
    raw = read_raw(folder)
    if not isinstance(raw.content, dict):
        raise WeightsRefused(raw.file, "is no state dictionary")
    return raw.content, raw.file


def folder_sha256(folder: Path, weights: Path) -> str:
    """One hash over every file that has a say: `weights`, and what lies in `folder` of configuration and tokenizer.

    WeightsRefused where one of the latter is larger than any.
    """
    digest = hashlib.sha256()
    beside = {path for path in folder.iterdir() if path.is_file() and (path.suffix in READ or path.name == BPE_TABLE)}
    for path in sorted({*beside, weights}):
        if path != weights and (size := path.stat().st_size) > MOST_BYTES:
            raise WeightsRefused(path, f"has {size:,} bytes, more than any configuration or vocabulary")
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def pooled(output: Any) -> Tensor:
    """The projected embedding: a tensor in transformers 4, `.pooler_output` in transformers 5."""
    found = output if isinstance(output, Tensor) else getattr(output, "pooler_output", None)
    if not isinstance(found, Tensor) or found.ndim != 2:
        raise WeightsRefused(Path("transformers"), f"gives a {type(output).__name__} for features; expected (N, E)")
    return found


def quiet(make: Callable[[], Any]) -> Callable[[], nn.Module]:
    """`make` without transformers' progress bars, on the CPU in float32."""

    def made() -> nn.Module:
        net: nn.Module = make()
        return net.to(torch.float32)

    return made
