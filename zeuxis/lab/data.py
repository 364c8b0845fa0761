"""Readers: one function per format, each gives `Images`. Decoded once, kept in memory as bytes.

pack      the project's own CIFAR-10 pack (.npz with AVIF sheets: train_00.., train_labels, train_term, terms, classes)
archive   the official CIFAR-10 python archive (cifar-10-python.tar.gz, or the unpacked folder)
folder    a plain image folder, one sub-folder per class (or none)
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.lab.archive import read_cifar_archive

RENAMED = {"gypsy_cab": "minicab"}  # a slur in the search words of 2006
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises on a bad picture
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif"}


@dataclass
class Images:
    """One split of a data set: `pixels` uint8 (N, H, W, 3), `labels` and `terms` (N,) int64.

    `terms` are fine labels ("dump truck"); a data set without them repeats its classes.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    terms: Tensor
    term_names: tuple[str, ...]
    source: str = ""
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: Tensor) -> Tensor:
        """Rows -> float32 (B, 3, H, W) in [-1, 1], channels last."""
        return to_signed(self.pixels[index])

    def term_class(self) -> Tensor:
        """The class of each term (T,): the one it occurs with most."""
        table = torch.zeros(len(self.term_names), len(self.classes), dtype=torch.int64)
        table.index_put_((self.terms, self.labels), torch.ones_like(self.terms), accumulate=True)
        return table.argmax(1)


def to_signed(pixels: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def read_images(kind: str, path: Path, split: str = "train", size: int = 32) -> Images:
    """The reader named `kind` ("cifar10" finds out whether it is the pack or the archive)."""
    if not path.exists():
        raise BadInput(f"Expected a data set at {path}, found nothing there. Give its place with --data PATH.")
    if kind not in READERS:
        raise BadInput(f"Unknown data reader {kind!r}. Known: {', '.join(READERS)}.")
    return READERS[kind](path, split, size)


def sheets(
    pack: np.lib.npyio.NpzFile, split: str, size: int, columns: int, count: int, mode: str = "RGB"
) -> np.ndarray:
    """The tiles of one split of a pack: uint8 (count, size, size, channels), in label order."""
    tiles = []
    for key in sorted(k for k in pack.files if k.startswith(f"{split}_") and k[-2:].isdigit()):
        sheet = np.asarray(Image.open(io.BytesIO(pack[key].tobytes())).convert(mode))
        rows = sheet.reshape(-1, size, columns, size, sheet.shape[2]).swapaxes(1, 2)
        tiles.append(rows.reshape(-1, size, size, sheet.shape[-1]))
    return np.concatenate(tiles)[:count]


def read_cifar10(path: Path, split: str, size: int) -> Images:
    """The pack or the official archive, whichever `path` is."""
    if path.is_dir() and (path / "cifar10.npz").exists():
        path = path / "cifar10.npz"
    if path.suffix == ".npz":
        return read_pack(path, split, size)
    pixels, labels, names, files = read_cifar_archive(path, split)
    terms, term_names = labels, names
    if files:  # "dump_truck_s_000123.png": the search term is in the name
        words = [readable(name.rsplit("_s_", 1)[0]) for name in files]
        term_names = tuple(sorted(set(words)))
        where = {word: i for i, word in enumerate(term_names)}
        terms = np.array([where[word] for word in words])
    return Images(
        torch.from_numpy(pixels), torch.from_numpy(labels).long(), names, torch.from_numpy(terms).long(), term_names,
        "CIFAR-10, official archive",
    )  # fmt: skip


def readable(word: str) -> str:
    """A search word as it is shown: "dump_truck" is "dump truck"."""
    return RENAMED.get(word, word).replace("_", " ")


def read_pack(path: Path, split: str, size: int) -> Images:
    """The .npz pack with AVIF sheets. BadInput for a file that is none."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as pack:
            return _unpack(pack, path, split, size)
    except BadInput:
        raise
    except Exception as error:  # numpy, zipfile and Pillow have a dozen ways to say so
        raise BadInput(
            f"{path} is not readable as a CIFAR-10 pack ({type(error).__name__}: {error}). Expected a whole .npz."
        ) from error


def _unpack(pack: np.lib.npyio.NpzFile, path: Path, split: str, size: int) -> Images:
    missing = {f"{split}_00", f"{split}_labels", f"{split}_term", "classes", "terms"} - set(pack.files)
    if missing:
        raise BadInput(f"{path} is no CIFAR-10 pack: it lacks {', '.join(sorted(missing))}.")
    labels, terms = pack[f"{split}_labels"].astype(np.int64), pack[f"{split}_term"].astype(np.int64)
    pixels = sheets(pack, split, size, 40, len(labels))
    classes = tuple(str(c) for c in pack["classes"])
    names = tuple(readable(str(t)) for t in pack["terms"])
    if not len(pixels) == len(labels) == len(terms):
        raise BadInput(f"Expected as many images as labels and terms in {path}, got {len(pixels)} of {len(labels)}.")
    for numbers, words in ((labels, classes), (terms, names)):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(words):
            raise BadInput(f"Expected numbers below {len(words)} in {path}, got up to {numbers.max()}.")
    return Images(
        torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels), classes,
        torch.from_numpy(terms), names, "CIFAR-10, AVIF pack",
    )  # fmt: skip


def read_folder(path: Path, split: str, size: int) -> Images:
    """A folder of pictures; sub-folders are classes. `path/train` and `path/test` are used when they exist.

    Both splits number the classes alike, also when one of them lacks a class.
    """
    roots = [path / name for name in ("train", "test") if (path / name).is_dir()] or [path]
    root = path / split if path / split in roots else roots[0]
    files = _pictures(root)
    if not files:
        raise BadInput(f"Expected pictures ({', '.join(sorted(SUFFIXES))}) under {root}, found none.")
    names = tuple(sorted({p.parent.relative_to(r).as_posix() for r in roots for p in _pictures(r)}))
    pixels, labels, notes = [], [], []
    for file in files:
        try:
            with Image.open(file) as opened:
                picture = opened.convert("RGB")
        except BROKEN as error:
            notes.append(f"left out {file.name}: {error}")
            continue
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
        pixels.append(torch.from_numpy(np.array(square)))
        labels.append(names.index(file.parent.relative_to(root).as_posix()))
    if not pixels:
        raise BadInput(f"None of the {len(files)} pictures under {root} could be read. First: {notes[0]}.")
    shown = tuple("image" if n == "." else n.replace("_", " ") for n in names)
    index = torch.tensor(labels)
    return Images(torch.stack(pixels), index, shown, index, shown, f"folder {root.name}", notes)


def _pictures(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)


READERS: dict[str, Callable[[Path, str, int], Images]] = {"cifar10": read_cifar10, "folder": read_folder}


@dataclass(frozen=True)
class EmojiText:
    """Name and keywords of one emoji, in the order of the pictures."""

    name: str
    keywords: tuple[str, ...]


def read_emoji_text(folder: Path, split: str) -> list[EmojiText]:
    """The words beside emoji64.npz; [] when the pack is not there."""
    path = folder / "emoji64.json"
    if not path.exists():
        return []
    items = json.loads(path.read_text(encoding="utf-8"))[split]
    return [EmojiText(i["name"], tuple(k.replace("_", " ") for k in i["keywords"])) for i in items]


def read_nouned(folder: Path, split: str, size: int = 32) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Caltech and emoji pictures on plain grounds: uint8 (N, size, size, 3), and the words for each.

    Empty when the packs are not in `folder`.
    """
    pixels = [torch.empty(0, size, size, 3, dtype=torch.uint8)]
    words: list[tuple[str, ...]] = []
    if (folder / "caltech93_64.npz").exists():
        with np.load(folder / "caltech93_64.npz", allow_pickle=False) as pack:
            labels = pack[f"{split}_labels"]
            pixels.append(_reduce(sheets(pack, split, 64, 20, len(labels)), size))
            words += [(str(pack["classes"][k]).replace("_", " "),) for k in labels]
    texts = read_emoji_text(folder, split)
    if texts and (folder / "emoji64.npz").exists():
        with np.load(folder / "emoji64.npz", allow_pickle=False) as pack:
            rgba = sheets(pack, split, 64, 20, len(texts), "RGBA").astype(np.float32)
        alpha = rgba[..., 3:] / 255
        ground = np.array([(255, 255, 255), (200, 210, 220), (60, 60, 60)], np.float32)[np.arange(len(rgba)) % 3]
        flat = rgba[..., :3] * alpha + ground[:, None, None] * (1 - alpha)
        pixels.append(_reduce(flat.astype(np.uint8), size))
        words += [(t.name, *t.keywords[:3]) for t in texts]
    return torch.cat(pixels), words


def _reduce(pixels: np.ndarray, size: int) -> Tensor:
    """uint8 (N, H, W, 3) -> (N, size, size, 3), antialiased."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    x = torch.nn.functional.interpolate(x, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return x.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
