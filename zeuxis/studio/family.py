"""The pictures of a breeding by hand and the tables they lay on: undo, redo, branches, ancestors.

Nothing here is ever changed: each action lays a new table, and undo goes back to the one before it. A new action there
begins a branch, and the old one stays in the history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.studio.plane import Plane
from zeuxis.studio.taste import Choice

MOST = 20_000  # pictures of a family, all held in memory


class Looks(Protocol):
    """What an artist says about N genomes: `pixels` `(N, H, W, 3)`, `scores` `(N,)`, `features` `(N, F)`."""

    @property
    def pixels(self) -> np.ndarray:
        """Pictures, uint8."""
        ...

    @property
    def scores(self) -> Tensor:
        """Of the prompt; NaN where there is none."""
        ...

    @property
    def features(self) -> Tensor:
        """What they look like."""
        ...


@dataclass(frozen=True)
class Picture:
    """One picture of the family: `operator` made its genome `(G, D)` of `parents` (numbers of pictures)."""

    number: int
    genome: Tensor
    operator: str
    parents: tuple[int, ...] = ()
    strength: float = 0.0
    score: float = float("nan")
    generation: int = 0


@dataclass(frozen=True)
class Table:
    """What lies before a person. `before` is the number of the table it was made from, -1 for the first; with a `plane`
    the pictures lie on it, row by row, those that are banned too.
    """

    shown: tuple[int, ...]
    favourites: tuple[int, ...] = ()
    banned: tuple[int, ...] = ()
    locks: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    about: str = "start"
    generation: int = 0
    before: int = -1
    plane: Plane | None = None


@dataclass
class Family:
    """All pictures with their pixels and features, all tables, and which one is at hand.

    `heard` is told of each table that is laid, with the pictures that are new, before anything else happens.
    """

    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    at: int = -1
    pixels: list[np.ndarray] = field(default_factory=list)
    features: list[Tensor] = field(default_factory=list)
    heard: Callable[[Table, Sequence[Picture]], object] | None = None
    _redo: list[int] = field(default_factory=list)
    _told: int = 0  # pictures that `heard` knows

    @property
    def table(self) -> Table:
        """The table at hand. BadInput before the first."""
        if self.at < 0:
            raise BadInput("There is nothing to breed from yet. Draw pictures first.")
        return self.tables[self.at]

    def lay(self, table: Table) -> Table:
        """A new table after the one at hand."""
        table = replace(table, before=self.at)
        if self.heard is not None:
            self.heard(table, self.pictures[self._told :])
        self.tables.append(table)
        self._told = len(self.pictures)
        self.at, self._redo = len(self.tables) - 1, []
        return table

    def keep(self, one: Picture, looks: Looks, row: int) -> int:
        """Make a picture one of the family; returns its number. BadInput where it has as many as it can have."""
        number = len(self.pictures)
        if number >= MOST:
            raise BadInput(
                f"This breeding has {MOST:,} pictures, the most there can be. Search on from its favourites."
            )
        self.pictures.append(replace(one, number=number, score=float(looks.scores[row])))
        self.pixels.append(looks.pixels[row])
        self.features.append(looks.features[row])
        return number

    def undo(self) -> Table:
        """The table before the last action. BadInput at the first."""
        if self.table.before < 0:
            raise BadInput("This is the first step; there is nothing to undo.")
        self._redo.append(self.at)
        self.at = self.table.before
        return self.table

    def redo(self) -> Table:
        """The table of the action that was undone last. BadInput where none was."""
        if not self._redo:
            raise BadInput("Nothing was undone, so there is nothing to redo.")
        self.at = self._redo.pop()
        return self.table

    @property
    def can_undo(self) -> bool:
        """Whether there is a table before this one."""
        return self.at >= 0 and self.table.before >= 0

    @property
    def can_redo(self) -> bool:
        """Whether an action was undone."""
        return bool(self._redo)

    def branch(self, number: int) -> Table:
        """Go on from an earlier table. BadInput for one that was never laid."""
        if not 0 <= number < len(self.tables):
            raise BadInput(f"There is no step {number}; there are {len(self.tables)}.")
        self.at, self._redo = number, []
        return self.table

    def generations(self) -> list[int]:
        """The tables that were laid with new pictures, in order."""
        return [k for k, t in enumerate(self.tables) if t.before < 0 or t.shown != self.tables[t.before].shown]

    def gain(self, number: int) -> float | None:
        """Score minus that of the best parent; None for a picture without parents."""
        one = self.pictures[self.known(number)]
        scores = [self.pictures[parent].score for parent in one.parents]
        return one.score - max(scores) if scores else None

    def ancestors(self, number: int, most: int = 30) -> list[Picture]:
        """The picture, its parents, theirs, ...: each once, at most so many."""
        found: list[int] = [self.known(number)]
        for known in found:
            found += [parent for parent in self.pictures[known].parents if parent not in found]
            if len(found) >= most:
                break
        return [self.pictures[known] for known in found[:most]]

    def ranked(self, numbers: Sequence[int]) -> list[int]:
        """Best score first."""
        return sorted(numbers, key=lambda number: -self.pictures[number].score)

    def known(self, number: int) -> int:
        """The number itself. BadInput for no picture's."""
        if not 0 <= number < len(self.pictures):
            raise BadInput(f"There is no picture {number}; there are {len(self.pictures)}.")
        return number
