"""The pictures of the README and of docs/limits.md: python benchmarks/gallery.py [--generations N]

Runs the shipped program with its defaults, once for each phrase, and draws the best different pictures in a row each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zeuxis.config import RunConfig
from zeuxis.report.top import distinct
from zeuxis.run import RunFolder, generate

GALLERY = (
    "a red fire truck", "a white horse on grass", "a jet under a blue sky", "a ship on blue water",
    "a yellow car", "a kitten", "a green frog", "a moose",
)  # fmt: skip
FAILURES = ("a castle", "two dogs", "a purple airplane", "a cat at night", "a man riding a horse")
DOCS = Path(__file__).parent.parent / "docs" / "images"
SIZE, COLUMNS, MARGIN, LABEL = 96, 10, 4, 230


def row(phrase: str, generations: int) -> np.ndarray:
    """One run: the best different pictures, enlarged, side by side: uint8 (SIZE, COLUMNS * SIZE, 3)."""
    with TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        generate(phrase, seed=1, generations=generations, out=folder)
        population = [Image.open(file).convert("RGB") for file in RunFolder(folder).individuals()]  # best first
        pictures = [population[place] for place in distinct([np.asarray(p) for p in population], COLUMNS)]
    enlarged = [np.asarray(p.resize((SIZE, SIZE), Image.Resampling.NEAREST)) for p in pictures]
    enlarged += [np.full((SIZE, SIZE, 3), 255, np.uint8)] * (COLUMNS - len(enlarged))
    return np.concatenate(enlarged, axis=1)


def sheet(phrases: tuple[str, ...], generations: int, path: Path) -> None:
    """All rows with their phrases to the left."""
    canvas = Image.new("RGB", (LABEL + COLUMNS * SIZE, len(phrases) * (SIZE + MARGIN)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(18)
    for number, phrase in enumerate(phrases):
        top = number * (SIZE + MARGIN)
        canvas.paste(Image.fromarray(row(phrase, generations)), (LABEL, top))
        draw.text((8, top + SIZE // 2 - 10), phrase, "black", font)
        print(phrase, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, optimize=True)


def main() -> None:
    """Both sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=RunConfig().generations)
    args = parser.parse_args()
    sheet(GALLERY, args.generations, DOCS / "gallery.png")
    sheet(FAILURES, args.generations, DOCS / "failures.png")


if __name__ == "__main__":
    main()
