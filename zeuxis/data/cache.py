"""Decoded pictures on disk: a plain `.npy` that is memory-mapped, and a `.json` with labels, words and captions.

data/KIND-SPLIT-KEY.npy    uint8 (N, H, W, C)
data/KIND-SPLIT-KEY.json   fingerprint of the source, checksum of the pixels, everything else of the ImageSet, checksum

KEY stands for path, split, resolution and channels; a changed source overwrites its entry. What does not agree with
its checksum, has none, or is no plain file (a link, a pipe) is decoded again. A folder that cannot be written costs
time, never the run; nothing is ever removed, but the whole folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import platformdirs
import torch

from zeuxis.data.base import ImageSet
from zeuxis.data.convert import numbered
from zeuxis.data.npz import LARGEST_HEADER, header_of
from zeuxis.storage.checksummed import checked_line, verified_line
from zeuxis.storage.files import open_plain
from zeuxis.storage.reading import MOST_LOG, read_plain

FORMAT = 2  # of the entries; a higher number leaves old ones unread
SMALLEST = 1_000_000  # bytes of a source worth caching: less is decoded in a blink
END = 65_536  # bytes hashed at either end of a file: .npz, .gz and .xz keep their checksums there
FEW = 16  # files of a source that are looked into; of more, size and time must do
PIECE = 2**24  # bytes given to the checksum at once
STALE = 86_400  # seconds after which a half-written file belongs to nobody


def data_folder() -> Path:
    """The folder of the entries: `data` in `ZEUXIS_CACHE`, else in the user's cache folder."""
    return Path(os.environ.get("ZEUXIS_CACHE") or platformdirs.user_cache_dir("zeuxis")) / "data"


def cached(decode: Callable[[], ImageSet], files: Sequence[Path], key: tuple[object, ...]) -> ImageSet:
    """What `decode` gives for the source `files`, from the cache if it is there and whole. `key` names the entry."""
    if not files or sum(file.stat().st_size for file in files if file.exists()) < SMALLEST:
        return decode()
    digest = hashlib.sha256(repr((FORMAT, *key)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    stem = data_folder() / f"{key[0]}-{key[2]}-{digest}"
    source = fingerprint(files)
    found = _load(stem, source)
    if found is None:
        images = decode()
        if not _store(images, stem, source):
            return images
        found = _load(stem, source)  # the decoded pixels leave memory; the map takes their place
        return images if found is None else found
    return found


def fingerprint(files: Sequence[Path]) -> str:
    """Sizes, times and, of few files, the bytes at both ends."""
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat() if path.exists() else None
        digest.update(repr((str(path), stat and (stat.st_size, stat.st_mtime_ns))).encode("utf-8", "surrogatepass"))
        if stat and len(files) <= FEW and path.is_file():
            with path.open("rb") as file:
                digest.update(file.read(END))
                file.seek(max(stat.st_size - END, 0))
                digest.update(file.read(END))
    return digest.hexdigest()


def _load(stem: Path, source: str) -> ImageSet | None:
    """The entry, or None if it is missing, of another source, or not what it was when it was written."""
    try:
        facts, checked = verified_line(read_plain(stem.with_suffix(".json"), MOST_LOG))
        if not checked or facts["fingerprint"] != source:
            return None
        pixels = _pixels(stem.with_suffix(".npy"))
        if pixels is None or list(pixels.shape) != facts["shape"] or checksum(pixels) != facts["crc32"]:
            return None
        labels, names = numbered(
            {name: np.array(rows, np.int64) for name, rows in facts["labels"].items()},
            facts["names"], len(pixels), "the cache",
        )  # fmt: skip
        captions = facts["captions"] and tuple(facts["captions"])
        texts = [facts["source"], facts["licence"], *facts["notes"], *facts["left_out"], *(captions or ())]
        if (captions and len(captions) != len(pixels)) or not all(isinstance(text, str) for text in texts):
            return None
        return ImageSet(
            torch.from_numpy(pixels),
            labels,
            names,
            captions,
            facts["source"],
            facts["licence"],
            list(facts["notes"]),
            list(facts["left_out"]),
        )
    except Exception:  # whatever is wrong with an entry, decoding again puts it right
        return None


def _pixels(path: Path) -> np.ndarray | None:
    """The pictures `(N, H, W, C)` in a plain file, mapped: a write to them stays in memory, where a read-only map would
    end the process. None for anything else; ValueError or RunDamaged for what is no such file.
    """
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        head = file.read(LARGEST_HEADER)
        shape, fortran, dtype, start = header_of(head, path.name, os.fstat(file.fileno()).st_size)
        if dtype != np.uint8 or len(shape) != 4 or not min(shape) or shape[1] != shape[2] or shape[3] not in (1, 3):
            return None
        return np.memmap(file, dtype, "c", start, shape, "F" if fortran else "C")


def _store(images: ImageSet, stem: Path, source: str) -> bool:
    """Write the entry, pixels first, each file in one step. False if the folder cannot be written."""
    pixels = images.pixels.numpy()
    facts: dict[str, Any] = {
        "fingerprint": source, "shape": list(pixels.shape), "crc32": checksum(pixels),
        "labels": {name: rows.tolist() for name, rows in images.labels.items()}, "names": images.names,
        "captions": images.captions, "source": images.source, "licence": images.licence, "notes": images.notes,
        "left_out": images.left_out,
    }  # fmt: skip
    parts = [
        stem.with_name(f"{stem.name}.{os.getpid()}-{threading.get_ident()}{suffix}.part")
        for suffix in (".npy", ".json")
    ]
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for old in stem.parent.glob("*.part"):  # of a process that was killed while it wrote
            with contextlib.suppress(FileNotFoundError):
                if time.time() - old.lstat().st_mtime > STALE:
                    old.unlink()
        with _new(parts[0]) as file:
            np.save(file, pixels, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        with _new(parts[1]) as file:
            file.write(checked_line(facts).encode())
            file.flush()
            os.fsync(file.fileno())
        parts[0].replace(stem.with_suffix(".npy"))
        parts[1].replace(stem.with_suffix(".json"))
    except (OSError, ValueError):
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()
        return False
    return True


def checksum(pixels: np.ndarray) -> int:
    """CRC-32 of the bytes, read in pieces."""
    flat, value = pixels.reshape(-1), 0
    for start in range(0, flat.size, PIECE):
        value = zlib.crc32(flat[start : start + PIECE].data, value)
    return value


def _new(part: Path) -> BinaryIO:
    """A file that was not there before; a link in its place is removed, not written through."""
    part.unlink(missing_ok=True)
    return part.open("xb")
