"""Shop photos on white (shoes, bags, watches, ...), each with a title, a type and a colour: pack plus its texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zeuxis.data.base import SPLITS, ImageSet
from zeuxis.data.convert import numbered
from zeuxis.data.npz import open_npz
from zeuxis.data.packs import as_tensor, one_file, read_json, require, sheets
from zeuxis.errors import BadInput

TEXTS = ("products64.json.xz", "products64.json")
LABELS = ("type", "colour")


class Products:
    """`products64.npz` with `products64.json.xz` beside it."""

    def files(self, path: Path, split: str) -> list[Path]:
        """Pack and texts."""
        main = one_file(path, "products64.npz")
        return [main, one_file(main.parent, *TEXTS)]

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split at 64 pixels: labels type and colour, the titles as captions."""
        main, text = self.files(path, split)
        found = read_json(text)
        rows = {name: _rows(found, name, text) for name in SPLITS}
        # both splits number the words alike, also those that occur in one of them only
        words = {key: sorted({row[key] for split_rows in rows.values() for row in split_rows}) for key in LABELS}
        mine = rows[split]
        values = {}
        for key in LABELS:
            number = {word: i for i, word in enumerate(words[key])}
            values[key] = np.array([number[row[key]] for row in mine], np.int64)
        with open_npz(main, "products pack") as pack:
            require(pack, split, main)
            pixels = as_tensor(sheets(pack, split, 64, 25, len(mine)))
        labels, names = numbered(values, words, len(pixels), text.name)
        captions = tuple(row["title"] for row in mine)
        licence = "unclear: shop photos, remembered as MIT; the photos and names belong to the shop and the brands"
        return ImageSet(pixels, labels, names, captions, "Fashion product images (small), 64 px", licence)


def _rows(found: object, split: str, path: Path) -> list[dict[str, str]]:
    rows = found.get(split) if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("title", *LABELS)) for row in rows
    ):
        raise BadInput(f"Expected title, type and colour of every product under {split!r} in {path}. Copy it again.")
    return rows


PRODUCTS = Products()
