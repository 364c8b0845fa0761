"""The pictures of the README and of docs/limits.md.

    python benchmarks/gallery.py [--generations N] [--only gallery] [--runs FOLDER]

Runs the shipped program with its defaults, once for each phrase. `gallery` is a contact sheet, the best picture of each
phrase; `failures` are the best different pictures, a row each. Nothing is picked by hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zeuxis.report.top import distinct
from zeuxis.run import RunFolder
from zeuxis.workflows import generate

PRODUCTS = (
    "a red high heel", "a black wrist watch", "a green backpack", "a pair of blue sneakers", "a brown handbag",
    "a white sports shoe", "a pair of sunglasses", "a pink flip flop", "a brown belt", "a red lipstick",
    "a black formal shoe", "a blue cap",
)  # fmt: skip
KINDS = (
    "a red fire truck", "a white horse on grass", "a jet under a blue sky", "a ship on blue water", "a green frog",
    "a yellow car",
)  # fmt: skip
THINGS = (
    "a lighthouse by the sea", "a yellow school bus", "a monarch butterfly", "a lemon", "a lion", "a snowy mountain",
)  # fmt: skip
FAILURES = ("a castle", "two dogs", "a purple airplane", "a cat at night", "a man riding a horse")
ACROSS, TILE = 6, 150  # of the contact sheet
DOCS = Path(__file__).parent.parent / "docs" / "images"
SIZE, COLUMNS, MARGIN, LABEL = 96, 10, 4, 230


def population(phrase: str, generations: int | None, runs: Path | None) -> list[Image.Image]:
    """One run: its final population, the best first. A run that ended in the folder `runs` is not made again."""
    with TemporaryDirectory() as parent:
        folder = (runs or Path(parent)) / phrase.replace(" ", "-")
        told: dict[str, Any] = {} if generations is None else {"generations": generations}
        if not (folder / "summary.json").is_file():
            generate(phrase, seed=1, out=folder, **told)
        print(phrase, flush=True)
        return [Image.open(file).convert("RGB") for file in RunFolder(folder).individuals()]


def row(phrase: str, generations: int | None, runs: Path | None) -> np.ndarray:
    """The best different pictures of a run, enlarged, side by side: uint8 (SIZE, COLUMNS * SIZE, 3)."""
    found = population(phrase, generations, runs)
    pictures = [found[place] for place in distinct([np.asarray(p) for p in found], COLUMNS)]
    enlarged = [np.asarray(p.resize((SIZE, SIZE), Image.Resampling.NEAREST)) for p in pictures]
    enlarged += [np.full((SIZE, SIZE, 3), 255, np.uint8)] * (COLUMNS - len(enlarged))
    return np.concatenate(enlarged, axis=1)


def sheet(phrases: tuple[str, ...], generations: int | None, path: Path, runs: Path | None) -> None:
    """All rows with their phrases to the left."""
    canvas = Image.new("RGB", (LABEL + COLUMNS * SIZE, len(phrases) * (SIZE + MARGIN)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(18)
    for number, phrase in enumerate(phrases):
        top = number * (SIZE + MARGIN)
        canvas.paste(Image.fromarray(row(phrase, generations, runs)), (LABEL, top))
        draw.text((8, top + SIZE // 2 - 10), phrase, "black", font)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, optimize=True)


def contact(phrases: tuple[str, ...], generations: int | None, path: Path, runs: Path | None) -> None:
    """The best picture of each phrase with the phrase below."""
    lines = -(-len(phrases) // ACROSS)
    canvas = Image.new("RGB", (ACROSS * (TILE + MARGIN), lines * (TILE + 24)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for number, phrase in enumerate(phrases):
        left, top = number % ACROSS * (TILE + MARGIN), number // ACROSS * (TILE + 24)
        best = population(phrase, generations, runs)[0].resize((TILE, TILE), Image.Resampling.LANCZOS)
        canvas.paste(best, (left, top))
        draw.text((left + 4, top + TILE + 3), phrase, "black", font)
    canvas.save(path, optimize=True)


def main() -> None:
    """The sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, help="in place of the defaults")
    parser.add_argument("--only", nargs="*", default=["gallery", "failures"])
    parser.add_argument(
        "--runs", type=Path, help="a folder that keeps the runs; those that are there are not made again"
    )
    args = parser.parse_args()
    if "gallery" in args.only:
        contact(PRODUCTS + THINGS + KINDS, args.generations, DOCS / "gallery.png", args.runs)
    if "failures" in args.only:
        sheet(FAILURES, args.generations, DOCS / "failures.png", args.runs)


if __name__ == "__main__":
    main()
