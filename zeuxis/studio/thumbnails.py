"""Thumbnails of the gallery on disk, and a selection of its pictures as one archive."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.pictures.reading import Limits, read_rgb
from zeuxis.storage.files import atomic_write, make_folder
from zeuxis.storage.reading import read_plain
from zeuxis.studio.gallery import Found, Gallery
from zeuxis.studio.status import fitted

SIDE = 192  # pixels
LIMITS = Limits(bytes=64_000_000, pixels=4096 * 4096, side=8192, formats=("PNG",))
MOST = 2000  # pictures in one archive


def thumbnail(gallery: Gallery, found: Found, side: int = SIDE) -> bytes:
    """A WebP, made when it is first asked for. RunDamaged or BadInput where the picture cannot be read."""
    name = hashlib.sha256(f"{found.run}/{found.file}/{found.made}/{side}".encode()).hexdigest()[:32]
    place = gallery.own / "thumbnails" / name[:2] / f"{name}.webp"
    if place.is_file():
        return read_plain(place)
    picture = read_rgb(read_plain(gallery.path(found), LIMITS.bytes), LIMITS)
    data = io.BytesIO()
    Image.fromarray(fitted(np.asarray(picture)[None], side)[0]).save(data, "WEBP", quality=85, method=2)
    make_folder(place.parent)
    atomic_write(place, data.getvalue())
    return data.getvalue()


def archive(gallery: Gallery, chosen: Sequence[Found]) -> bytes:
    """A ZIP of the pictures as they were saved, under names of ours, with `pictures.json` saying what they are."""
    if not 0 < len(chosen) <= MOST:
        raise BadInput(f"Expected 1 to {MOST:,} pictures for an archive, got {len(chosen):,}. Select others.")
    data, listed = io.BytesIO(), []
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as file:
        for number, found in enumerate(chosen):
            name = f"{number + 1:04d}-{Path(found.run).name}-{Path(found.file).name}"
            file.writestr(name, read_plain(gallery.path(found), LIMITS.bytes))
            listed.append({"name": name, **{k: v for k, v in asdict(found).items() if k not in ("id", "mark")}})
        file.writestr("pictures.json", json.dumps(listed, indent=1))
    return data.getvalue()
