"""An image set, and the table of readers that make one.

Every reader gives the same thing: uint8 pictures of one size, labels by name, captions. It is decoded once; the pixels
then lie in the user's cache as a plain `.npy` that is memory-mapped (zeuxis.data.cache).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.registry import Entry, Table

SPLITS = ("train", "test")
LARGEST_SIDE = 1024  # pixels; what a set may be resampled to
MOST_BYTES = 16 * 2**30  # of decoded pixels in one split


@dataclass
class ImageSet:
    """One split of a data set.

    pixels    uint8 (N, H, W, C), H = W, C is 1 (grey) or 3 (RGB); a private memory map where it came from the cache
    labels    name -> int64 (N,), coarse before fine: {"class": ..., "term": ...}; {} for a set without labels
    names     the same keys -> the words for 0, 1, 2, ...
    captions  one sentence for each picture ("" where a folder lacks one), or None
    licence   in plain words: "research only", ...
    notes     what was left out or changed while reading
    """

    pixels: Tensor
    labels: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    captions: tuple[str, ...] | None = None
    source: str = ""
    licence: str = "unknown"
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def resolution(self) -> int:
        """Pixels a side."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.pixels.shape[3])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of words of each label: (10, 396) for CIFAR-10 with its search terms, () without labels."""
        return tuple(len(words) for words in self.names.values())

    def batch(self, rows: Tensor) -> Tensor:
        """Rows (B,) -> float32 (B, C, H, W) in [-1, 1], channels last."""
        return to_signed(self.pixels[rows])

    def label(self, position: int) -> tuple[Tensor, tuple[str, ...]]:
        """One label (N,) and its words: 0 is the coarsest, -1 the finest. BadInput where there is none."""
        if not self.labels:
            raise BadInput(f"Expected pictures with labels, got {self.source or 'a set'} without any. Use another set.")
        name = list(self.labels)[position]
        return self.labels[name], self.names[name]

    def label_rows(self) -> Tensor:
        """All labels side by side: int64 (N, L), L = 0 without labels."""
        return torch.stack(list(self.labels.values()), 1) if self.labels else torch.empty(len(self), 0).long()

    def combinations(self) -> tuple[Tensor, Tensor]:
        """The distinct rows of labels that occur, sorted: int64 (K, L), and how often each does: int64 (K,)."""
        if not self.labels:  # one empty combination
            return torch.empty(1, 0).long(), torch.tensor([len(self)])
        found, counts = torch.unique(self.label_rows(), dim=0, return_counts=True)
        return found, counts

    def term_class(self) -> Tensor:
        """The coarsest label of each word of the finest one (T,): the one it occurs with most."""
        (classes, class_names), (terms, term_names) = self.label(0), self.label(-1)
        table = torch.zeros(len(term_names), len(class_names), dtype=torch.int64)
        table.index_put_((terms, classes), torch.ones_like(terms), accumulate=True)
        return table.argmax(1)


def to_signed(pixels: Tensor) -> Tensor:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W) in [-1, 1], channels last."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


class Reader(Protocol):
    """What a row of READERS points at."""

    def files(self, path: Path, split: str) -> list[Path]:
        """Every file that the split depends on; `path` is the main one or its folder. BadInput if there is none."""
        ...

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split at its native resolution, or at the one asked for where the reader knows better than resampling."""
        ...


READERS = Table(
    "data reader",
    {
        "cifar10": Entry("zeuxis.data.cifar10:CIFAR10", "CIFAR-10, 32 px: the .npz pack or the official archive"),
        "mnist": Entry("zeuxis.data.digits:MNIST", "handwritten digits, 28 px grey: pack or IDX files"),
        "fashion-mnist": Entry("zeuxis.data.digits:FASHION_MNIST", "clothes, 28 px grey: pack or IDX files"),
        "products": Entry("zeuxis.data.products:PRODUCTS", "shop photos on white with titles, type and colour, 64 px"),
        "tiny-imagenet": Entry("zeuxis.data.packs:TINY_IMAGENET", "160 ImageNet classes, 64 px, research only"),
        "caltech": Entry("zeuxis.data.packs:CALTECH", "93 nouns of Caltech-101, 64 px"),
        "emoji": Entry("zeuxis.data.packs:EMOJI", "Noto emoji on plain grounds with their names, 64 px"),
        "afhq-cat": Entry("zeuxis.data.packs:AFHQ_CAT", "portraits of cats, 128 px, non-commercial"),
        "imagenet-sample": Entry("zeuxis.data.packs:IMAGENET_SAMPLE", "one picture of each ImageNet class, 128 px"),
        "folder": Entry("zeuxis.data.folder:FOLDER", "your own pictures: sub-folders are classes, .txt files captions"),
    },
)


def read_images(
    kind: str, path: str | Path, split: str = "train", *, resolution: int | None = None, channels: int | None = None
) -> ImageSet:
    """One split of the data set at `path` (a file, or the folder that holds it) by the reader `kind`.

    `resolution` in pixels a side resamples once, with antialiasing (MNIST gets a black border from 28 to 32 instead);
    None keeps the set's own. `channels` 1 or 3 converts. BadInput for a file that is missing, damaged or of another
    kind; UnknownName for an unknown reader.
    """
    from zeuxis.data.cache import cached
    from zeuxis.data.convert import converted

    reader: Reader = READERS[kind]
    path = Path(path).absolute()
    if split not in SPLITS:
        raise BadInput(f"Expected the split train or test, got {split!r}.")
    if resolution is not None and not 1 <= resolution <= LARGEST_SIDE:
        raise BadInput(f"Expected a resolution of 1 to {LARGEST_SIDE} pixels, got {resolution}.")
    if channels not in (None, 1, 3):
        raise BadInput(f"Expected 1 or 3 channels, got {channels}.")

    def decoded() -> ImageSet:
        return converted(reader.read(path, split, resolution), resolution, channels)

    try:
        if not path.exists():
            raise BadInput(f"Expected a data set at {path}, found nothing there. Give its place with --data PATH.")
        return cached(decoded, reader.files(path, split), (kind, str(path), split, resolution, channels))
    except OSError as error:  # no right to look into a folder, a disk that fails
        raise BadInput(f"Expected a readable data set at {path}, got: {error.strerror or error}. Check it.") from error
    except MemoryError as error:
        raise BadInput(f"Expected a data set that fits into memory at {path}. Ask for a lower resolution.") from error
