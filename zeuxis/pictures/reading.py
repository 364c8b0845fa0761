"""Any picture that a person may have as 8-bit RGB, or one sentence that says why not.

PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF. Turned as its EXIF says; 16 bits a channel become 8; laid on a plain ground
where it is transparent; of an animation the first frame. Colour profiles are not applied. Size on disk and size in
pixels are checked before anything is decoded, because a small file can promise gigabytes.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from zeuxis.errors import BadInput
from zeuxis.storage.reading import read_bounded, shown

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
RUN, FINAL = "run.json", "final-*.png"  # a run's record; the pictures of its final population, in its `images`
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
WHITE = (255, 255, 255)
ORIENTATION = 0x0112  # the EXIF tag; its values:
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What is read at most: bytes on disk, pixels, pixels a side; and the formats, by Pillow's names."""

    bytes: int = 64_000_000
    pixels: int = 50_000_000
    side: int = 30_000
    formats: tuple[str, ...] = FORMATS


LIMITS = Limits()


def pictures_under(folder: Path) -> list[Path]:
    """All that is named like a picture below a folder, sorted; of a run the final population alone, no grids."""
    there = list(folder.rglob("*"))
    runs = {file.parent for file in there if file.name == RUN}
    runs |= {place for place in (folder, folder.parent) if (place / RUN).is_file()}

    def wanted(file: Path) -> bool:
        run = next((place for place in file.parents if place in runs), None)
        return run is None or (file.parent == run / "images" and file.match(FINAL))

    return sorted(file for file in there if file.suffix.lower() in SUFFIXES and (not runs or wanted(file)))


def read_rgb(
    source: str | Path | bytes,
    limits: Limits = LIMITS,
    *,
    ground: tuple[int, int, int] = WHITE,
    notes: list[str] | None = None,
) -> Image.Image:
    """The picture in a file, or in the bytes of one, in mode RGB. `ground` lies behind transparent pixels.

    BadInput, one sentence, if it is missing, a folder or a pipe, empty, no picture, cut short, or over the limits.
    A sentence is added to `notes` for an animation.
    """
    data = source if isinstance(source, bytes) else read_bounded(source, limits.bytes, "image file")
    name = "the picture" if isinstance(source, bytes) else shown(source)
    if not 0 < len(data) <= limits.bytes:
        raise BadInput(f"Expected a picture of 1 to {limits.bytes:,} bytes, got {len(data):,} bytes. Give another one.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs and odd metadata; sizes are checked here
            picture, animated = _decode(data, limits, ground, name)
    except BadInput:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit comes first, before the size can be read
        raise BadInput(f"Expected at most {limits.pixels:,} pixels in {name}. {error} Save it smaller.") from None
    except Exception as error:  # decoders raise nearly anything on a broken file
        raise BadInput(
            f"Expected a readable {', '.join(limits.formats)} image, but {name} is not one: "
            f"{_reason(error)}. Open it in an image viewer and save it as PNG."
        ) from error
    if animated and notes is not None:
        notes.append(f"{name} has several frames; the first one is read.")
    return picture


def square(picture: Image.Image, size: int) -> np.ndarray:
    """The middle square, bicubic with antialiasing: RGB of any size -> uint8 (size, size, 3)."""
    return middle(picture, size, size)


def middle(picture: Image.Image, height: int, width: int) -> np.ndarray:
    """The largest middle part of that shape, bicubic with antialiasing: RGB -> uint8 (height, width, 3)."""
    share = min(picture.height / height, picture.width / width)
    down, across = (max(1, round(side * share)) for side in (height, width))
    left, top = (picture.width - across) // 2, (picture.height - down) // 2
    box = (left, top, left + across, top + down)
    return np.array(picture.resize((width, height), Image.Resampling.BICUBIC, box))


def _decode(data: bytes, limits: Limits, ground: tuple[int, int, int], name: str) -> tuple[Image.Image, bool]:
    with Image.open(io.BytesIO(data), formats=limits.formats) as image:
        width, height = image.size
        if width * height > limits.pixels or max(width, height) > limits.side:
            raise BadInput(
                f"Expected at most {limits.pixels:,} pixels, got {width} x {height} in {name}, or more than "
                f"{limits.side:,} a side. Save it smaller."
            )
        if not width or not height:
            raise ValueError("it has no pixels")
        animated = bool(getattr(image, "is_animated", False))
        image.seek(0)
        image.load()
        return _rgb(_upright(image), ground, name), animated


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says. Damaged EXIF says nothing: the picture itself may be whole."""
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # Pillow's own readers of metadata raise nearly anything too
        turn = None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image, ground: tuple[int, int, int], name: str) -> Image.Image:
    """Any mode -> RGB, 8 bits a channel."""
    if image.mode.startswith("I;16"):
        # The high byte, as Pillow itself reads 16-bit RGB. convert("L") would clip everything above 255 to white.
        grey = np.asarray(image)
        clear = image.info.get("transparency")  # the one grey level that a PNG may declare transparent
        levels, alpha = (grey >> 8).astype(np.uint8), np.where(grey == clear, 0, 255).astype(np.uint8)
        image = Image.fromarray(levels) if clear is None else Image.fromarray(np.stack([levels, alpha], 2), "LA")
    if image.mode == "F":
        image = _of_floats(np.asarray(image), name)
    if image.mode == "I":
        raise BadInput(f"Expected 1 to 16 bits a channel, got 32 in {name}. Save it with 8 or 16 bits.")
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, (*ground, 255)), picture).convert("RGB")


def _of_floats(grey: np.ndarray, name: str) -> Image.Image:
    """Grey levels as floats from 0 (black) to 1 (white) -> 8 bits."""
    if not (np.isfinite(grey).all() and grey.min() >= 0 and grey.max() <= 1):
        raise BadInput(
            f"Expected grey levels from 0 to 1 in the floating-point picture {name}, got {grey.min():.4g} to "
            f"{grey.max():.4g}. Save it with 8 or 16 bits."
        )
    return Image.fromarray((grey * 255).round().astype(np.uint8))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no known kind"  # Pillow would name a memory address
    return str(getattr(error, "strerror", None) or error)[:120] or type(error).__name__
