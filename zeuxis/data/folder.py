"""Your own pictures: a folder whose sub-folders are classes. `path/train` and `path/test` are used when they exist.

Captions: `NAME.txt` beside `NAME.png`, or lines {"file": "cats/1.png", "caption": "a cat"} in `captions.jsonl` (the
names "file_name" and "text" of other tools are read as well; paths count from the folder of the list).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from zeuxis.data.base import ImageSet
from zeuxis.data.convert import room_for
from zeuxis.errors import BadInput
from zeuxis.pictures.files import read_bounded
from zeuxis.pictures.reading import SUFFIXES, read_rgb, square

DEFAULT_RESOLUTION = 64  # pixels a side, where nobody asks for another: the folder has no native one
CAPTIONS = "captions.jsonl"
LONGEST_CAPTION = 10_000  # bytes
LARGEST_LIST = 256 * 2**20  # bytes of captions.jsonl


class Folder:
    """Pictures of any size, cut to their middle square; broken ones are left out and noted."""

    def files(self, path: Path, split: str) -> list[Path]:
        """Everything under the split's folder, the pictures of the other one too: both number the classes alike."""
        if not path.is_dir():
            raise BadInput(f"Expected a folder of pictures, got the file {path}. Give the folder that holds it.")
        wanted = SUFFIXES | {".txt"}
        return sorted(p for r in _roots(path) for p in r.rglob("*") if p.suffix.lower() in wanted or p.name == CAPTIONS)

    def read(self, path: Path, split: str, resolution: int | None) -> ImageSet:
        """The split, resampled once from the pictures themselves."""
        size, roots = resolution or DEFAULT_RESOLUTION, _roots(path)
        root = path / split if path / split in roots else roots[0]
        files = _pictures(root)
        if not files:
            raise BadInput(
                f"Expected pictures ({', '.join(sorted(SUFFIXES))}) under {root}, found none. Check the path."
            )
        room_for(len(files), size, 3)
        captions, notes = _captions(root, files)
        pixels = np.empty((len(files), size, size, 3), np.uint8)
        kept: list[int] = []
        for number, file in enumerate(files):
            try:
                pixels[len(kept)] = square(read_rgb(file), size)
            except BadInput as error:
                notes.append(f"left out {file.name}: {error}")
                continue
            kept.append(number)
        if not kept:
            raise BadInput(f"None of the {len(files)} pictures under {root} could be read. First: {notes[-len(files)]}")
        labels, names = _classes(roots, root, [files[k] for k in kept])
        sentences = tuple(captions.get(files[k], "") for k in kept) if captions else None
        if sentences and (silent := sum(not s for s in sentences)):
            notes.append(f"{silent} of {len(kept)} pictures have no caption.")
        return ImageSet(
            torch.from_numpy(pixels[: len(kept)].copy() if len(kept) < len(files) else pixels),
            labels, names, sentences, f"folder {root.name}", "your own", notes,
        )  # fmt: skip


def _roots(path: Path) -> list[Path]:
    return [path / name for name in ("train", "test") if (path / name).is_dir()] or [path]


def _pictures(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)


def _classes(
    roots: list[Path], root: Path, kept: list[Path]
) -> tuple[dict[str, torch.Tensor], dict[str, tuple[str, ...]]]:
    """Sub-folders as classes, numbered alike in both splits; no labels where there are no sub-folders."""
    folders = sorted({p.parent.relative_to(r).as_posix() for r in roots for p in _pictures(r)})
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
