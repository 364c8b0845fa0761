"""A transformers folder read strictly: transformers itself fills missing tensors with random numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import MissingExtra, MissingModel, WeightsRefused
from zeuxis.hub.convert import read_raw
from zeuxis.hub.weights import fill

READ = (".safetensors", ".bin", ".json", ".txt", ".model")
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
    if not path.is_file() or path.stat().st_size > 2**22:
        raise MissingModel(f"Expected a config.json in {folder}, found none.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsRefused(path, f"is no JSON: {str(error)[:120]}") from error
    missing = [name for name in needed if not isinstance(config, dict) or name not in config]
    if missing:
        raise WeightsRefused(path, f"says nothing about {', '.join(missing)}")
    return dict(config)


def filled(make: Callable[[], nn.Module], state: Mapping[str, Any], file: Path) -> nn.Module:
    """The network that `make` builds, filled strictly. WeightsRefused for a missing, unexpected or damaged tensor."""
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise WeightsRefused(file, f"is a {type(value).__name__}, expected a tensor", str(name)[:80])
        if not str(name).endswith(PASSING):
            tensors[str(name)] = value
    try:
        net = make()
    except Exception as error:  # a forged configuration may fail anywhere in transformers
        raise WeightsRefused(file.parent / "config.json", f"describes no network: {str(error)[:160]}") from error
    return fill(net, tensors, file)


def read_state(folder: Path) -> tuple[dict[str, Any], Path]:
    """The weights of a folder, and their file."""
    raw = read_raw(folder)
    if not isinstance(raw.content, dict):
        raise WeightsRefused(raw.file, "is no state dictionary")
    return raw.content, raw.file


def folder_sha256(folder: Path, weights: Path | None = None) -> str:
    """One hash over every file that has a say: weights (`weights` alone, if given), configuration, tokenizer."""
    digest = hashlib.sha256()
    kinds = READ if weights is None else READ[2:]
    files = {path for path in folder.iterdir() if path.is_file() and (path.suffix in kinds or path.name == BPE_TABLE)}
    for path in sorted(files if weights is None else files | {weights}):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
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
