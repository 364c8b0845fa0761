"""Pictures with the nouns that fit them, from Caltech-101 and the emoji together."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from zeuxis.data.packs import read_emoji_text
from zeuxis.data.readers import read_images


def read_nouned(folder: Path, split: str, size: int = 32) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Caltech and emoji pictures on plain grounds: uint8 (N, size, size, 3), and the words for each.

    Empty when the packs are not in `folder`.
    """
    pixels = [torch.empty(0, size, size, 3, dtype=torch.uint8)]
    words: list[tuple[str, ...]] = []
    if (folder / "caltech93_64.npz").exists():
        found = read_images("caltech", folder, split, resolution=size)
        pixels.append(found.pixels)
        numbers, nouns = found.label(0)
        words += [(nouns[k],) for k in numbers.tolist()]
    texts = read_emoji_text(folder, split)
    if texts and (folder / "emoji64.npz").exists():
        pixels.append(read_images("emoji", folder, split, resolution=size).pixels)
        words += [(text.name, *text.keywords[:3]) for text in texts]
    return torch.cat(pixels), words
