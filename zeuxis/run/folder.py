"""A run folder to read: configuration, history, latents, pictures. Reading needs no lock and changes nothing.

The folder may come from a stranger: no link in it is followed, every file is checked before it is believed, and one of
another run is not taken for one of this.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput, RunDamaged, RunError
from zeuxis.pictures.writing import card
from zeuxis.run import entry, schema
from zeuxis.run.entry import Entry
from zeuxis.run.history import Best, Row, bests, read_timing, row
from zeuxis.run.paths import FORMAT, RunPaths
from zeuxis.storage.checksummed import Header, damaged, verified_json
from zeuxis.storage.reading import read_plain, whole_png

MAX_PICTURE = 2**30  # bytes
_NUMBER = re.compile(r"[0-9]{1,12}")

T = TypeVar("T")


class RunFolder(RunPaths):
    """One run on disk. BadInput if `path` is not a run folder; RunDamaged where a file is not as it was written."""

    @cached_property
    def record(self) -> Header:
        """All of run.json: prompt, config, software, machine, models, decisions, notes."""
        return self._read_record()

    @cached_property
    def key(self) -> str:
        """What files of this run are told from those of another by; "" for a run of an older version."""
        return str(self._read_record().get("run") or "")

    def _read_record(self) -> Header:
        if self.exists():
            self.check()
        else:
            raise BadInput(
                f"Expected a run folder, but {_place(self.path)} {_found(self.path)}. Give one that a run wrote."
            )
        record = self._known(verified_json(self.record_path), self.record_path)
        return schema.check(schema.Record, record, self.record_path)

    def _known(self, content: Header, path: Path) -> Header:
        if content.get("format") != FORMAT:
            raise damaged(path, f"it has format {str(content.get('format'))[:40]}, this version reads {FORMAT}")
        return content

    def _own(self, content: Header, path: Path) -> Header:
        """RunDamaged for a file of another run."""
        if str(content.get("run") or self.key) != self.key:
            raise damaged(path, "it belongs to another run")
        return content

    @cached_property
    def config(self) -> RunConfig:
        """The configuration the run was started with."""
        try:
            return RunConfig.model_validate(self.record["config"])
        except (KeyError, ValidationError) as error:
            found = (
                error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("config",), "msg": "is missing"}
            )
            why = f"{'.'.join(map(str, found['loc']))[:80]}: {found['msg'][:160]}"
            raise damaged(self.record_path, f"this version cannot read its configuration ({why})") from error

    @property
    def prompt(self) -> str:
        """The prompt in one line."""
        return str(self.record["prompt"])

    @property
    def notes(self) -> list[str]:
        """Sentences for the user that came up during the run, and on times, pictures and files that do not fit."""
        lost = [name for name in self.pictures_sha256 if name.startswith("images/") and not (self.path / name).exists()]
        said = [f"{len(lost)} pictures of the run are missing: {', '.join(lost[:3])}."] if lost else []
        return [*map(str, self.record["notes"]), *self._timing[1], *said, *self._strays()]

    def entry(self, generation: int) -> Entry:
        """One generation in full. BadInput if there is none such."""
        path = self.log_path(generation)
        if not path.exists():
            raise BadInput(
                f"{self.path} has no generation {generation}; its log ends after {self.generations} generations."
            )
        return entry.read(path, self.key)

    def latents(self, generation: int) -> Tensor:
        """`(N, D)`, what was evaluated in this generation."""
        return self.entry(generation).batch.x

    def scores(self, generation: int) -> Tensor:
        """`(N,)`, NaN where an image could not be scored."""
        return self.entry(generation).evaluation.score

    @property
    def generations(self) -> int:
        """Generations in the log, the initial one included."""
        count = 0
        while self.log_path(count).exists():
            count += 1
        return count

    def entries(self) -> Iterator[Entry]:
        """Every generation in order, up to the end of the log. RunDamaged at one that is missing within it."""
        reached = self._reached()  # first: a run may be writing here
        end = self.generations
        for generation in range(end):
            found = entry.read(self.log_path(generation), self.key)
            if found.generation != generation:
                raise damaged(self.log_path(generation), f"it is the entry of generation {found.generation}")
            yield found
        if end < reached:
            raise RunDamaged(
                f"{self.log_path(end)} is missing, though generation {reached - 1} is there. Restore it from a copy, "
                "or resume the run, which draws that generation and the later ones again; if "
                f"{self.log_path(reached - 1).name} is not of this run, move it away."
            )

    def _reached(self) -> int:
        """Generations that were in the log at some time, as its other files and the checkpoints tell."""
        return max((number + 1 for number, _ in self._numbered() if number <= self._last_possible()), default=0)

    def _numbered(self) -> Iterator[tuple[int, Path]]:
        """Files of the log and checkpoints with the numbers in their names."""
        for place in (self.log, self.checkpoints):
            for path in place.glob("*.safetensors"):
                if _NUMBER.fullmatch(path.stem):
                    yield int(path.stem), path

    def _last_possible(self) -> int:
        """The last generation that this run can have written: it was asked for, or its time was kept."""
        return max((self.config.generations, *self._timing[0]))

    def _strays(self) -> list[str]:
        """A sentence on files that are numbered like generations which the run cannot have written."""
        strays = sorted(path for number, path in self._numbered() if number > self._last_possible())
        names = ", ".join(str(path.relative_to(self.path)) for path in strays[:3])
        more = f" and {len(strays) - 3} more" if len(strays) > 3 else ""
        return [f"The run cannot have written {names}{more}; that is not read."] if strays else []

    def check_population(self, count: int) -> None:
        """RunDamaged where the summary lists more pictures of the final population than there are files."""
        if count and not self.individual_path(count - 1).exists():
            raise RunDamaged(
                f"{self.summary_path} lists {count:,} pictures, but {self.individual_path(count - 1).name} is missing. "
                "Resume the run, which draws it again."
            )

    def picture(self, path: Path) -> bytes:
        """A PNG of this run. RunDamaged if it is missing, is no whole picture, or not the one that was written."""
        data = read_plain(path, MAX_PICTURE)
        written = self.pictures_sha256.get(path.relative_to(self.path).as_posix())
        again = "Resume the run, which draws it again"
        if written is not None and hashlib.sha256(data).hexdigest() != written:
            raise RunDamaged(f"{path} is not the picture that the run wrote. {again}.")
        if not whole_png(data):
            raise RunDamaged(f"{path} is damaged: its checksums do not fit its content. {again}.")
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
                picture.load()
        except Exception as error:  # decoders raise nearly anything on what no run wrote
            raise RunDamaged(f"{path} is damaged: {str(error)[:160]}. {again}.") from error
        return data

    @cached_property
    def pictures_sha256(self) -> dict[str, str]:
        """Pictures by their path in the folder, as the summary tells them; {} where there is none that can be read."""
        try:
            return dict(self.summary().get("pictures", {}))
        except RunError:
            return {}

    def _repr_html_(self) -> str:
        """What Jupyter shows: facts, the newest grid, the curve; without those that are not there or cannot be read."""
        facts: dict[str, Callable[[], object]] = {
            "folder": lambda: self.path,
            "generations": lambda: self.generations,
            "best score": lambda: f"{self.best.score:.4f}, generation {self.best.generation}",
            "ended": lambda: self.summary()["reason"],
        }
        grid = self.final_grid if self.final_grid.is_file() else next(iter(self.grids()[::-1]), self.final_grid)
        pictures = {"population": lambda: self.picture(grid), "curve": lambda: self.picture(self.path / "curve.png")}
        title = _readable({"": lambda: self.prompt}).get("", "no run")
        return card(str(title), _readable(facts), _readable(pictures))

    def forget_pictures(self) -> None:
        """A new summary was written: `pictures_sha256` is read again when it is asked for."""
        self.__dict__.pop("pictures_sha256", None)

    def history(self) -> list[Row]:
        """Every generation in figures."""
        assert self.record  # first: it says what is wrong with a folder that is none
        speed = self._timing[0]
        return [row(e, speed.get(e.generation)) for e in self.entries()]

    @property
    def best(self) -> Best:
        """The best latent of the run. RunError while nothing was scored."""
        last = self.bests()[-1]
        drawn = (g for g in range(last.generation, -1, -1) if bool((self.latents(g) == last.latent).all(dim=1).any()))
        return replace(last, generation=next(drawn, last.generation))

    def bests(self) -> list[Best]:
        """Each latent that became the search's best, in order; `generation` is the one from which on it was the best.

        RunError while nothing was scored.
        """
        found = bests(self.entries())
        if not found and self.generations:
            raise RunError(
                f"{self.path} holds no picture with a score: all are NaN. The generator's or the scorer's numbers "
                "overflow; try precision fp32, or other weights."
            )
        if not found:
            raise RunError(f"{self.path} holds no scored image yet. Resume the run.")
        return found

    def archive(self) -> Header | None:
        """Figures and elites of a quality-diversity run, once it is finished; None where it has no archive.

        Each elite names its file `cells/ROW-COLUMN.png`: COLUMN counts the cells along the first measure from its low
        end (left), ROW those along the second from its low end (bottom), as in a plot.
        """
        if not self.archive_path.exists():
            if self._has_archive():
                raise RunDamaged(f"{self.archive_path} is missing. Resume the run, which writes it again.")
            return None
        content = self._known(verified_json(self.archive_path), self.archive_path)
        return self._own(schema.check(schema.Archived, content, self.archive_path), self.archive_path)

    def _has_archive(self) -> bool:
        """Whether the summary knows of an archive; it is written after archive.json."""
        try:
            return self.summary().get("archive") is not None
        except RunError:
            return False

    def summary(self) -> dict[str, Any]:
        """What `Session.finish` wrote. RunError before that."""
        if not self.summary_path.exists():
            raise RunError(f"The run in {self.path} has not been finished. Resume it.")
        content = schema.check(schema.Summary, verified_json(self.summary_path), self.summary_path)
        return self._own(content, self.summary_path)

    @cached_property
    def _timing(self) -> tuple[dict[int, float], list[str]]:
        return read_timing(self.timing_path, self.generations, self.key)


def _place(path: Path) -> str:
    """A path for a sentence."""
    return name if len(name := str(path)) <= 200 else f"…{name[-199:]}"


def _found(path: Path) -> str:
    """What is in the place of a run folder."""
    try:
        if (path / "train.json").is_file():
            return "holds a training (go on with: zeuxis train)"
        return "has no run.json" if path.is_dir() else "is a file" if path.exists() else "is not there"
    except (OSError, ValueError) as error:
        return f"cannot be looked up ({getattr(error, 'strerror', None) or error})"


def _readable(parts: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Those that can be read."""
    found = {}
    for name, read in parts.items():
        with contextlib.suppress(RunError, BadInput, OSError):
            found[name] = read()
    return found
