"""A breeding by hand on disk: `breeding.jsonl`, a checked line for each step, and the pictures that were favoured.

The first line is the configuration; each later one holds the table that was laid and the latents of the pictures that
were new on it. Read from strangers' folders too, so every line is bounded, and one that is not as written ends it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import RunDamaged, ZeuxisError
from zeuxis.experiments.records import append_checked
from zeuxis.run.paths import fresh_folder
from zeuxis.storage.checksummed import verified_line
from zeuxis.storage.files import atomic_write, make_folder
from zeuxis.storage.lock import RunLock
from zeuxis.storage.reading import MOST_LOG, check_folder, read_plain
from zeuxis.studio import family as families
from zeuxis.studio.family import Family, Looks, Picture, Table
from zeuxis.studio.genome import Variation
from zeuxis.studio.plane import ACROSS, FARTHEST, NARROWEST, WIDEST, Plane
from zeuxis.trust import check_files, mark_of

NAME = "breeding.jsonl"
KEPT = "kept"  # the folder of the pictures that were favoured
MOST = 100_000  # numbers of pictures and of steps
MOST_SHOWN = 64

_Number = Annotated[int, Field(ge=0, lt=MOST)]
_Word = Annotated[str, Field(max_length=40)]


class _Picture(BaseModel):
    model_config = ConfigDict(extra="ignore")

    genome: Annotated[str, Field(max_length=2_000_000)]
    operator: _Word
    parents: Annotated[tuple[_Number, ...], Field(max_length=8)] = ()
    strength: Annotated[float, Field(ge=0, le=1)] = 0.0
    generation: _Number = 0


class _Plane(BaseModel):
    model_config = ConfigDict(extra="ignore")

    centre: _Number
    first: _Number
    second: _Number
    u: Annotated[float, Field(allow_inf_nan=False, ge=-FARTHEST, le=FARTHEST)]
    v: Annotated[float, Field(allow_inf_nan=False, ge=-FARTHEST, le=FARTHEST)]
    span: Annotated[float, Field(ge=NARROWEST, le=WIDEST)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="ignore")

    shown: Annotated[tuple[_Number, ...], Field(max_length=MOST_SHOWN)]
    favourites: Annotated[tuple[_Number, ...], Field(max_length=MOST_SHOWN)] = ()
    banned: Annotated[tuple[_Number, ...], Field(max_length=MOST)] = ()
    locks: Annotated[tuple[_Word, ...], Field(max_length=8)] = ()
    choices: Annotated[tuple[tuple[_Number, Annotated[tuple[_Number, ...], Field(max_length=64)]], ...], Field()] = ()
    about: _Word = ""
    generation: _Number = 0
    before: Annotated[int, Field(ge=-1, lt=MOST)] = -1
    plane: _Plane | None = None

    def laid(self) -> Table:
        """As the family knows it. ValueError for a plane on which not as many pictures lie as it has places."""
        plane = None if self.plane is None else Plane(**self.plane.model_dump())
        if plane is not None and len(self.shown) != ACROSS**2:
            raise ValueError("a plane with empty places")
        return Table(**{**self.model_dump(), "plane": plane})


class Journal:
    """Writes a breeding into its folder as it goes. Locked from `new` or `again` to `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self._lock: RunLock | None = None

    @classmethod
    def again(cls, folder: Path, read: Callable[[], Family], say: Callable[[str], object]) -> tuple[Journal, Family]:
        """The journal of a breeding and what `read` makes of it; a step that is not as it was written is put aside with
        all after it, so that the next one is not written behind it, and `say` hears of it. RunLocked while another
        studio writes there.
        """
        check_folder(folder, (KEPT,), (NAME, "lock"))
        journal = cls(folder)
        journal._lock = RunLock(folder, "close it there")
        try:
            family = read()
            lines = read_plain(journal.path, MOST_LOG).splitlines(keepends=True)
            whole, rest = lines[: 1 + len(family.tables)], lines[1 + len(family.tables) :]
            if rest:
                aside = journal.path.with_name(f"{NAME}.damaged")
                atomic_write(aside, b"".join(lines))
                atomic_write(journal.path, b"".join(whole))
                said = "step is" if len(rest) == 1 else "steps are"
                say(f"{len(rest)} {said} damaged or broken off; it goes on from the one before. See {aside.name}.")
        except BaseException:
            journal.close()
            raise
        return journal, family

    def close(self) -> None:
        """Let another studio write here."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @classmethod
    def new(cls, runs: Path, config: RunConfig) -> Journal:
        """A new folder under `runs`, named like that of a run."""
        journal = cls(fresh_folder(config, runs))
        journal._lock = RunLock(journal.folder)
        content = {
            "config": config.model_dump(mode="json", exclude_defaults=True),
            "mark": mark_of(config.model_dump()),
        }
        append_checked(journal.path, content)
        return journal

    def heard(self, table: Table, new: Sequence[Picture]) -> None:
        """Write down a step."""
        pictures = [
            {"genome": _packed(p.genome), "operator": p.operator, "parents": p.parents, "strength": p.strength}
            | {"generation": p.generation}
            for p in new
        ]
        laid = {name: getattr(table, name) for name in _Table.model_fields}
        laid["plane"] = None if table.plane is None else asdict(table.plane)
        append_checked(self.path, {"table": laid, "pictures": pictures})

    def keep(self, number: int, png: bytes) -> Path:
        """A favoured picture as a file."""
        make_folder(self.folder / KEPT)
        path = self.folder / KEPT / f"{number:05d}.png"
        atomic_write(path, png)
        return path


def read_config(folder: Path, *, trusted: bool = False) -> RunConfig:
    """The configuration of a breeding. RunDamaged for what is none; BadInput where it would have files read that its
    user did not name.
    """
    try:
        content, _ = verified_line(_lines(folder)[0])
        config = make_config(**dict(content["config"]))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, "its first line is no configuration") from error
    check_files(config.model_dump(), folder, said={}, given=content.get("mark"), allowed=trusted)
    return config


def read_family(folder: Path, variation: Variation, look: Callable[[Tensor], Looks]) -> Family:
    """The pictures, drawn again, and all tables; up to the first line that is not as it was written."""
    family = Family()
    shape = (len(variation.groups), variation.space.dim)
    for line in _lines(folder)[1:]:
        try:
            content, _ = verified_line(line)
            table = _Table.model_validate(content["table"]).laid()
            pictures = [_Picture.model_validate(one) for one in list(content["pictures"])[:MOST_SHOWN]]
            _add(family, table, pictures, shape, look)
        except (KeyError, TypeError, ValueError, ValidationError, ZeuxisError):
            break
    if not family.tables:
        raise _damaged(folder, "it holds no step that can be read")
    return family


def _add(
    family: Family, table: Table, pictures: list[_Picture], shape: tuple[int, int], look: Callable[[Tensor], Looks]
) -> None:
    """Put a step into the family, whole or not at all. ValueError for numbers of pictures that are not there."""
    genomes = [_unpacked(one.genome, shape) for one in pictures]
    count = len(family.pictures) + len(genomes)
    named = [*table.shown, *table.favourites, *table.banned, *(n for one in pictures for n in one.parents)]
    named += [n for won, others in table.choices for n in (won, *others)]
    named += [] if table.plane is None else table.plane.through
    if (
        count > families.MOST
        or any(number >= count for number in named)
        or table.before >= len(family.tables)
        or not table.shown
    ):
        raise ValueError("a number of no picture, or too many pictures")
    if genomes:
        looks = look(torch.stack(genomes))
        for row, (one, genome) in enumerate(zip(pictures, genomes, strict=True)):
            made = Picture(-1, genome, one.operator, one.parents, one.strength, generation=one.generation)
            family.keep(made, looks, row)
    family.at = table.before
    family.lay(table)


def _packed(genome: Tensor) -> str:
    return base64.b64encode(genome.numpy().astype("<f4").tobytes()).decode()


def _unpacked(text: str, shape: tuple[int, int]) -> Tensor:
    genes = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    if genes.size != shape[0] * shape[1] or not np.isfinite(genes).all():
        raise ValueError("a genome of another generator")
    return torch.from_numpy(genes.astype(np.float32).reshape(shape))


def _lines(folder: Path) -> list[bytes]:
    return read_plain(folder / NAME, MOST_LOG).splitlines()


def _damaged(folder: Path, why: str) -> RunDamaged:
    return RunDamaged(f"{folder / NAME} cannot be read: {why}. Restore it from a copy, or begin anew.")


def summary(folder: Path) -> dict[str, Any]:
    """What the gallery shows of a breeding: its prompt, its generator and how many steps it has."""
    config = read_config(folder, trusted=True)
    return {"prompt": " | ".join(config.prompt), "generator": config.generator, "steps": len(_lines(folder)) - 1}
