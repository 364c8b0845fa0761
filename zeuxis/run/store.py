"""The writer of a run folder: one log entry per generation, a checkpoint and pictures now and then.

One thread packs and writes entries and checkpoints, another draws pictures, so that the loop waits for neither. At most
one generation is under way to the disk: the next one is not handed over before it has arrived.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from zeuxis.errors import RunDamaged, RunError
from zeuxis.pictures.grid import population_png, to_pixels
from zeuxis.run import checkpoint, entry
from zeuxis.run.folder import RunFolder
from zeuxis.run.paths import FORMAT
from zeuxis.run.problem import Problem
from zeuxis.search.base import Search
from zeuxis.storage.background import Background
from zeuxis.storage.checksummed import Header, checked_line, checksummed_json
from zeuxis.storage.files import append_line, atomic_write, make_folder, sweep, unfinished
from zeuxis.storage.lock import RunLock
from zeuxis.types import Event

PICTURES_WAITING = 8
CHECKPOINT_EVERY = 10  # generations; what lies between is told to the search again from the log

State = Mapping[str, Tensor | int | float | str]


class RunStore:
    """Writes one run. `record` is the fixed part of run.json; decisions and notes are taken from the problem.

    Holds the folder's lock until `close`.
    """

    def __init__(
        self, folder: RunFolder, problem: Problem, record: Header, *, lock: RunLock, grid_every: int = 10
    ) -> None:
        self.folder = folder
        self.problem = problem
        self.record = record
        self.grid_every = grid_every
        self._lock = lock
        self._written: Header = {}
        self._drawn: dict[str, str] = {}  # the sha256 of each picture, by its path in the folder
        self._since = time.perf_counter()
        self._journal = Background("zeuxis-journal", waiting=1)
        self._pictures = Background("zeuxis-pictures", waiting=PICTURES_WAITING)

    def open(self) -> None:
        """Make the folder ready to write, and write run.json."""
        for path in (self.folder.path, self.folder.log, self.folder.checkpoints, self.folder.images):
            make_folder(path)
            sweep(path)
        self.write_record()

    def write_record(self) -> None:
        """run.json, if a decision or a note has come since it was written."""
        decisions = self.problem.decisions
        news = {"decisions": decisions.to_json(), "notes": list(decisions.notes)}
        if news != self._written:
            atomic_write(self.folder.record_path, checksummed_json({"format": FORMAT, **self.record, **news}))
            self._written = news

    def write(self, event: Event, search: Search) -> None:
        """One generation, and every CHECKPOINT_EVERY generations the search's state after it.

        Returns before it is on disk, not before the last one is.
        """
        if event.images is not None and event.generation % self.grid_every == 0:
            self.grid(self.folder.grid_path(event.generation), event.images, event.evaluation.score)
        state = copied(search.state_dict()) if event.generation % CHECKPOINT_EVERY == 0 else None
        self.write_record()  # first: a resume must find the decisions that this generation was made with
        self._journal.flush()
        self._journal.submit(partial(self._commit, detached(event), state, self._timing(event)))

    def write_checkpoint(self, generation: int, search: Search) -> None:
        """The search's state after `generation`, on disk on return."""
        self._journal.flush()
        self._commit_checkpoint(generation, search.state_dict())

    def picture(self, path: Path, make: Callable[[], bytes]) -> None:
        """A picture, encoded and written off the loop. None is dropped: waits for room in the queue."""

        def draw() -> None:
            data = make()
            atomic_write(path, data)
            self._drawn[path.relative_to(self.folder.path).as_posix()] = hashlib.sha256(data).hexdigest()

        self._pictures.submit(draw)

    def grid(self, path: Path, images: Tensor, score: Tensor) -> None:
        """A population `(N, 3, H, W)` with its scores `(N,)` as a picture."""
        self.picture(path, partial(population_png, to_pixels(images), score.detach().cpu().clone()))

    def missing_grids(self, generations: int) -> None:
        """Draws again what was still in the queue when the run was killed, and what was damaged since."""
        for generation in range(0, generations, self.grid_every):
            path = self.folder.grid_path(generation)
            if path.exists():
                try:
                    data = self.folder.picture(path)
                    self._drawn[path.relative_to(self.folder.path).as_posix()] = hashlib.sha256(data).hexdigest()
                    continue
                except RunDamaged:
                    self.problem.decisions.note(f"{path.name} was damaged and has been drawn again.")
            past = self.folder.entry(generation)
            self.grid(path, self.problem.render(past.batch.x, generation), past.evaluation.score)

    def pictures_sha256(self) -> dict[str, str]:
        """The pictures of this run by their path in the folder, sorted; all of them are on disk."""
        return dict(sorted(self._drawn.items()))

    def flush(self) -> None:
        """Returns when everything handed over is on disk."""
        self._journal.flush()
        self._pictures.flush()

    def close(self) -> None:
        """Writes what is left, ends the threads and lets go of the folder. May be called again."""
        try:
            self._journal.close()
        finally:
            try:
                self._pictures.close()
            finally:
                self._lock.release()

    def _timing(self, event: Event) -> str:
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        line: Header = {"generation": event.generation, "images": len(event.batch.x)}
        line |= {"image_seconds": round(event.image_seconds, 6), "seconds": round(seconds, 6)}
        return checked_line(line, self.folder.key)

    def _commit(self, event: Event, state: State | None, timing: str) -> None:
        atomic_write(self.folder.log_path(event.generation), entry.pack(event, self.folder.key))
        append_line(self.folder.timing_path, timing)
        if state is not None:
            self._commit_checkpoint(event.generation, state)

    def _commit_checkpoint(self, generation: int, state: State) -> None:
        atomic_write(self.folder.checkpoint_path(generation), checkpoint.pack(generation, state, self.folder.key))
        checkpoint.prune(self.folder, generation)


def record(events: Iterator[Event], store: RunStore, search: Search) -> Generator[Event, None, None]:
    """The same events, each written down before it is passed on."""
    try:
        for event in events:
            store.write(event, search)
            yield event
    finally:
        store.flush()


def detached(event: Event) -> Event:
    """The event without its images, with copies of the tensors that the search may go on to change in place."""
    batch = replace(event.batch, x=event.batch.x.clone())
    return replace(event, images=None, batch=batch, best_latent=event.best_latent.clone())


def copied(state: State) -> dict[str, Tensor | int | float | str]:
    """A search's state with copies of its tensors."""
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}


def check_usable(path: Path) -> None:
    """RunError if `path` holds something that is neither a run nor an empty folder."""
    RunFolder(path).check()
    if not path.is_dir() or RunFolder(path).exists():
        return
    ours = {"lock", "log", "checkpoint", "images"}
    strange = sorted(p.name for p in path.iterdir() if p.name not in ours and not unfinished(p.name))
    if strange:
        raise RunError(
            f"Expected an empty or new folder for the run, but {path} holds {strange[0]!r}"
            f"{' and more' if strange[1:] else ''}. Give another folder."
        )
