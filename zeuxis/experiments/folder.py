"""An experiment's folder: design.json, priors.json, a line of cells.jsonl and a file of latents for each cell done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from zeuxis.errors import BadInput, RunDamaged
from zeuxis.experiments.design import Cell, Design
from zeuxis.storage.checksummed import checksummed, verified
from zeuxis.storage.files import atomic_write, make_folder, unwritable

LISTS = ("variants", "phrases", "populations")
GROWS = (*LISTS, "seeds", "held_out")  # what an experiment may be given more of
Row = dict[str, Any]


class ExperimentFolder:
    """Reads and writes one experiment. A line that a kill has broken is left out and the cell is run again."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.design_path = self.path / "design.json"
        self.cells_path = self.path / "cells.jsonl"
        self.priors_path = self.path / "priors.json"

    def design(self) -> Design:
        """The design of the experiment here. BadInput where there is none."""
        if not self.design_path.is_file():
            raise BadInput(f"Expected an experiment, but {self.path} has no design.json. `zeuxis compare` writes one.")
        try:
            return Design.model_validate_json(self.design_path.read_bytes())
        except (ValidationError, ValueError) as error:
            raise RunDamaged(f"{self.design_path} is not a design that this version wrote: {error}") from error

    def open(self, design: Design) -> Design:
        """Make sure that a design here differs in its grid or its held-out evaluators only. Returns what is to be run."""
        if self.design_path.is_file():
            known = self.design()
            for name, value in design:
                if name not in GROWS and name != "precision" and value != getattr(known, name):
                    raise BadInput(
                        f"The folder holds an experiment with {name} = {getattr(known, name)!r}, got {value!r}. Give "
                        "another --out, or the settings of that experiment."
                    )
            design = design.model_copy(update={"precision": known.precision})
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise BadInput(f"Expected a new or empty folder or an experiment, but {self.path} holds something else.")
        make_folder(self.path)
        return design

    def write_design(self, design: Design) -> None:
        """design.json: what was asked for now and before, so that a report shows all that is here."""
        if self.design_path.is_file():
            known = self.design()
            both = {name: tuple(dict.fromkeys((*getattr(known, name), *getattr(design, name)))) for name in LISTS}
            design = design.model_copy(update={**both, "seeds": max(known.seeds, design.seeds)})
        atomic_write(self.design_path, (design.model_dump_json(indent=1) + "\n").encode())

    def rows(self) -> dict[Cell, Row]:
        """Every cell that is done; of several lines for one cell the last counts."""
        return {cell_of(row): row for row in self._lines()}

    def latents(self, cell: Cell) -> Tensor:
        """`(1 + M, D)`: the latent that the cell chose, then its final population. RunDamaged if it is not whole."""
        return verified(self._latents_path(cell))[0]["x"]

    def append(self, row: Row, x: Tensor | None = None) -> None:
        """One more line, on disk on return; with the latents `x` of a cell that has just been run."""
        if x is not None:
            path = self._latents_path(cell_of(row))
            make_folder(path.parent)
            atomic_write(path, checksummed({"x": x}, {name: row[name] for name in Cell.__dataclass_fields__}))
        try:
            with self.cells_path.open("a+b") as file:
                if file.tell() and not _ends_whole(self.cells_path):
                    file.write(b"\n")  # the line before was broken off by a kill
                file.write(json.dumps(row).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.cells_path, error) from error

    def priors(self) -> dict[str, Row]:
        """Phrase -> the scale of every measure on it; {} before the first cell."""
        return json.loads(self.priors_path.read_bytes()) if self.priors_path.is_file() else {}

    def write_priors(self, priors: dict[str, Row]) -> None:
        """priors.json."""
        atomic_write(self.priors_path, (json.dumps(priors, indent=1) + "\n").encode())

    def _lines(self) -> Iterator[Row]:
        text = self.cells_path.read_text(encoding="utf-8") if self.cells_path.is_file() else ""
        for line in text.splitlines():
            try:
                row = json.loads(line)
                cell_of(row)
            except (ValueError, KeyError, TypeError):
                continue
            yield row

    def _latents_path(self, cell: Cell) -> Path:
        name = hashlib.sha256(repr(cell).encode()).hexdigest()[:24]  # a phrase is no file name
        return self.path / "latents" / f"{name}.safetensors"


def cell_of(row: Row) -> Cell:
    """The cell that a row is about. KeyError for a row of something else."""
    return Cell(row["variant"], row["phrase"], row["seed"], row["population"])


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
