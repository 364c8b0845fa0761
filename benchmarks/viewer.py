"""Does a person prefer the bred picture to the best of as many draws? Pairs side by side, shuffled, and the count.

    python benchmarks/viewer.py make FOLDER [--phrases N] [--seed 1] [--bred cma-ga] [--drawn samples|default]
    python benchmarks/viewer.py count FOLDER --votes LRL=RL...

`make` runs each phrase twice, with the search and with `samples` at equal images (`--drawn default`: as `zeuxis
generate` does, with the images of a default run), best picture of each, left and right by a coin that is written to
FOLDER/key.json and not shown; pairs.png has a pair for each phrase. A finished phrase is not made again. The viewer
looks at pairs.png without the key and writes down a letter for each pair: L, R, or = where none is better. `count`
opens the key: wins of the bred picture, of the drawn one, ties, and a two-sided sign test.
"""

from __future__ import annotations

import argparse
import json
import random
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from gallery import KINDS, PRODUCTS, THINGS
from PIL import Image, ImageDraw, ImageFont

from zeuxis.config import make_config
from zeuxis.pictures.grid import to_pixels
from zeuxis.run import Session, prepare_run

PHRASES = (*PRODUCTS, *KINDS, *THINGS)
POPULATION = 64  # of the draws
SIDE, COLUMNS, LINE = 192, 2, 26  # pixels of a picture, pairs in a row, height of a line of words


def best(phrase: str, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """The best picture `(H, W, 3)` uint8 of a run in memory, and what it cost and scored."""
    config = make_config(prompt=(phrase,), judge=None, **options)
    session = Session(prepare_run(config))
    images = 0
    for event in session:
        images = event.images_so_far
    x, score = session.search.best
    facts = {"search": session.config.search, "images": images, "score": score, "generator": session.config.generator}
    return to_pixels(session.problem.render(x[None], session.config.generations))[0], facts


def pair(phrase: str, folder: Path, seed: int, bred: str, drawn: str) -> None:
    """Both pictures of a phrase and the facts, in FOLDER/NAME.npz."""
    path = folder / f"{phrase.replace(' ', '-')}.npz"
    if path.exists():
        return
    first, told = best(phrase, search=bred, seed=seed)
    generations = max(1, round(told["images"] / POPULATION) - 1)
    equal = {"search": "samples", "generations": generations, "population": POPULATION}
    second, other = best(phrase, seed=seed, **(equal if drawn == "samples" else {}))
    np.savez(path, bred=first, drawn=second, facts=json.dumps([told, other]))
    print(phrase, told, other, flush=True)


def sheet(phrases: tuple[str, ...], folder: Path, seed: int) -> None:
    """pairs.png and key.json."""
    coin = random.Random(seed)
    rows = -(-len(phrases) // COLUMNS)
    width = 2 * SIDE + 20
    canvas = Image.new("RGB", (COLUMNS * width, rows * (SIDE + LINE)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    key = {}
    for number, phrase in enumerate(phrases):
        with np.load(folder / f"{phrase.replace(' ', '-')}.npz", allow_pickle=False) as found:
            order = ["bred", "drawn"]
            coin.shuffle(order)
            pictures = [Image.fromarray(found[name]).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for name in order]
            key[phrase] = {"left": order[0], "facts": json.loads(str(found["facts"]))}
        left, top = number % COLUMNS * width, number // COLUMNS * (SIDE + LINE)
        for place, picture in enumerate(pictures):
            canvas.paste(picture, (left + place * (SIDE + 4), top + LINE))
        draw.text((left + 4, top + 4), f"{number + 1}. {phrase}", "black", font)
    canvas.save(folder / "pairs.png", optimize=True)
    (folder / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")


def count(folder: Path, votes: str) -> str:
    """The wins of each side, and how likely such a count is if neither is preferred."""
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    if len(votes) != len(key) or set(votes) - set("LR="):
        raise SystemExit(f"Expected {len(key)} letters of L, R and =, got {votes!r}.")
    bred = drawn = 0
    for vote, facts in zip(votes, key.values(), strict=True):
        if vote != "=":
            won = (vote == "L") == (facts["left"] == "bred")
            bred, drawn = bred + won, drawn + (not won)
    n = bred + drawn
    tail = sum(comb(n, k) for k in range(max(bred, drawn), n + 1)) / 2**n if n else 1.0
    return f"bred {bred}, drawn {drawn}, ties {votes.count('=')}, of {len(key)}; sign test p = {min(1.0, 2 * tail):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=["make", "count"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--phrases", type=int, default=len(PHRASES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bred", default="cma-ga")
    parser.add_argument("--drawn", default="samples", choices=["samples", "default"])
    parser.add_argument("--votes", default="")
    args = parser.parse_args()
    if args.do == "count":
        print(count(args.folder, args.votes))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    phrases = PHRASES[: args.phrases]
    for phrase in phrases:
        pair(phrase, args.folder, args.seed, args.bred, args.drawn)
    sheet(phrases, args.folder, args.seed)


if __name__ == "__main__":
    main()
