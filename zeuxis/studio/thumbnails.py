"""Thumbnails of the gallery: made when they are first asked for, kept on disk, the oldest removed beyond a bound."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from zeuxis.errors import ZeuxisError
from zeuxis.pictures.reading import Limits, read_rgb
from zeuxis.storage.files import PART, make_folder
from zeuxis.storage.reading import read_plain
from zeuxis.studio.gallery import Gallery
from zeuxis.studio.index import Found
from zeuxis.studio.status import fitted

SIDE = 192  # pixels
FIRST = 48  # pictures that the first screen of the gallery shows
LIMITS = Limits(bytes=64_000_000, pixels=4096 * 4096, side=8192, formats=("PNG",))
MOST_BYTES = 300_000_000  # of all thumbnails: about 50,000 of them
KEPT = 0.75  # share of the bound that is left after a cleaning
TOUCHED = 86_400  # seconds after which a thumbnail that is shown again counts as new


class Thumbnails:
    """The thumbnails of a gallery, in a folder of its own."""

    def __init__(self, gallery: Gallery, most: int = MOST_BYTES) -> None:
        self.gallery, self.folder, self.most = gallery, gallery.own / "thumbnails", most
        self._lock = threading.Lock()
        self._unseen = most  # bytes written since the last cleaning: the first write looks at what there is

    def kept(self, found: Found, side: int = SIDE) -> bytes | None:
        """The WebP with `side` pixels a side that is on disk; None where there is none yet."""
        return _kept(self._place(found, side))

    def prepare(self, pictures: Iterable[Found], closing: Callable[[], bool] = lambda: False) -> None:
        """Make those that are not there yet, so that nobody waits for them; what cannot be read is left out."""
        for found in pictures:
            if closing():
                return
            with contextlib.suppress(ZeuxisError, OSError):
                self.of(found)

    def of(self, found: Found, side: int = SIDE) -> bytes:
        """A WebP with `side` pixels a side. RunDamaged or BadInput where the picture cannot be read."""
        place = self._place(found, side)
        if (kept := _kept(place)) is not None:
            return kept
        picture = read_rgb(self.gallery.data(found), LIMITS)
        data = io.BytesIO()
        Image.fromarray(fitted(np.asarray(picture)[None], side)[0]).save(data, "WEBP", quality=85, method=1)
        self._keep(place, data.getvalue())
        return data.getvalue()

    def clean(self) -> int:
        """Remove what was shown longest ago until the rest fits well into the bound; bytes that are left."""
        there = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                facts = path.lstat()
                there.append((facts.st_mtime, facts.st_size, path))
        left = sum(size for _, size, _ in there)
        if left > self.most:
            for _, size, path in sorted(there):
                if left <= KEPT * self.most:
                    break
                with contextlib.suppress(OSError):
                    path.unlink()
                    left -= size
        return left

    def _place(self, found: Found, side: int) -> Path:
        name = hashlib.sha256(f"{found.run}/{found.file}/{found.made}/{side}".encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}.webp"

    def _keep(self, place: Path, data: bytes) -> None:
        """Written without waiting for the disk, for it can be made again; nothing at all where the disk is full."""
        part = place.with_name(f".{place.stem}.{secrets.token_hex(4)}{PART}")
        try:
            make_folder(self.folder)
            place.parent.mkdir(exist_ok=True)
            part.write_bytes(data)
            part.replace(place)
        except (OSError, ZeuxisError):
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return
        with self._lock:
            self._unseen += len(data)
            due = self._unseen > self.most * (1 - KEPT) / 2
            self._unseen = 0 if due else self._unseen
        if due:
            self.clean()


def _kept(place: Path) -> bytes | None:
    """A thumbnail as it was kept; None for one that is not there or is not whole."""
    try:
        if time.time() - place.lstat().st_mtime > TOUCHED:
            os.utime(place, follow_symlinks=False)
        data = read_plain(place, 4_000_000)
    except (OSError, ZeuxisError):
        return None
    return data if data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") + 8 == len(data) else None
