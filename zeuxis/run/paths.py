"""The files of a run folder by their names, and names for new folders."""

from __future__ import annotations

import re
import time
from pathlib import Path

from zeuxis.config import RunConfig
from zeuxis.pictures.reading import FINAL
from zeuxis.prompts.series import slug
from zeuxis.storage.files import make_folder
from zeuxis.storage.reading import check_folder

FORMAT = 1
RUNS = Path("runs")
INNER = ("log", "checkpoint", "images", "cells", "top")
FILES = ("run.json", "summary.json", "archive.json", "timing.jsonl", "lock")
_GRID = re.compile(r"generation-[0-9]{6,12}\.png")


class RunPaths:
    """Where the files of a run are. Nothing of their content is read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record_path = self.path / "run.json"
        self.log = self.path / "log"
        self.checkpoints = self.path / "checkpoint"
        self.images = self.path / "images"
        self.best_image = self.images / "best.png"
        self.final_grid = self.images / "final.png"
        self.summary_path = self.path / "summary.json"
        self.archive_path = self.path / "archive.json"
        self.timing_path = self.path / "timing.jsonl"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        try:
            return self.record_path.is_file()
        except (OSError, ValueError):  # a name that no folder can have
            return False

    def check(self) -> None:
        """RunDamaged where a link, a pipe or a folder stands in the place of what a run reads or writes here."""
        if self.path.is_dir():
            check_folder(self.path, INNER, FILES)

    def log_path(self, generation: int) -> Path:
        """Where this generation's entry is."""
        return self.log / f"{generation:06d}.safetensors"

    def checkpoint_path(self, generation: int) -> Path:
        """Where the search's state after this generation is (only the newest two are kept)."""
        return self.checkpoints / f"{generation:06d}.safetensors"

    def grid_path(self, generation: int) -> Path:
        """The picture of this generation's population (every `view_every` generations)."""
        return self.images / f"generation-{generation:06d}.png"

    def individual_path(self, rank: int) -> Path:
        """One picture of the final population; rank 0 is the best."""
        return self.images / f"final-{rank:04d}.png"

    def grids(self) -> list[Path]:
        """The population grids that are there, in order."""
        return sorted(path for path in self.images.glob("generation-*.png") if _GRID.fullmatch(path.name))

    def individuals(self) -> list[Path]:
        """The pictures of the final population, best first; none before the run has ended."""
        return sorted(self.images.glob(FINAL))


def fresh_folder(config: RunConfig, parent: Path = RUNS) -> Path:
    """Makes a new folder like `runs/20260131-140502-a-red-fire-truck-7`; a number is added where that is taken."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(' '.join(config.prompt))}-{config.seed}"
    return numbered_folder(parent / name)


def numbered_folder(place: Path) -> Path:
    """Makes a new folder of this name; a number is added where that is taken."""
    path, count = place, 1
    while not make_folder(path):
        count += 1
        path = place.with_name(f"{place.name}-{count}")
    return path
