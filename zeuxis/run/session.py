"""A session: one run from its configuration to its pictures, whether it begins here or goes on from a folder.

with open_session(RunConfig(prompt=("a red disc",))) as session:
    for event in session:
        print(event.generation, event.best_score)
    print(session.finish().reason)
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from types import TracebackType

from zeuxis.config import RunConfig
from zeuxis.errors import SearchStopped
from zeuxis.run.build import Built
from zeuxis.run.checkpoint import Start, load_latest
from zeuxis.run.finish import Summary, finish
from zeuxis.run.folder import RunFolder
from zeuxis.run.loop import run
from zeuxis.run.sealed import Header
from zeuxis.run.stopping import from_config
from zeuxis.run.store import RunStore, record
from zeuxis.run.view import JudgeView
from zeuxis.storage.lock import RunLock
from zeuxis.types import Event


class Session:
    """Iterate over it for the events, then `finish`. `reason` says why it ended, "" while it can go on.

    A `for` that is broken off can be taken up again. After an exception (Ctrl-C) at most the generation under way is
    lost; `resume` on the same folder goes on from there. Made by `open_session`.
    """

    def __init__(self, config: RunConfig, folder: RunFolder, built: Built, record: Header, lock: RunLock) -> None:
        self.config = config
        self.folder = folder
        self.problem = built.problem
        self.reason = ""
        self._built = built
        self._store = RunStore(folder, built.problem, record, lock=lock, view_every=config.view_every)
        self._rule = from_config(config)
        self._start = Start()
        self._torn = False
        self._events = self._run()

    @property
    def notes(self) -> list[str]:
        """Sentences the user should read, oldest first; more may come as the run goes on."""
        return self.problem.decisions.notes

    @property
    def view(self) -> JudgeView | None:
        """The judge's newest view of the population."""
        return self._store.view

    @property
    def start(self) -> Start:
        """Where this session began: generation 0, or where the folder's log ended."""
        return self._start

    def load(self) -> None:
        """Make the folder ready, and bring the search to where its log ends."""
        self._store.open()
        self._load()
        if self._start.told_again:
            self._store.write_checkpoint(self._start.generation - 1, self._search)
        self._store.missing_grids(self._start.generation)
        self._store.write_record()

    def __iter__(self) -> Iterator[Event]:
        """One event per generation still to do. `reason` is set when the last one is passed on."""
        return self._events

    def flush(self) -> None:
        """Returns when all that was done so far is on disk, pictures included."""
        self._store.flush()

    def finish(self) -> Summary:
        """Draw the final population and the best picture, hear the judge, write summary.json.

        After an interruption it shows what is safely on disk; the run can still be resumed.
        """
        self._store.flush()
        reason = self.reason or "Interrupted; the run can be resumed."
        if self._torn:  # the exception may have come in the middle of a tell
            self._load()
        summary = finish(self.config, self._store, self._search, self.reason or reason)
        self._store.write_record()
        return summary

    def close(self) -> None:
        """Write what is left and let go of the folder."""
        try:
            self._events.close()
        finally:
            self._store.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception:
            if error is None:  # else the error that ended the block is the one to hear
                raise

    def _run(self) -> Generator[Event, None, None]:
        if self.reason:
            return
        start, self._torn = self._start, True
        events = run(
            self.problem,
            self._search,
            seed=self.config.seed,
            start=start.generation,
            images_so_far=start.images_so_far,
            blind=start.blind,
        )
        try:
            with contextlib.closing(record(events, self._store, self._search)) as recorded:  # an error in it is heard
                for event in recorded:
                    self.reason = self._rule(event) or ""
                    self._torn = False
                    yield event
                    if self.reason:
                        return
                    self._torn = True
        except SearchStopped as error:
            self.reason = str(error)
            raise

    def _load(self) -> None:
        self._search = self._built.new_search()
        self._start = start = load_latest(self.folder, self._search, self.config.seed, self.problem.decisions.note)
        self._rule = from_config(self.config)
        for row in start.rows:
            self.reason = self._rule(row) or ""
        views = [row.view for row in start.rows if row.view]
        self._store.view = views[-1] if views else None
