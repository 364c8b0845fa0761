"""MNIST and Fashion-MNIST: the `.npz.xz` pack, or the published IDX files, plain or gzipped.

IDX (http://yann.lecun.com/exdb/mnist): two zero bytes, a type byte (8: unsigned bytes), the number of dimensions, each
size as four bytes, most significant first; then the values.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zeuxis.data.base import ImageSet
from zeuxis.data.convert import numbered, room_for
from zeuxis.data.npz import open_npz
from zeuxis.data.packs import as_tensor
from zeuxis.errors import BadInput
from zeuxis.storage.reading import read_bounded

SIDE = 28
BORDERED = 32  # the size that most networks for digits expect: two black pixels on each side
LARGEST_IDX = 256 * 2**20  # bytes unpacked; the published training images have 47 MB
PREFIX = {"train": "train", "test": "t10k"}
FASHION = (
    "T-shirt or top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"
)  # fmt: skip


@dataclass(frozen=True)
class Digits:
    """Grey pictures of 28 pixels in ten classes. `path` is the pack, one IDX file, or the folder that holds them."""

    packs: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    licence: str

    def files(self, path: Path, split: str) -> list[Path]:
        """The pack, or the two IDX files of the split."""
        if not path.is_dir():
            return [path] if _is_pack(path) else _idx_pair(path.parent, split)
        for name in self.packs:
            if (path / name).exists():
                return [path / name]
        inner = path / "raw"
        return _idx_pair(inner if inner.is_dir() else path, split)

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split at 28 pixels, or at 32 with a black border."""
        files = self.files(path, split)
        images, labels = self._pack(files[0], split) if len(files) == 1 else (_idx(files[0], 3), _idx(files[1], 1))
        where = files[0].name
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8 or not len(images):
            raise BadInput(f"Expected (N, {SIDE}, {SIDE}) bytes in {where}, got {images.dtype} {images.shape}.")
        room_for(len(images), BORDERED, 1)
        if resolution == BORDERED:
            edge = (BORDERED - SIDE) // 2
            images = np.pad(images, ((0, 0), (edge, edge), (edge, edge)))
        found, names = numbered({"class": labels}, {"class": self.classes}, len(images), where)
        return ImageSet(as_tensor(images[..., None]), found, names, None, self.source, self.licence)

    def _pack(self, path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
        with open_npz(path, f"{self.source} pack") as pack:
            missing = {f"{split}_images", f"{split}_labels"} - set(pack.files)
            if missing:
                raise BadInput(f"Expected another pack than {path}: it lacks {', '.join(sorted(missing))}.")
            return pack[f"{split}_images"], pack[f"{split}_labels"]


def _is_pack(path: Path) -> bool:
    return path.name.endswith((".npz", ".npz.xz"))


def _idx_pair(folder: Path, split: str) -> list[Path]:
    """Images and labels of a split, under any of their usual names."""
    found = []
    for part in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        stem = f"{PREFIX[split]}-{part}"
        names = [stem, f"{stem}.gz", stem.replace("-idx", ".idx"), stem.replace("-idx", ".idx") + ".gz"]
        there = [folder / name for name in names if (folder / name).exists()]
        if not there:
            raise BadInput(f"Expected a pack, or {stem} (plain or .gz), in {folder}, found neither. Check the path.")
        found.append(there[0])
    return found


def _idx(path: Path, dimensions: int) -> np.ndarray:
    """The array of an IDX file of bytes with that many dimensions."""
    data = read_bounded(path, LARGEST_IDX, "IDX file")
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, path)
    start = 4 + 4 * dimensions
    if len(data) < start or data[:4] != bytes([0, 0, 8, dimensions]):
        raise BadInput(
            f"Expected an IDX file of bytes with {dimensions} dimension(s) at {path}, its first bytes are "
            f"{data[:4].hex() or 'missing'}. Download it again."
        )
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    count = 1
    for size in shape:
        count *= size
    if count != len(data) - start:
        raise BadInput(f"Expected {count:,} values in {path}, got {len(data) - start:,}. Download it again.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _gunzip(data: bytes, path: Path) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(data, LARGEST_IDX)
    except zlib.error as error:
        raise BadInput(f"Expected {path} to be a whole gzip file: {error}. Download it again.") from error
    if not unpacker.eof:
        raise BadInput(f"Expected {path} to be a whole gzip file of at most {LARGEST_IDX:,} bytes. Download it again.")
    return found


MNIST = Digits(
    ("mnist_25k.npz.xz", "mnist.npz.xz", "mnist.npz"), tuple("0123456789"), "MNIST", "CC BY-SA 3.0"
)  # fmt: skip
FASHION_MNIST = Digits(
    ("fashion_mnist_10k.npz.xz", "fashion_mnist.npz.xz", "fashion-mnist.npz"), FASHION, "Fashion-MNIST", "MIT"
)
