"""Features of frozen networks, computed once and kept in the user's cache.

features/KEY.npy: float16 (up to 2000, D), then the SHA-256 of that. KEY stands for the pixels, the network's weights
and the view. What is not as it was written, or has no SHA-256, is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zeuxis.data import to_signed
from zeuxis.data.cache import checksum, data_folder
from zeuxis.data.npz import LARGEST_HEADER, array_of
from zeuxis.errors import BadInput, RunDamaged, RunUnwritable
from zeuxis.lab.augment import flip_and_shift
from zeuxis.rng import stream
from zeuxis.storage.files import atomic_write, make_folder
from zeuxis.storage.reading import read_plain

BATCH = 20  # small enough for the processor's cache
PIECE = 2000  # pictures in one file
DIGEST = 32  # bytes
VERSION = 1  # of what the views do; a higher number leaves old entries unread
SMALLEST = 256  # pictures worth keeping
WIDEST = 2**16  # numbers of a picture


def cached_features(
    pixels: Tensor, features: Callable[[Tensor], Tensor], identity: str, view: int = 0, folder: Path | None = None
) -> Tensor:
    """`features` of uint8 pictures (N, H, W, 3) -> float16 (N, D), from the cache where they are there.

    View 0 is the picture as it is; any other mirrors half of the pictures and shifts each by up to a sixteenth of its
    side, at random but always alike. `identity` says which network it is (a checksum). `folder` replaces the cache's.
    The cache is filled piece by piece, so a run that was cut goes on where it was.
    """
    folder = folder or data_folder().parent / "features"
    pieces = [_piece(part, features, identity, view, folder) for part in torch.split(pixels, PIECE)]
    if len({piece.shape[1] for piece in pieces}) > 1:
        raise BadInput(
            f"Expected features of one width in {str(folder)[-120:]}, got several: they are of other networks. Remove "
            "that folder, or give another."
        )
    return torch.cat(pieces)


def _piece(pixels: Tensor, features: Callable[[Tensor], Tensor], identity: str, view: int, folder: Path) -> Tensor:
    flat = np.ascontiguousarray(pixels.numpy())
    key = hashlib.sha256(repr((VERSION, identity, view, flat.shape, checksum(flat))).encode()).hexdigest()[:24]
    path = folder / f"{key}.npy"
    if (kept := _kept(path, len(pixels))) is not None:
        return torch.from_numpy(kept)
    found = _computed(pixels, features, view)
    if len(pixels) >= SMALLEST:
        _store(found, path)
    return torch.from_numpy(found)


@torch.no_grad()
def _computed(pixels: Tensor, features: Callable[[Tensor], Tensor], view: int) -> np.ndarray:
    rows = []
    for start in range(0, len(pixels), BATCH):
        x = to_signed(pixels[start : start + BATCH])
        if view:
            x = flip_and_shift(x, stream(view, "features", start), pad=max(x.shape[-1] // 16, 1))
        rows.append(features((x + 1) / 2).half().cpu().numpy())
    return np.concatenate(rows)


def _kept(path: Path, rows: int) -> np.ndarray | None:
    """float16 (rows, D) from the cache; None where they are not there, or not as they were written."""
    try:
        data = read_plain(path, 2 * rows * WIDEST + LARGEST_HEADER)
        if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
            return None
        found: np.ndarray = array_of(data[:-DIGEST], path.name)
    except (ValueError, RunDamaged):  # not there, among others
        return None
    fits = found.dtype == np.float16 and found.ndim == 2 and len(found) == rows and found.shape[1] > 0
    return found.copy() if fits and bool(np.isfinite(found).all()) else None


def _store(found: np.ndarray, path: Path) -> None:
    """A folder that cannot be written costs time, never the run."""
    data = io.BytesIO()
    np.save(data, found, allow_pickle=False)
    body = data.getvalue()
    with contextlib.suppress(RunUnwritable):
        make_folder(path.parent)
        atomic_write(path, body + hashlib.sha256(body).digest())
