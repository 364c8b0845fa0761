"""A breeding by hand on disk: `breeding.jsonl`, a checked line for each step, and the pictures that were favoured.

The first line is the configuration; each later one holds the table that was laid and the latents of the pictures that
were new on it. Read from strangers' folders too, so every line is bounded, and one that is not as written ends it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import RunDamaged, ZeuxisError
from zeuxis.run.folder import fresh_folder
from zeuxis.run.trust import check_files, mark_of
from zeuxis.storage.checksummed import checked_line, verified_line
from zeuxis.storage.files import append_line, atomic_write, make_folder
from zeuxis.storage.reading import MOST_LOG, read_plain
from zeuxis.studio.family import Family, Looks, Picture, Table
from zeuxis.studio.genome import Variation

NAME = "breeding.jsonl"
KEPT = "kept"  # the folder of the pictures that were favoured
MOST = 100_000  # pictures of a family
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


class Journal:
    """Writes a breeding into its folder as it goes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME

    @classmethod
    def new(cls, runs: Path, config: RunConfig) -> Journal:
        """A new folder under `runs`, named like that of a run."""
        journal = cls(fresh_folder(config, runs))
        content = {
            "config": config.model_dump(mode="json", exclude_defaults=True),
            "mark": mark_of(config.model_dump()),
        }
        append_line(journal.path, checked_line(content))
        return journal

    def heard(self, table: Table, new: Sequence[Picture]) -> None:
        """Write down a step."""
        pictures = [
            {"genome": _packed(p.genome), "operator": p.operator, "parents": p.parents, "strength": p.strength}
            | {"generation": p.generation}
            for p in new
        ]
        laid = {name: getattr(table, name) for name in _Table.model_fields}
        append_line(self.path, checked_line({"table": laid, "pictures": pictures}))

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
            table = Table(**_Table.model_validate(content["table"]).model_dump())
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
    if any(number >= count for number in named) or table.before >= len(family.tables) or not table.shown:
        raise ValueError("a number of no picture")
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
