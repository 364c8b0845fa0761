"""Styles that other programs saved as starts: NVIDIA's projector (projected_w.npz), the pivots of PTI and the codes of
e4e and pSp (.pt, w_pivots), editors of styles (.npy). A tensor alone, or in a dictionary under a usual name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.data.npz import array_of, open_npz
from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.hub.archives import read_archive
from zeuxis.storage.reading import read_bounded

SUFFIXES = (".pt", ".pth", ".npy", ".npz")
NAMES = ("w", "ws", "latent", "latents", "projected_w", "w_pivot", "dlatents")
MOST_BYTES = 2**26  # 900 styles of 18 layers of 512 numbers have half of it
MOST_STYLES = 64


def is_styles(file: str) -> bool:
    """Whether a file's name is that of saved styles."""
    return Path(file).suffix.lower() in SUFFIXES


def genes_of(file: str, generator: Generator) -> Tensor:
    """The latents `(K, D)` of a generator that draw the styles in a file. BadInput for one without styles."""
    encode: Any = getattr(generator, "encode", None)
    if encode is None:
        raise BadInput(f"{file} holds styles, and generator {generator.name!r} starts from none. Give a StyleGAN.")
    genes: Tensor = encode(read_styles(Path(file)), Path(file).name)
    return genes


def read_styles(path: Path) -> Tensor:
    """`(K, L, E)` float32 on the CPU; L is 1 for one style for all layers. BadInput, or WeightsRefused for a pickle
    that is none of torch's plain ones; nothing in it is run.
    """
    found = _content(path)
    if isinstance(found, dict):
        found = next((found[name] for name in NAMES if name in found), None)
    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        found = torch.from_numpy(found.astype(np.float32))
    w = found if isinstance(found, Tensor) and found.is_floating_point() else None
    if w is None or w.ndim not in (1, 2, 3) or not w.numel():
        raise BadInput(
            f"Expected {path.name} to hold styles, a tensor (layers, numbers) alone or as {', '.join(NAMES)}. Save it "
            "so."
        )
    w = w.detach().to("cpu", torch.float32)
    w = w.reshape(1, 1, -1) if w.ndim == 1 else w[None] if w.ndim == 2 else w
    if len(w) > MOST_STYLES or not bool(torch.isfinite(w).all()):
        raise BadInput(f"Expected at most {MOST_STYLES} styles of finite numbers in {path.name}, got {len(w):,}.")
    return w


def _content(path: Path) -> Any:
    if path.suffix.lower() == ".npz":
        with open_npz(path, "file of styles") as arrays:
            return {name: arrays[name] for name in NAMES if name in arrays.files}
    raw = read_bounded(path, MOST_BYTES, "file of styles")
    if path.suffix.lower() != ".npy":
        return read_archive(path)
    try:
        return array_of(raw, path.name)
    except ValueError as error:
        raise BadInput(f"Expected {path.name} to be an array of numpy: {str(error)[:160]}. Save it again.") from error
