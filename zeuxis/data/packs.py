"""Packs: `.npz` files whose pictures are encoded sheets of tiles (AVIF, JPEG or WebP), and the readers of five of them.

A pack holds `train_00`, `train_01`, ... and `test_00`, ...: the bytes of one sheet each, tiles row by row in the order
of `train_labels`. The number of columns and the size of a tile belong to the pack's description, not to the file.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from zeuxis.data.base import SPLITS, ImageSet
from zeuxis.data.convert import numbered, room_for
from zeuxis.data.npz import open_npz, read_xz
from zeuxis.errors import BadInput
from zeuxis.storage.reading import read_bounded

RENAMED = {"gypsy_cab": "minicab"}  # a slur in the search words of 2006
SHEET_PIXELS = 64_000_000  # of one sheet; the largest pack has 8 million
SHEET_FORMATS = ("AVIF", "JPEG", "WEBP", "PNG")
GROUNDS = ((255, 255, 255), (200, 210, 220), (60, 60, 60))  # behind emoji, in turn
IMAGENET_LICENCE = "research only: the pictures are ImageNet's (non-commercial research and education)"


class Arrays(Protocol):
    """Named arrays: an Npz, or what numpy.load gives."""

    @property
    def files(self) -> list[str]:
        """The names."""
        ...

    def __getitem__(self, name: str) -> np.ndarray:
        """One array."""
        ...


def readable(word: str) -> str:
    """A search word as it is shown: "dump_truck" is "dump truck"."""
    return RENAMED.get(word, word).replace("_", " ")


def sheets(pack: Arrays, split: str, size: int, columns: int, count: int, mode: str = "RGB") -> np.ndarray:
    """The first `count` tiles of one split: uint8 (count, size, size, channels), in the order of the labels.

    BadInput if a sheet is not `columns` tiles wide, and if all sheets together hold fewer than `count`.
    """
    channels = len(mode)
    room_for(max(count, 1), size, channels)
    out, filled = np.empty((count, size, size, channels), np.uint8), 0
    for key in sorted(k for k in pack.files if k.startswith(f"{split}_") and k[-2:].isdigit()):
        if filled >= count:
            break
        with Image.open(io.BytesIO(pack[key].tobytes()), formats=SHEET_FORMATS) as opened:
            width, height = opened.size
            if width != columns * size or height % size or width * height > SHEET_PIXELS:
                raise BadInput(
                    f"Expected a sheet {columns * size} pixels wide with rows of {size}, got {width} x "
                    f"{height} in {key}. The pack is another one, or damaged."
                )
            sheet = np.asarray(opened.convert(mode))
        tiles = sheet.reshape(-1, size, columns, size, channels).swapaxes(1, 2).reshape(-1, size, size, channels)
        taken = min(len(tiles), count - filled)
        out[filled : filled + taken] = tiles[:taken]
        filled += taken
    if filled < count:
        raise BadInput(f"Expected {count:,} pictures in the {split} split, got {filled:,}. The pack is not whole.")
    return out


def on_grounds(rgba: np.ndarray) -> np.ndarray:
    """Pictures with transparency on plain white, light and dark grounds in turn: uint8 (N, H, W, 4) -> (N, H, W, 3)."""
    out = np.empty((*rgba.shape[:3], 3), np.uint8)
    ground = np.array(GROUNDS, np.float32)
    for i, picture in enumerate(rgba.astype(np.float32)):
        alpha = picture[..., 3:] / 255
        out[i] = picture[..., :3] * alpha + ground[i % 3] * (1 - alpha)
    return out


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    """A contiguous, writable uint8 tensor of `pixels`."""
    pixels = np.ascontiguousarray(pixels)
    return torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())


def require(pack: Arrays, split: str, path: Path, *names: str) -> None:
    """BadInput unless the pack has sheets of the split and arrays of these names."""
    missing = sorted({f"{split}_00", *names} - set(pack.files))
    other = next((s for s in SPLITS if f"{s}_00" in pack.files), None)
    if f"{split}_00" in missing and other:
        raise BadInput(f"Expected the {split} split in {path}: it lacks {split}_00. Ask for its {other} split.")
    if missing:
        raise BadInput(f"Expected another pack than {path}: it lacks {', '.join(missing)}. Copy the file again.")


def one_file(path: Path, *names: str) -> Path:
    """`path` itself, or the first of `names` that lies in the folder `path`. BadInput if none does."""
    if not path.is_dir():
        return path
    for name in names:
        if (path / name).exists():
            return path / name
    raise BadInput(f"Expected {' or '.join(names)} in {path}, found none. Give the file itself, or its folder.")


def read_json(path: Path) -> Any:
    """A JSON file, also packed as .xz. BadInput for one that is missing, damaged or huge."""
    data = read_xz(path) if path.suffix == ".xz" else read_bounded(path, 2**28, "JSON file")
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"Expected JSON in {path}, got something else: {str(error)[:120]}. Copy it again.") from error


@dataclass(frozen=True)
class SheetPack:
    """A pack whose words are all in its own arrays.

    `size` of a tile in pixels, `columns` of a sheet, `counted_by` the array with one entry for each picture, `label`
    the name of its label; "" for none.
    """

    file: str
    size: int
    columns: int
    source: str
    licence: str
    counted_by: str = "{split}_labels"
    label: str = "class"

    def files(self, path: Path, split: str) -> list[Path]:
        """The pack."""
        return [one_file(path, self.file)]

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split at the pack's own size."""
        path = one_file(path, self.file)
        with open_npz(path, f"pack like {self.file}") as pack:
            counted_by = self.counted_by.format(split=split)
            require(pack, split, path, counted_by, *(["classes"] if self.label else []))
            entries = pack[counted_by]
            pixels = as_tensor(sheets(pack, split, self.size, self.columns, len(entries)))
            if not self.label:
                return ImageSet(pixels, source=self.source, licence=self.licence)
            # a pack with one picture of each class, in order, has no numbers
            numbers = np.arange(len(entries)) if counted_by == "classes" else entries
            words = [readable(str(word)) for word in pack["classes"]]
            labels, names = numbered({self.label: numbers}, {self.label: words}, len(pixels), path.name)
            return ImageSet(pixels, labels, names, None, self.source, self.licence)


TINY_IMAGENET = SheetPack("tinyimagenet160_64.npz", 64, 25, "Tiny ImageNet, 160 classes", IMAGENET_LICENCE)
CALTECH = SheetPack("caltech93_64.npz", 64, 20, "Caltech-101, 93 nouns", "CC BY 4.0; pictures from web searches")
AFHQ_CAT = SheetPack("afhqcat_128.npz", 128, 20, "AFHQ cats", "non-commercial (CC BY-NC 4.0)", "{split}_names", "")
IMAGENET_SAMPLE = SheetPack(
    "imagenet1000_128.npz", 128, 20, "one picture of each ImageNet class", IMAGENET_LICENCE, "classes"
)


@dataclass(frozen=True)
class EmojiText:
    """Name and keywords of one emoji, in the order of the pictures."""

    name: str
    keywords: tuple[str, ...]


def read_emoji_text(folder: Path, split: str) -> list[EmojiText]:
    """The words in `folder`/emoji64.json; [] when the file is not there."""
    path = folder / "emoji64.json"
    if not path.exists():
        return []
    try:
        items = [(item["name"], item["keywords"]) for item in read_json(path)[split]]
        return [EmojiText(str(name), tuple(str(k).replace("_", " ") for k in keys)) for name, keys in items]
    except (KeyError, TypeError) as error:
        raise BadInput(f"Expected a list of names and keywords under {split!r} in {path}. Copy it again.") from error


class Emoji:
    """Drawings with transparency, laid on plain grounds; the caption is the emoji's name."""

    def files(self, path: Path, split: str) -> list[Path]:
        """The pack and the words beside it."""
        main = one_file(path, "emoji64.npz")
        return [main, main.parent / "emoji64.json"]

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split at 64 pixels."""
        main, text = self.files(path, split)
        words = read_emoji_text(main.parent, split)
        if not words:
            raise BadInput(f"Expected the names of the {split} emoji in {text}, found none. Put it beside {main.name}.")
        with open_npz(main, "emoji pack") as pack:
            require(pack, split, main)
            pixels = on_grounds(sheets(pack, split, 64, 20, len(words), "RGBA"))
        captions = tuple(word.name for word in words)
        licence = "Noto emoji: Apache 2.0 or SIL OFL 1.1; names: MIT"
        return ImageSet(as_tensor(pixels), {}, {}, captions, "Noto emoji", licence)


EMOJI = Emoji()
