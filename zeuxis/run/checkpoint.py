"""Checkpoints: the search's state after a generation, and the way back from the folder to a search that can go on.

The newest two are kept. The log holds what the search was told, so whatever the checkpoints lack is replayed from it: a
run goes on exactly where its log ends, and without any checkpoint it is rebuilt from the log alone. No image is
rendered for that, because `ask` is a function of the state and of `(seed, generation)`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import RunDamaged
from zeuxis.rng import stream
from zeuxis.run.entry import OTHER
from zeuxis.run.folder import RunFolder
from zeuxis.run.history import Row, rows_of
from zeuxis.search.base import Search
from zeuxis.storage.checksummed import checksummed, damaged, verified
from zeuxis.storage.files import remove

FORMAT = 1
KEPT = 2


@dataclass(frozen=True)
class Start:
    """Where a run begins: the generation to ask for next, and the counts so far. `rows` is the history so far.

    `replayed` counts the generations that no checkpoint held and that were told to the search again from the log.
    """

    generation: int = 0
    images_so_far: int = 0
    unscored: int = 0
    replayed: int = 0
    rows: list[Row] = field(default_factory=list)


def pack(generation: int, state: Mapping[str, Tensor | int | float | str], key: str = "") -> bytes:
    """A search's `state_dict` after `generation` of the run `key` as the bytes of its file."""
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    numbers = {name: value for name, value in state.items() if not isinstance(value, Tensor)}
    own = {"run": key} if key else {}
    return checksummed(tensors, {"format": FORMAT, "generation": generation, "numbers": numbers, **own})


def read(path: Path, key: str | None = None) -> tuple[int, dict[str, Tensor | int | float | str]]:
    """The generation and the state in a checkpoint. RunDamaged unless it is exactly what was written."""
    tensors, header = verified(path)
    if header.get("format") != FORMAT:
        raise damaged(path, f"it has format {header.get('format')}, this version reads format {FORMAT}")
    if key is not None and header.get("run", key) != key:
        raise damaged(path, OTHER)
    generation, numbers = header.get("generation"), header.get("numbers")
    if type(generation) is not int or generation != int(path.stem) or not isinstance(numbers, dict):
        raise damaged(path, "it is not the state after the generation that its name says")
    return generation, {**tensors, **numbers}


def prune(folder: RunFolder, generation: int) -> None:
    """Keep the checkpoint of `generation` and the newest one before it."""
    found = _newest_first(folder)
    keep = [path for path in found if int(path.stem) <= generation][:KEPT]
    for path in found:
        if path not in keep:
            remove(path)


def load_latest(folder: RunFolder, search: Search, seed: int, note: Callable[[str], None]) -> Start:
    """Bring a fresh `search` to where the folder's log ends; a folder without a log leaves it fresh.

    What could not be used is said through `note`. RunDamaged when the log is not one that this search could have
    written.
    """
    rows, problem = rows_of(folder.entries())
    if problem and not rows and OTHER in problem:  # breeding it again would overwrite the other run
        raise RunDamaged(problem)
    if problem:
        note(f"{problem} The run goes on from generation {len(rows)}, where the readable log ends.")
    restored = _restore(folder, search, len(rows), note)
    for generation in range(restored, len(rows)):
        _replay(folder, search, seed, generation)
    if not rows:
        return Start()
    return Start(len(rows), rows[-1].images_so_far, _unscored(rows), len(rows) - restored, rows)


def _restore(folder: RunFolder, search: Search, limit: int, note: Callable[[str], None]) -> int:
    """Load the newest good checkpoint of a generation below `limit`. Returns the generation to go on with."""
    for path in _newest_first(folder):
        try:
            generation, state = read(path, folder.key)
        except RunDamaged as error:
            note(f"{error} An older state is used instead.")
            continue
        if generation < limit:
            search.load_state_dict(state)
            return generation + 1
    return 0


def _replay(folder: RunFolder, search: Search, seed: int, generation: int) -> None:
    entry = folder.entry(generation)
    batch = search.ask(stream(seed, generation, "ask"))
    if not torch.equal(batch.x.cpu(), entry.batch.x):
        raise damaged(
            folder.log_path(generation),
            "this search would have asked for other latents. Was it written by another version, or on another machine?",
        )
    search.tell(batch, entry.evaluation)


def _unscored(rows: list[Row]) -> int:
    """Generations in a row without a score, at the end of the log."""
    return sum(1 for _ in itertools.takewhile(lambda row: math.isnan(row.best), reversed(rows)))


def _newest_first(folder: RunFolder) -> list[Path]:
    found = [path for path in folder.checkpoints.glob("*.safetensors") if re.fullmatch("[0-9]{1,12}", path.stem)]
    return sorted(found, key=lambda path: int(path.stem), reverse=True)
