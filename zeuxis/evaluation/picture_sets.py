"""Sets of pictures to compare: a folder of files of any format and size, or a split of a known data set.

Nothing is decoded here but what is asked for, one picture at a time, so that a set may be larger than memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zeuxis.data import ImageSet, read_images
from zeuxis.data.cache import checksum, fingerprint
from zeuxis.data.folder import splits
from zeuxis.data.readers import READERS
from zeuxis.errors import BadInput
from zeuxis.pictures.reading import FINAL, RUN, SUFFIXES, pictures_under, read_rgb
from zeuxis.rng import stream


class PictureSet(ABC):
    """`name` for people, `split` for the names of metrics ("" where there is only one); `labels` `(N,)` or None."""

    name: str
    split: str
    labels: Tensor | None
    classes: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int:
        """How many pictures, before any was found unreadable."""

    @abstractmethod
    def read(self, row: int) -> Tensor:
        """uint8 `(3, H, W)`. BadInput, one sentence, for a file that cannot be read."""

    @abstractmethod
    def title(self, row: int) -> str:
        """Its file, for a message."""

    @abstractmethod
    def identity(self, start: int, stop: int) -> str:
        """Changes when one of these pictures does: the key under which their features are kept."""


class FolderPictures(PictureSet):
    """Every picture under a folder, by name; sub-folders are classes. Of a run the final population."""

    def __init__(self, folder: Path, name: str = "", split: str = "") -> None:
        if not folder.is_dir():
            what = "a file" if folder.exists() else "nothing"
            raise BadInput(f"Expected a folder of pictures at {folder}, found {what} there. Check the path.")
        self.folder, self.name, self.split = folder, name or folder.name, split
        self.files = [file for file in pictures_under(folder) if file.is_file()]
        if not self.files and (folder / RUN).is_file():
            raise BadInput(f"The run in {folder} has no final population yet. Go on with: zeuxis resume {folder}")
        if not self.files:
            raise BadInput(f"Expected pictures ({', '.join(sorted(SUFFIXES))}) under {folder}, found none.")
        parts = [_class_of(file, folder) for file in self.files]
        self.classes = tuple(sorted(set(parts))) if set(parts) != {"."} else ()
        number = {name: k for k, name in enumerate(self.classes)}
        self.labels = torch.tensor([number[part] for part in parts]) if self.classes else None

    def __len__(self) -> int:
        """The files."""
        return len(self.files)

    def read(self, row: int) -> Tensor:
        """Decoded by the project's one reader: turned upright, on white where transparent, 8 bits."""
        return torch.from_numpy(np.array(read_rgb(self.files[row]))).permute(2, 0, 1)

    def title(self, row: int) -> str:
        """Below the folder."""
        return self.files[row].relative_to(self.folder).as_posix()

    def identity(self, start: int, stop: int) -> str:
        """Of places, sizes and times of change."""
        return fingerprint(self.files[start:stop])


def _class_of(file: Path, folder: Path) -> str:
    """The sub-folder that a picture is in; of a run's population that of the run."""
    inside = file.match(f"images/{FINAL}") and (file.parent.parent / RUN).is_file()
    place = file.parent.parent if inside else file.parent
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else "."


class DataPictures(PictureSet):
    """A split of a data set with a reader of its own; its first label is the class."""

    def __init__(self, images: ImageSet, name: str, split: str) -> None:
        self.images, self.name, self.split = images, name, split
        self.labels, self.classes = images.label(0) if images.labels else (None, ())

    def __len__(self) -> int:
        """Pictures."""
        return len(self.images)

    def read(self, row: int) -> Tensor:
        """As it was decoded; grey becomes RGB."""
        return self.images.pixels[row].permute(2, 0, 1).expand(3, -1, -1)

    def title(self, row: int) -> str:
        """Its number."""
        return f"picture {row}"

    def identity(self, start: int, stop: int) -> str:
        """Of the pixels themselves."""
        pixels = np.ascontiguousarray(self.images.pixels[start:stop].numpy())
        return f"{pixels.shape} {checksum(pixels)}"


class Some(PictureSet):
    """At most `count` pictures of another set, drawn at random but always alike, in their order."""

    def __init__(self, of: PictureSet, count: int) -> None:
        self.of, self.name, self.split, self.classes = of, of.name, of.split, of.classes
        self.chosen = torch.randperm(len(of), generator=stream(0, "some pictures"))[:count].sort().values
        self.labels = None if of.labels is None else of.labels[self.chosen]

    def __len__(self) -> int:
        """Those chosen."""
        return len(self.chosen)

    def read(self, row: int) -> Tensor:
        """Of the set behind."""
        return self.of.read(int(self.chosen[row]))

    def title(self, row: int) -> str:
        """Of the set behind."""
        return self.of.title(int(self.chosen[row]))

    def identity(self, start: int, stop: int) -> str:
        """Of each picture."""
        return repr([self.of.identity(k, k + 1) for k in self.chosen[start:stop].tolist()])


def open_pictures(place: str, data: Path | None = None, split: str = "") -> PictureSet:
    """A folder, or with `data` the `split` of the data set whose reader is `place`.

    Of a folder with `train` and `test` in it the split asked for is taken, as training does.
    """
    if data is not None and place in READERS:
        images = read_images(place, data, split or "train")
        if images.channels not in (1, 3) or not len(images):
            raise BadInput(f"Expected pictures in grey or RGB in {place}, got {len(images)} of {images.channels}.")
        return DataPictures(images, place, split or "train")
    folder = Path(place).expanduser()
    if data is None and place in READERS and not folder.exists():
        raise BadInput(f"Expected the place of the data set {place}: add --data PATH.")
    if not folder.is_dir():
        return FolderPictures(folder)  # says what is wrong
    found, _ = splits(folder)
    if split and found["train"] != found["test"]:
        return FolderPictures(found[split], f"{folder.name}/{found[split].name}", split)
    return FolderPictures(folder, split=split)


def other_split(place: str, data: Path | None, split: str) -> PictureSet | None:
    """The pictures of the other split, for the floor and for memorisation; None where there is only one."""
    other = "test" if split == "train" else "train"
    if data is not None and place in READERS:
        return open_pictures(place, data, other)
    found, _ = splits(Path(place).expanduser())
    return open_pictures(place, None, other) if found["train"] != found["test"] else None
