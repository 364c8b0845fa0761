"""Settings under names: files as `--write-config` writes them and `--config FILE` takes them, in one folder.

The axes of a plot lie in a file beside it, so that the settings stay a file that the command line takes. A name is for
people and is checked before it becomes a file's name: nothing outside of the folder is read or written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.config import make_config
from zeuxis.configs import LARGEST, named, write_config
from zeuxis.errors import BadInput
from zeuxis.storage.checksummed import checksummed_json, damaged, verified_json
from zeuxis.storage.files import atomic_write, calls, guard, make_folder, remove, unwritable
from zeuxis.storage.reading import check_folder, read_plain
from zeuxis.studio.axes import WORDS, Axis, read_axis
from zeuxis.trust import check_code, check_files, mark_of

FOLDER, ENDING, AXES = "presets", ".toml", ".axes.json"
MOST, LONGEST = 500, 60  # presets; letters of a name
_NAME = re.compile(r"[^\W_](?:[\w +-]*[\w+-])?")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(10))}  # on Windows


class Axes(BaseModel):
    """What a plot varies beside the settings of its runs, and how many seeds each cell has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: Axis
    y: Axis | None = None
    z: Axis | None = None
    seeds: int = Field(1, ge=1, le=100)

    @property
    def all(self) -> tuple[Axis, ...]:
        """Those that there are."""
        return tuple(axis for axis in (self.x, self.y, self.z) if axis is not None)


class Deleted(NamedTuple):
    """What a preset was, for `restore`."""

    settings: bytes
    axes: bytes


class Presets:
    """The presets of a studio."""

    def __init__(self, own: Path) -> None:
        self.folder = own / FOLDER
        guard(own, [FOLDER])

    def names(self) -> list[str]:
        """In the order of the alphabet; files whose names no preset can have are left out."""
        try:
            if self.folder.is_symlink():
                return []
            found = [p for p in self.folder.iterdir() if p.suffix == ENDING and p.is_file() and not p.is_symlink()]
        except OSError:
            return []
        return sorted((p.stem for p in found if _fits(p.stem)), key=str.casefold)[:MOST]

    def path(self, name: str) -> Path:
        """The file of a preset that is there. BadInput for none such."""
        for known in self.names():
            if known == name:
                return self.folder / f"{known}{ENDING}"
        raise BadInput(f"There is no preset {name[:LONGEST]!r} any more.")

    def save(self, name: str, fields: Mapping[str, Any], *, axes: Axes | None = None, replace: bool = False) -> str:
        """Keep settings, and the axes of a plot over them; returns the name as it is kept. BadInput for a name that is
        taken, unless `replace`.
        """
        name = self._new(name, replace)
        name = self._alike(name) or name
        config = make_config(**fields)
        make_folder(self.folder)
        check_folder(self.folder, ())
        if axes is None:
            remove(self._axes(name))
        else:
            atomic_write(self._axes(name), checksummed_json({"format": 1, "axes": axes.model_dump(mode="json")}))
        write_config(config, self.folder / f"{name}{ENDING}", mark_of(config.model_dump()))
        return name

    def load(self, name: str) -> dict[str, Any]:
        """The settings of a preset. BadInput for a file that holds none, or names files that its user has not."""
        path = self.path(name)
        check_folder(self.folder, ())
        fields, mark = named(str(path))
        check_files(fields, path.name, said={}, given=mark)
        check_code(fields)
        return fields

    def axes(self, name: str) -> Axes | None:
        """The axes of a preset; None where it has none. RunDamaged for a file that no studio wrote, BadInput for axes
        that would have files read or code run: whoever loads them has not typed them.
        """
        self.path(name)
        path = self._axes(name)
        if not path.exists() and not path.is_symlink():
            return None
        check_folder(self.folder, (), (path.name,))
        try:
            found = Axes.model_validate(verified_json(path)["axes"])
        except (KeyError, ValidationError) as error:
            raise damaged(path, "it holds no axes that this version wrote") from error
        for axis in found.all:
            if axis.field != WORDS:
                for value in read_axis(axis).values:
                    check_code({axis.field: value})
                    check_files({axis.field: value}, path.name, said={})
        return found

    def rename(self, name: str, new: str) -> str:
        """Another name for the same files; returns it as it is kept."""
        path = self.path(name)
        if new.strip() == name:
            return name
        new = self._new(new, replace=_plain(new) == _plain(name))
        place = self.folder / f"{new}{ENDING}"
        try:
            if self._axes(name).exists():
                calls.rename(self._axes(name), self._axes(new))
            calls.rename(path, place)
        except OSError as error:
            raise unwritable(place, error) from error
        return new

    def delete(self, name: str) -> Deleted:
        """Away with it; returns what it was, for `restore`."""
        path, axes = self.path(name), self._axes(name)
        gone = Deleted(read_plain(path, LARGEST), read_plain(axes, LARGEST) if axes.exists() else b"")
        remove(path)
        remove(axes)
        return gone

    def restore(self, name: str, gone: Deleted) -> None:
        """What was deleted, as it was. BadInput where another one has its name by now."""
        name = self._new(name, False)
        if gone.axes:
            atomic_write(self._axes(name), gone.axes)
        atomic_write(self.folder / f"{name}{ENDING}", gone.settings)

    def _axes(self, name: str) -> Path:
        return self.folder / f"{name}{AXES}"

    def _new(self, name: str, replace: bool) -> str:
        name = unicodedata.normalize("NFC", " ".join(name.split()))
        if not _fits(name):
            raise BadInput(
                f"Expected a name of 1 to {LONGEST} letters, digits, spaces and hyphens, beginning with a letter or "
                f"digit, got {name[:LONGEST]!r}."
            )
        known = self._alike(name)
        if known and not replace:
            raise BadInput(f"There is a preset {known!r} already. Give another name, or tick the box that replaces it.")
        if not known and len(self.names()) >= MOST:
            raise BadInput(f"Expected at most {MOST} presets. Delete one first.")
        return name

    def _alike(self, name: str) -> str:
        """The preset whose name some file systems take for this one; "" for none."""
        return next((other for other in self.names() if _plain(other) == _plain(name)), "")


def _fits(name: str) -> bool:
    size = len(f"{name}{AXES}".encode("utf-8", "replace"))
    fits = len(name) <= LONGEST and size <= 255 and _NAME.fullmatch(name) is not None
    return fits and name.casefold() not in RESERVED


def _plain(name: str) -> str:
    """Names that some file systems take for the same."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()
