"""Picture files that a user names: the ending says which kind; what cannot be written is refused before the work.

And pictures as parts of a page, without a file.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.pictures.metadata import PictureInfo
from zeuxis.storage.places import check_file_place

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
QUALITY: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},  # 4:4:4, no colour is spread over its neighbours
    "WEBP": {"lossless": True},
}
LONGEST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65_500, "WEBP": 16_383}
STYLE = "display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start;font-family:sans-serif"


def check_picture_place(path: Path, what: str = "--out") -> None:
    """BadInput for an ending that names no kind of picture, RunUnwritable for a place where none can be written."""
    _format(path, what)
    check_file_place(path, what)


def encoded(pixels: np.ndarray, path: Path, info: PictureInfo | None = None) -> bytes:
    """`(H, W, 3)` uint8 as the file that the ending of `path` says. Only a PNG keeps `info`: see `metadata_note`."""
    kind, side = _format(path), max(pixels.shape[:2])
    if side > LONGEST_SIDE[kind]:
        raise BadInput(f"Expected at most {LONGEST_SIDE[kind]:,} pixels a side in a {kind}, got {side:,}. Write a PNG.")
    if kind == "PNG" and info is None:
        return sheet_png(pixels)
    data, kept = io.BytesIO(), {"pnginfo": info.to_png_info()} if kind == "PNG" and info is not None else {}
    Image.fromarray(pixels).save(data, kind, **QUALITY[kind], **kept)
    return data.getvalue()


def metadata_note(path: Path) -> str:
    """What to tell a user whose picture loses its latent by its ending; "" for a PNG."""
    if path.suffix.lower() == ".png":
        return ""
    return f"{path.name} holds the picture alone. Only a PNG keeps the latent that replay and arithmetic read."


def sheet_png(pixels: np.ndarray, *, quick: bool = False) -> bytes:
    """`(H, W, 3)` uint8 as a PNG without metadata, for enlarged pictures.

    Each row is stored as its difference to the one above (filter "up"), which is zero inside an enlarged pixel: half
    of Pillow's time, and a smaller file. `quick` looks for runs of equal bytes only: a quarter less time, a file a
    tenth larger.
    """
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, 3 * width)
    rows = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = 2  # filter "up", modulo 256
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE if quick else zlib.Z_DEFAULT_STRATEGY)
    chunks = ((b"IHDR", header), (b"IDAT", packer.compress(rows.data) + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def data_uri(kind: str, content: bytes) -> str:
    """A picture as part of a page: `kind` is png or jpeg."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def card(title: str, facts: Mapping[str, object], pictures: Mapping[str, bytes], width: int = 480) -> str:
    """What Jupyter shows: a title, facts by name and PNGs by their description, each at most `width` pixels wide.

    All text is escaped.
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    shown = "".join(
        f'<img alt="{escape(about, quote=True)}" style="max-width:{width}px;width:100%" src="{data_uri("png", png)}">'
        for about, png in pictures.items()
    )
    return f'<div style="{STYLE}"><div><b>{escape(title)}</b><table>{rows}</table></div>{shown}</div>'


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _format(path: Path, what: str = "the picture") -> str:
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise BadInput(
            f"Expected a file {', '.join(FORMATS)} for {what}, got {path.name[-60:]!r}. Give it such an ending."
        )
    return kind
