"""The table of readers, and `read_images`, the way to any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from zeuxis.data.base import SPLITS, ImageSet
from zeuxis.data.cache import cached
from zeuxis.data.convert import converted
from zeuxis.data.kinds import check_kind
from zeuxis.errors import BadInput
from zeuxis.registry import Entry, Table

LARGEST_SIDE = 1024  # pixels; what a set may be resampled to


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
        check_kind(kind, path)
        return cached(decoded, reader.files(path, split), (kind, str(path), split, resolution, channels))
    except OSError as error:  # no right to look into a folder, a disk that fails
        raise BadInput(f"Expected a readable data set at {path}, got: {error.strerror or error}. Check it.") from error
    except MemoryError as error:
        raise BadInput(f"Expected a data set that fits into memory at {path}. Ask for a lower resolution.") from error
