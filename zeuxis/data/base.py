"""An image set: what every reader gives.

Every reader gives the same thing: uint8 pictures of one size, labels by name, captions. It is decoded once; the pixels
then lie in the user's cache as a plain `.npy` that is memory-mapped (zeuxis.data.cache).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from zeuxis.errors import BadInput

SPLITS = ("train", "test")
MOST_BYTES = 16 * 2**30  # of decoded pixels in one split


@dataclass
class ImageSet:
    """One split of a data set.

    pixels    uint8 (N, H, W, C), H = W, C is 1 (grey) or 3 (RGB); a private memory map where it came from the cache
    labels    name -> int64 (N,), coarse before fine: {"class": ..., "term": ...}; {} for a set without labels
    names     the same keys -> the words for 0, 1, 2, ...
    captions  one sentence for each picture ("" where a folder lacks one), or None
    licence   in plain words: "research only", ...
    notes     how the files were taken, where that is not plain: a split, pictures without captions
    left_out  the pictures that could not be read, each as "file: reason"
    """

    pixels: Tensor
    labels: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    captions: tuple[str, ...] | None = None
    source: str = ""
    licence: str = "unknown"
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

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
