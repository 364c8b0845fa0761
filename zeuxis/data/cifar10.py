"""CIFAR-10: the `.npz` pack, or the official archive (`cifar-10-python.tar.gz`, or the folder it unpacks to)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from zeuxis.data.archive import BATCHES, read_cifar_archive
from zeuxis.data.base import ImageSet
from zeuxis.data.convert import numbered
from zeuxis.data.npz import open_npz
from zeuxis.data.packs import as_tensor, readable, require, sheets

LICENCE = "research only: none stated; from 80 Million Tiny Images, which its authors withdrew"
PACK, ARCHIVE = "cifar10.npz", "cifar-10-python.tar.gz"


class Cifar10:
    """Labels: class (10) and, where the file names or the pack tell it, term: the word the picture was found under."""

    def files(self, path: Path, split: str) -> list[Path]:
        """The pack, the archive, or the batches of the split."""
        path = _main(path)
        if not path.is_dir():
            return [path]
        inner = path / "cifar-10-batches-py"
        folder = inner if inner.is_dir() else path
        return [folder / name for name in ("batches.meta", *BATCHES[split]) if (folder / name).exists()]

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split at 32 pixels."""
        path = _main(path)
        return read_pack(path, split) if path.suffix == ".npz" else read_archive(path, split)


def _main(path: Path) -> Path:
    """The pack, archive or folder of batches that `path` means."""
    for name in (PACK, ARCHIVE):
        if path.is_dir() and (path / name).exists():
            return path / name
    return path


def read_pack(path: Path, split: str) -> ImageSet:
    """The pack with AVIF sheets of 1,000 pictures."""
    with open_npz(path, "CIFAR-10 pack") as pack:
        require(pack, split, path, f"{split}_labels", f"{split}_term", "classes", "terms")
        values = {"class": pack[f"{split}_labels"], "term": pack[f"{split}_term"]}
        words = {"class": [str(c) for c in pack["classes"]], "term": [readable(str(t)) for t in pack["terms"]]}
        count = len(values["class"])
        labels, names = numbered(values, words, count, str(path))
        pixels = as_tensor(sheets(pack, split, 32, 40, count))
    return ImageSet(pixels, labels, names, None, "CIFAR-10, AVIF pack", LICENCE)


def read_archive(path: Path, split: str) -> ImageSet:
    """The published batches; a term is the part of the file name before "_s_"."""
    pixels, classes, words, files = read_cifar_archive(path, split)
    labels, names = {"class": torch.from_numpy(classes).long()}, {"class": words}
    if files:  # "dump_truck_s_000123.png"
        terms = [readable(name.rsplit("_s_", 1)[0]) for name in files]
        names["term"] = tuple(sorted(set(terms)))
        number = {word: i for i, word in enumerate(names["term"])}
        labels["term"] = torch.from_numpy(np.array([number[term] for term in terms])).long()
    return ImageSet(as_tensor(pixels), labels, names, None, "CIFAR-10, official archive", LICENCE)


CIFAR10 = Cifar10()
