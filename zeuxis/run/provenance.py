"""Where a run comes from: versions, machine and the exact models. Nothing about the person or the computer's name."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL
import safetensors
import torch

from zeuxis import __version__
from zeuxis.hub.pocket import first_sha256
from zeuxis.scorers.base import Prompt


def software(*packages: str) -> dict[str, str]:
    """Versions of what the numbers and the files depend on; `packages` are those that this run needs besides."""
    return {
        "zeuxis": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "safetensors": safetensors.__version__,
        "pillow": PIL.__version__,
        **{package: importlib.metadata.version(package) for package in packages},
    }


def machine(device: torch.device) -> dict[str, str | int]:
    """What the run runs on: type of system, processor, device, threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "device": str(device),
        "device_name": name,
        "threads": torch.get_num_threads(),
    }


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system gives it."""
    try:
        lines = info.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def models(generator: Any, scorers: Sequence[Any], weights: Sequence[float], judge: Any | None) -> dict[str, Any]:
    """Name and sha256 of everything that turns a latent into a number."""
    return {
        "generator": _model(generator) | {"resolution": generator.resolution},
        "scorers": [_model(s) | {"weight": w} for s, w in zip(scorers, weights, strict=True)],
        "judge": None if judge is None else _model(judge),
    }


def same_models(one: Any, other: Any) -> bool:
    """Whether two records of `models` name the same weights, perhaps under the digests of different headers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_models(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_models, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return first_sha256(one) == first_sha256(other)
    return bool(one == other)


def prompt_sha256(prompt: Prompt) -> str:
    """One hash for words, weights and the pixels of image prompts: the same hash, the same question."""
    digest = hashlib.sha256(repr((prompt.templates, prompt.strict)).encode())
    for phrase in prompt.phrases:
        digest.update(repr((phrase.text, phrase.weight)).encode())
        if phrase.image is not None:
            digest.update(phrase.image.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _model(model: Any) -> dict[str, str]:
    return {"name": model.name, "sha256": model.sha256}
