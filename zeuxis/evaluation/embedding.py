"""Features of a set of pictures, piece by piece: bounded in memory, kept in the cache, taken up again after a kill.

features-of-sets/KEY.safetensors in the user's cache: up to 1000 pictures, float32, checksummed. KEY stands for the
network's weights and the pictures. `save_reference` writes all of a set to one file of the user's choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import BadInput, RunDamaged, RunUnwritable
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.picture_sets import PictureSet
from zeuxis.hub.cache import cache_folder
from zeuxis.storage.checksummed import Header, checksummed, verified
from zeuxis.storage.files import atomic_write, make_folder

PIECE, BATCH = 1000, 32  # pictures in one file; pictures of one size shown to the network at once
VERSION = 1  # of how pictures reach the networks; a higher number leaves old entries unread
PIXELS = 2**22  # shown to the network at once, at most, unless one picture has more
Report = Callable[[int, int], None]  # pictures done, of how many


@dataclass(frozen=True)
class Embedded:
    """`features` `(N, D)` float32 of the readable pictures; `rows` `(N,)` their numbers; `left_out` "file: reason"."""

    name: str
    split: str
    features: Tensor
    rows: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features)


def embed_set(
    pictures: PictureSet, space: FeatureSpace, *, strict: bool = False, folder: Path | None = None,
    report: Report | None = None,
) -> Embedded:  # fmt: skip
    """All pictures in one feature space. A broken file is left out and named, or with `strict` a BadInput.

    BadInput as well where none can be read. `folder` replaces the cache's.
    """
    place = folder or cache_folder() / "features-of-sets"
    features, rows, count = torch.empty(0, 0), torch.empty(len(pictures), dtype=torch.int64), 0
    left_out: list[str] = []
    for start in range(0, len(pictures), PIECE):
        stop = min(start + PIECE, len(pictures))
        part, numbers, broken = _piece(pictures, space, start, stop, place)
        if strict and broken:
            raise BadInput(f"Expected readable pictures only in {pictures.name}, got {broken[0]}")
        left_out += broken
        if len(part) and not len(features):  # all rows at once: a second copy of 50,000 would not be bounded
            features = torch.empty(len(pictures), part.shape[1])
        if len(part):
            features[count : count + len(part)], rows[count : count + len(part)] = part, numbers
            count += len(part)
        if report is not None:
            report(stop, len(pictures))
    if not count:
        raise BadInput(f"None of the {len(pictures)} pictures in {pictures.name} could be read. First: {left_out[0]}")
    labels = None if pictures.labels is None else pictures.labels[rows[:count]]
    return Embedded(
        pictures.name, pictures.split, features[:count], rows[:count], labels, pictures.classes, tuple(left_out)
    )


def save_reference(path: Path, found: Embedded, space: FeatureSpace) -> None:
    """One checksummed safetensors file with features, labels and what they are of. RunUnwritable, or whole."""
    tensors = {"features": found.features, "rows": found.rows}  # copied by `checksummed`
    if found.labels is not None:
        tensors["labels"] = found.labels
    header: Header = {"kind": "reference features", "version": VERSION, "space": space.word, "weights": space.sha256}
    header |= {"resize": space.resize, "name": found.name, "split": found.split, "classes": list(found.classes)}
    atomic_write(path, checksummed(tensors, header | {"left_out": list(found.left_out)}))


def check_reference_place(path: Path) -> None:
    """BadInput unless `path` can be a saved reference: a new .safetensors file, or one that was written as such."""
    if path.suffix != ".safetensors":
        raise BadInput(f"Expected a name that ends in .safetensors for --save-reference, got {path.name}.")
    if path.exists():
        try:
            kind = verified(path)[1].get("kind")
        except RunDamaged:
            kind = None
        if kind != "reference features":
            raise BadInput(
                f"Expected a new file for --save-reference, or saved features to replace, got {path}, which holds "
                "something else. Give another name."
            )


def load_reference(path: Path, space: FeatureSpace) -> Embedded:
    """What `save_reference` wrote. RunDamaged for a changed file, BadInput for features of another network."""
    if path.suffix != ".safetensors":
        raise BadInput(f"Expected a folder, or a .safetensors file of saved reference features, got {path.name}.")
    tensors, header = verified(path)
    if header.get("kind") != "reference features" or header.get("version") != VERSION or "features" not in tensors:
        raise BadInput(f"Expected a file from `zeuxis metrics --save-reference`, got another one: {path.name}.")
    if (header.get("space"), header.get("weights")) != (space.word, space.sha256):
        raise BadInput(f"Expected reference features of {space.name}, got those of {header.get('space')} in "
                       f"{path.name}: give the same --features, or make the file anew.")  # fmt: skip
    found = Embedded(str(header.get("name")), str(header.get("split")), tensors["features"],
                     tensors.get("rows", torch.empty(0)), tensors.get("labels"),
                     _words(header.get("classes")), _words(header.get("left_out")))  # fmt: skip
    _check(found, path)
    return found


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _check(found: Embedded, path: Path) -> None:
    """A checksum says that nothing changed by accident, not that the writer meant well."""
    x, labels, count = found.features, found.labels, len(found.features)
    whole = x.ndim == 2 and x.dtype == torch.float32 and count > 0 and found.rows.shape == (count,)
    if whole and labels is not None:
        whole = labels.shape == (count,) and labels.dtype == torch.int64
        whole = whole and 0 <= int(labels.min()) <= int(labels.max()) < len(found.classes)
    if not whole:
        raise BadInput(f"Expected features (N, D) with a number and a class each in {path.name}, got other shapes or "
                       "types. Make the file anew.")  # fmt: skip


def _piece(
    pictures: PictureSet, space: FeatureSpace, start: int, stop: int, folder: Path
) -> tuple[Tensor, Tensor, list[str]]:
    """Features `(n, D)`, numbers of the readable ones `(n,)`, the others as "file: reason"; from the cache if there."""
    said = repr((VERSION, space.word, space.sha256, start, stop, pictures.identity(start, stop)))
    path = folder / f"{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.safetensors"
    if path.is_file():
        try:
            tensors, header = verified(path)
            return tensors["features"], tensors["rows"], list(map(str, header["left_out"]))
        except (RunDamaged, KeyError):
            pass  # computed anew, and written over
    features, rows, broken = _computed(pictures, space, start, stop)
    try:
        make_folder(folder)
        atomic_write(path, checksummed({"features": features, "rows": rows}, {"left_out": broken}))
    except RunUnwritable:
        pass  # a cache that cannot be written costs time, never the result
    return features, rows, broken


def _computed(pictures: PictureSet, space: FeatureSpace, start: int, stop: int) -> tuple[Tensor, Tensor, list[str]]:
    rows: list[int] = []
    broken: list[str] = []
    parts = [space.embed(batch) for batch in _batches(pictures, start, stop, rows, broken)]
    features = torch.cat(parts) if parts else torch.empty(0, 0)
    if len(features) and not bool(torch.isfinite(features).all()):
        raise BadInput(f"The network {space.name} gives NaN or infinity for pictures of {pictures.name}. Check it.")
    return features.float().contiguous(), torch.tensor(rows, dtype=torch.int64), broken


def _batches(pictures: PictureSet, start: int, stop: int, rows: list[int], broken: list[str]) -> Iterator[Tensor]:
    """Neighbouring pictures of one size, uint8 `(n, 3, H, W)`; fills `rows` and `broken` on the way."""
    held: list[Tensor] = []
    for row in range(start, stop):
        try:
            picture = pictures.read(row)
        except BadInput as error:
            broken.append(f"{pictures.title(row)}: {error}")
            continue
        most = max(PIXELS // picture[0].numel(), 1)
        if held and (picture.shape != held[0].shape or len(held) >= min(BATCH, most)):
            yield torch.stack(held)
            held = []
        held.append(picture)
        rows.append(row)
    if held:
        yield torch.stack(held)
