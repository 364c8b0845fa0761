"""Your own pictures: a folder whose sub-folders are classes.

Where its sub-folders are `train` and a held-out part (`test`, `val`, `valid` or `validation`) and nothing else, they
are the two splits; with any other sub-folder beside them they are classes like the rest.

Captions: `NAME.txt` beside `NAME.png`, or lines {"file": "cats/1.png", "caption": "a cat"} in `captions.jsonl` (the
names "file_name" and "text" of other tools are read as well; paths count from the folder of the list).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from zeuxis.data.base import SPLITS, ImageSet
from zeuxis.data.convert import room_for
from zeuxis.errors import BadInput
from zeuxis.pictures.reading import SUFFIXES, pictures_under, read_rgb, square
from zeuxis.storage.reading import read_bounded

DEFAULT_RESOLUTION = 64  # pixels a side, where nobody asks for another: the folder has no native one
CAPTIONS = "captions.jsonl"
LONGEST_CAPTION = 10_000  # bytes
LARGEST_LIST = 256 * 2**20  # bytes of captions.jsonl
TRAIN = ("train", "training")
HELD_OUT = ("test", "testing", "val", "valid", "validation")  # the first that is there is used


class Folder:
    """Pictures of any size, cut to their middle square; broken ones are left out and named."""

    def files(self, path: Path, split: str) -> list[Path]:
        """Everything under the split's folder, the pictures of the other one too: both number the classes alike."""
        if not path.is_dir():
            raise BadInput(f"Expected a folder of pictures, got the file {path}. Give the folder that holds it.")
        wanted = SUFFIXES | {".txt"}
        roots = set(splits(path)[0].values())
        return sorted(p for r in roots for p in r.rglob("*") if p.suffix.lower() in wanted or p.name == CAPTIONS)

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split, resampled once from the pictures themselves."""
        size, (roots, notes) = resolution or DEFAULT_RESOLUTION, splits(path)
        root = roots[split]
        files = pictures_under(root)
        if not files:
            raise BadInput(
                f"Expected pictures ({', '.join(sorted(SUFFIXES))}) under {root}, found none. Check the path."
            )
        room_for(len(files), size, 3)
        captions, unread = _captions(root, files)
        pixels = np.empty((len(files), size, size, 3), np.uint8)
        kept: list[int] = []
        left_out: list[str] = []
        for number, file in enumerate(files):
            try:
                pixels[len(kept)] = square(read_rgb(file), size)
            except BadInput as error:
                left_out.append(f"{file.relative_to(root).as_posix()}: {error}")
                continue
            kept.append(number)
        if not kept:
            raise BadInput(f"None of the {len(files)} pictures under {root} could be read. First: {left_out[0]}")
        labels, names = _classes(sorted(set(roots.values())), root, [files[k] for k in kept])
        sentences = tuple(captions.get(files[k], "") for k in kept) if captions else None
        if sentences and (silent := sum(not s for s in sentences)):
            unread.append(f"{silent} of {len(kept)} pictures have no caption.")
        return ImageSet(
            torch.from_numpy(pixels[: len(kept)].copy() if len(kept) < len(files) else pixels),
            labels, names, sentences, f"folder {root.name}", "your own", notes + unread, left_out,
        )  # fmt: skip


def splits(path: Path) -> tuple[dict[str, Path], list[str]]:
    """The folder of each split, and in a sentence how they were found, unless all pictures serve as both.

    A folder called `train` is a split only where nothing but its partner is beside it: one class among others may well
    be called train.
    """
    parts = {
        p.name.lower(): p
        for p in sorted(path.iterdir())
        if p.is_dir() and any(f.suffix.lower() in SUFFIXES for f in p.rglob("*"))
    }
    loose = any(p.suffix.lower() in SUFFIXES and p.is_file() for p in path.iterdir())
    train = next((parts[name] for name in TRAIN if name in parts), None)
    held = [parts[name] for name in HELD_OUT if name in parts]
    if loose or len(parts) != len(held) + (train is not None) or not (train or held):
        return dict.fromkeys(SPLITS, path), []
    if train and held:
        unused = f" {_listed(held[1:])} is not used." if held[1:] else ""
        said = (
            f"The folders {train.name} and {held[0].name} in {path.name} are taken as the training and the held-out "
            f"pictures.{unused} If they are classes, rename one of them."
        )
        return {"train": train, "test": held[0]}, [said]
    if len(parts) > 1:  # test and val without train
        return dict.fromkeys(SPLITS, path), []
    alone = train or held[0]
    said = f"The only folder in {path.name} is {alone.name}: its pictures are the training and the held-out ones."
    return dict.fromkeys(SPLITS, alone), [said]


def _listed(folders: list[Path]) -> str:
    return ", ".join(folder.name for folder in folders)


def _classes(
    roots: list[Path], root: Path, kept: list[Path]
) -> tuple[dict[str, torch.Tensor], dict[str, tuple[str, ...]]]:
    """Sub-folders as classes, numbered alike in both splits; no labels where there are no sub-folders."""
    folders = sorted({p.parent.relative_to(r).as_posix() for r in roots for p in pictures_under(r)})
    if folders == ["."]:
        return {}, {}
    number = {name: i for i, name in enumerate(folders)}
    rows = torch.tensor([number[p.parent.relative_to(root).as_posix()] for p in kept])
    return {"class": rows}, {"class": tuple("image" if n == "." else n.replace("_", " ") for n in folders)}


def _captions(root: Path, files: list[Path]) -> tuple[dict[Path, str], list[str]]:
    """Caption by picture, of those that have one; and what could not be read."""
    found: dict[Path, str] = {}
    notes: list[str] = []
    for listed in sorted(root.rglob(CAPTIONS)):
        lines = read_bounded(listed, LARGEST_LIST, "list of captions").decode("utf-8", "replace").splitlines()
        for number, line in enumerate(lines, 1):
            if line.strip():
                name, text = _entry(line, listed, number)
                found[listed.parent / name] = text
    for file in files:
        beside = file.with_suffix(".txt")
        if beside.exists():
            try:
                text = read_bounded(beside, LONGEST_CAPTION, "caption").decode("utf-8", "replace")
                found[file] = " ".join(text.split())
            except BadInput as error:
                notes.append(f"left out the caption {beside.name}: {error}")
    return found, notes


def _entry(line: str, listed: Path, number: int) -> tuple[str, str]:
    try:
        entry = json.loads(line)
        name, text = entry.get("file", entry.get("file_name")), entry.get("caption", entry.get("text"))
    except (ValueError, AttributeError, RecursionError):
        name = text = None
    if not isinstance(name, str) or not isinstance(text, str) or len(text) > LONGEST_CAPTION:
        raise BadInput(
            f'Expected {{"file": "...", "caption": "..."}} in line {number} of {listed}, got {line[:60]!r}. Correct it.'
        )
    return name, " ".join(text.split())


FOLDER = Folder()
