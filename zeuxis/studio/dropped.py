"""A picture that a person has dropped: one of Zeuxis is drawn again and compared, any other becomes an image prompt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.pictures.metadata import KEY, PictureInfo, read_picture
from zeuxis.pictures.reading import Limits, read_rgb
from zeuxis.pictures.writing import sheet_png
from zeuxis.report.commands import folder_command
from zeuxis.storage.files import atomic_write, make_folder
from zeuxis.tools.replay import replay

LIMITS = Limits(bytes=32_000_000, pixels=40_000_000, side=16_000)
PROMPT_SIDE = 512  # pixels of an image prompt that is kept
INBOX = "dropped"  # folder below the studio's own


@dataclass(frozen=True)
class Dropped:
    """What a dropped file is. `info` is None for a picture that Zeuxis did not make; `path` is where it is kept.

    `agrees`: drawn again it is the same to the pixel; False where it differs, None where it could not be drawn.
    """

    path: Path
    said: str
    info: PictureInfo | None = None
    agrees: bool | None = None
    drawn: np.ndarray | None = None
    command: str = ""


def take(data: bytes, place: Path) -> Dropped:
    """Look at the bytes of a dropped file, and keep it in the folder `place` under a name of ours.

    BadInput, one sentence, for what is no picture or is too large; sizes are checked before anything is decoded.
    """
    if not 0 < len(data) <= LIMITS.bytes:
        raise BadInput(f"Expected a picture of 1 to {LIMITS.bytes:,} bytes, got {len(data):,} bytes. Save it smaller.")
    if data[:8] == b"\x89PNG\r\n\x1a\n" and KEY.encode() in data:
        return _ours(data, place)
    return _photo(data, place)


def _ours(data: bytes, place: Path) -> Dropped:
    path = _kept(data, place)
    try:
        info, _ = read_picture(path)
    except BadInput as error:
        path.unlink()
        why = str(error).removeprefix(str(path)).strip()
        raise BadInput(f"The dropped picture {why}") from error
    command = folder_command("replay", path)
    try:
        found = replay(path)
    except ZeuxisError as error:
        return Dropped(path, str(error), info, None, None, command)
    if found.agrees:
        said = "Verified: drawn again from its latent it is the same picture, to the pixel."
    else:
        part = f"{100 * found.different:.1f} % of the pixels differ, by at most {found.max_difference} of 255"
        said = (
            f"Not the same: {part}. Model and latent fit, so it was changed after saving, or drawn on other hardware."
        )
    return Dropped(path, " ".join([said, *found.notes]), info, found.agrees, found.pixels, command)


def _photo(data: bytes, place: Path) -> Dropped:
    notes: list[str] = []
    picture = read_rgb(data, LIMITS, notes=notes)
    picture.thumbnail((PROMPT_SIDE, PROMPT_SIDE))
    path = _kept(sheet_png(np.asarray(picture)), place)
    said = "Zeuxis did not make this picture. It can be an image prompt: the search then looks for pictures like it."
    return Dropped(path, " ".join([said, *notes]))


def _kept(data: bytes, place: Path) -> Path:
    """The file under the hash of its content: what a browser calls it is never a path here."""
    make_folder(place)
    path = place / f"{hashlib.sha256(data).hexdigest()[:24]}.png"
    atomic_write(path, data)
    return path
