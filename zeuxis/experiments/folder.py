"""An experiment's folder: design.json, priors.json, a line of cells.jsonl and a file of latents for each cell done.

Each file, and each line, carries a checksum and says of which experiment it is. Files of older versions have none and
are read as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError
from torch import Tensor

from zeuxis.errors import BadInput, RunDamaged
from zeuxis.experiments.design import GROWS, LISTS, Cell, Design, named_in
from zeuxis.experiments.records import append_checked
from zeuxis.experiments.rows import PRIORS, Done, Row, cell_of, first_fault
from zeuxis.storage.checksummed import (
    MAX_JSON,
    Header,
    checksummed,
    checksummed_json,
    damaged,
    verified,
    verified_if_checked,
    verified_line,
)  # fmt: skip
from zeuxis.storage.files import atomic_write, make_folder, unfinished
from zeuxis.storage.places import check_folder_place
from zeuxis.storage.reading import MOST_LOG, check_folder, read_plain
from zeuxis.trust import KEY, check_files, mark_of

FILES = ("design.json", "priors.json", "cells.jsonl", "lock")
Say = Callable[[str], object]


class ExperimentFolder:
    """Reads and writes one experiment. A line that is not as it was written is left out and its cell is run again.

    `say` hears of that, and of what else is wrong here and was made good.
    """

    def __init__(self, path: str | Path, say: Say = lambda sentence: None) -> None:
        self.path = Path(path)
        self.say = say
        self.design_path = self.path / "design.json"
        self.cells_path = self.path / "cells.jsonl"
        self.priors_path = self.path / "priors.json"
        self._key: str | None = None
        self.mark: object = None  # of the design here, once it was read: whether its user is its writer

    @property
    def key(self) -> str:
        """That of the design here."""
        if self._key is None:
            self._key = self.design().key
        return self._key

    def check(self) -> None:
        """RunDamaged where a link, a pipe or a folder stands in the place of a file."""
        check_folder(self.path, ("latents",), FILES)

    def design(self) -> Design:
        """The design of the experiment here. BadInput where there is none."""
        if not self.design_path.is_file():
            raise BadInput(f"Expected an experiment, but {self.path} has no design.json. `zeuxis compare` writes one.")
        self.check()
        content, _ = _content(self.design_path)
        self.mark = content.pop(KEY, None)
        try:
            return Design.model_validate_json(json.dumps(content))
        except (ValidationError, ValueError, RecursionError) as error:
            raise damaged(
                self.design_path, f"it is no design that this version wrote ({first_fault(error)})"
            ) from error

    def open(self, design: Design, trust_paths: bool = False) -> Design:
        """Make sure that a design here differs in its grid or held-out evaluators only. Returns what is to be run.

        BadInput where it names files by path that `design` does not, and is somebody else's, unless `trust_paths`.
        """
        check_folder_place(self.path, own="design.json")
        if self.path.is_dir():
            self.check()
        if self.design_path.is_file():
            known = self.design()
            check_files(named_in(known), self.path, said=named_in(design), given=self.mark, allowed=trust_paths)
            for name, value in design:
                if name not in GROWS and name != "precision" and value != getattr(known, name):
                    raise BadInput(
                        f"The folder holds an experiment with {name} = {getattr(known, name)!r}, got {value!r}. Give "
                        "another --out, or the settings of that experiment."
                    )
            design = design.model_copy(update={"precision": known.precision})
        elif self.path.is_dir() and not all(_ours(entry) for entry in self.path.iterdir()):
            raise BadInput(f"Expected a new or empty folder or an experiment, but {self.path} holds something else.")
        make_folder(self.path)
        self._key = design.key
        return design

    def write_design(self, design: Design) -> None:
        """design.json: what was asked for now and before, so that a report shows all that is here."""
        if self.design_path.is_file():
            known = self.design()
            both = {name: tuple(dict.fromkeys((*getattr(known, name), *getattr(design, name)))) for name in LISTS}
            design = design.model_copy(update={**both, "seeds": max(known.seeds, design.seeds)})
        own = {KEY: found} if (found := mark_of(named_in(design))) else {}
        atomic_write(self.design_path, checksummed_json(design.model_dump(mode="json") | own))
        self._key = design.key

    def rows(self) -> dict[Cell, Row]:
        """Cells that are done; of several lines for one cell the last counts. Damaged lines are counted and said."""
        return {cell_of(row): row for row in self._lines()}

    def latents(self, cell: Cell) -> Tensor:
        """`(1 + M, D)`: the latent that the cell chose, then its final population. RunDamaged if it is not whole."""
        path = self._latents_path(cell)
        tensors, header = verified(path)
        own = header.get("experiment", self.key) == self.key
        x = tensors.get("x")
        if x is None or not own or any(header.get(name) != value for name, value in vars(cell).items()):
            raise damaged(path, "it holds the latents of another cell")
        if x.ndim != 2 or len(x) < 2 or not x.is_floating_point():
            raise damaged(path, f"it holds latents of shape {tuple(x.shape)}")
        return x

    def whole(self, done: dict[Cell, Row], names: Iterable[str]) -> dict[Cell, Row]:
        """Those cells of `done` that need not be run again; what was damaged or is missing is said.

        A cell whose latents were taken away keeps its figures, as long as it has those of every evaluator in `names`.
        """
        gone = [cell for cell in done if not self._latents_path(cell).exists()]
        again = [cell for cell in gone if not set(names) <= set(done[cell])]
        if gone:
            self.say(
                f"The latents of {len(gone)} cells are missing; their figures stand"
                + (f", but {len(again)} of them are run again, as an evaluator was added." if again else ".")
            )
        return {cell: row for cell, row in done.items() if cell not in again and (cell in gone or self._readable(cell))}

    def _readable(self, cell: Cell) -> bool:
        """Whether the latents of a cell are as they were written: damage is said."""
        try:
            self.latents(cell)
        except RunDamaged as error:
            self.say(f"{error} The cell is run again.")
            return False
        return True

    def append(self, row: Row, x: Tensor | None = None) -> None:
        """One more line, on disk on return; with the latents `x` of a cell that has just been run."""
        if x is not None:
            path = self._latents_path(cell_of(row))
            make_folder(path.parent)
            header: Header = {name: row[name] for name in Cell.__dataclass_fields__}
            atomic_write(path, checksummed({"x": x}, header | {"experiment": self.key}))
        append_checked(self.cells_path, row, key=self.key)

    def priors(self) -> dict[str, Row]:
        """Phrase -> the scale of every measure on it; {} before the first cell, and where they are damaged: said."""
        if not self.priors_path.exists():
            return {}
        try:
            content, checked = _content(self.priors_path)
            if checked and content.get("experiment") != self.key:
                raise damaged(self.priors_path, "it belongs to another experiment")
            found = content["priors"] if checked else content
            PRIORS.validate_python(found)
            return dict(found)
        except (RunDamaged, ValidationError, KeyError) as error:
            self.say(f"{self.priors_path.name} cannot be read ({first_fault(error)}); it is made again.")
            return {}

    def write_priors(self, priors: dict[str, Row]) -> None:
        """priors.json."""
        atomic_write(self.priors_path, checksummed_json({"experiment": self.key, "priors": priors}))

    def _lines(self) -> Iterator[Row]:
        data = read_plain(self.cells_path, MOST_LOG) if self.cells_path.exists() else b""
        lost, unchecked = 0, 0
        for line in filter(bytes.strip, data.split(b"\n")):
            try:
                row, checked = verified_line(line, self.key)
                Done.model_validate(row)
            except (ValueError, ValidationError):
                lost += 1
                continue
            unchecked += not checked
            yield row
        if lost:
            self.say(f"{lost} lines of {self.cells_path.name} are damaged or broken off; their cells are run again.")
        if unchecked:
            self.say(f"{unchecked} lines of {self.cells_path.name} have no checksums: an older version wrote them.")

    def _latents_path(self, cell: Cell) -> Path:
        name = hashlib.sha256(repr(cell).encode()).hexdigest()[:24]  # a phrase is no file name
        return self.path / "latents" / f"{name}.safetensors"


def _ours(entry: Path) -> bool:
    """What an experiment leaves that was killed before its design was written."""
    return entry.name == "lock" or unfinished(entry.name)


def _content(path: Path) -> tuple[Header, bool]:
    """The table in a file, and whether it was checked; RunDamaged where its checksum does not fit."""
    return verified_if_checked(read_plain(path, MAX_JSON), path)
