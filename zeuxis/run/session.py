"""A session: one run, whether it begins here, goes on from a folder, or is kept in memory only.

with open_session(RunConfig(prompt=("a red disc",))) as session:
    for event in session:
        print(event.generation, event.best_score)
    print(session.finish().reason)
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from types import TracebackType

from zeuxis.errors import RunError, SearchStopped
from zeuxis.run.checkpoint import Start, load_latest
from zeuxis.run.finish import Summary, finish
from zeuxis.run.folder import RunFolder
from zeuxis.run.loop import judged, run
from zeuxis.run.prepare import Prepared
from zeuxis.run.stopping import JudgePeak, from_config, judge_peak
from zeuxis.run.store import RunStore, record
from zeuxis.search.base import Search
from zeuxis.types import Event, JudgeEvaluation


class Session:
    """Iterate over it for the events, then `finish`. `reason` says why it ended, "" while it can go on.

    A `for` that is broken off can be taken up again. After an exception (Ctrl-C) at most the generation under way is
    lost; `resume` on the same folder goes on from there. Without a store nothing is written and there is no `finish`:
    `search` has what was found. `open_session` makes those with a folder.
    """

    def __init__(self, prepared: Prepared, store: RunStore | None = None) -> None:
        self.config = prepared.config
        self.problem = prepared.problem
        self.reason = ""
        self.judged: JudgeEvaluation | None = None  # the judge's newest evaluation of the population
        self.peak: JudgePeak | None = None  # where the judge's mean was highest so far
        self.start = Start()  # generation 0, or where the folder's log ended
        self.search: Search = prepared.new_search()
        self._new_search = prepared.new_search
        self._store = store
        self._rule = from_config(self.config)
        self._done = -1  # the last generation that was passed on
        self._interrupted = False  # an exception may have come in the middle of a `tell`
        self._events = self._run()

    @property
    def folder(self) -> RunFolder:
        """The run on disk. RunError for a session in memory."""
        return self._stored().folder

    @property
    def notes(self) -> list[str]:
        """Sentences the user should read, oldest first; more may come as the run goes on."""
        return self.problem.decisions.notes

    def load(self) -> None:
        """Make the folder ready, and bring the search to where its log ends."""
        store = self._stored()
        store.open()
        self._load()
        if self.start.replayed:
            store.write_checkpoint(self.start.generation - 1, self.search)
        store.missing_grids(self.start.generation)
        store.write_record()

    def __iter__(self) -> Iterator[Event]:
        """One event per generation still to do. `reason` is set when the last one is passed on."""
        return self._events

    def flush(self) -> None:
        """Returns when all that was done so far is on disk, pictures included."""
        if self._store is not None:
            self._store.flush()

    def finish(self) -> Summary:
        """Draw the final population and the best picture, hear the judge, write summary.json.

        After an interruption it shows what is safely on disk; the run can still be resumed. RunError in memory.
        """
        store = self._stored()
        store.flush()
        reason = self.reason or "Interrupted; the run can be resumed."
        if self._interrupted:
            self._load()
        summary = finish(self.config, store, self.search, self.reason or reason, self.peak)
        store.write_record()
        return summary

    def close(self) -> None:
        """Write what is left and let go of the folder."""
        try:
            self._events.close()
        finally:
            if self._store is not None:
                try:
                    if self._done >= 0 and not self._interrupted:
                        self._store.write_checkpoint(self._done, self.search)
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
        start, self._interrupted = self.start, True
        events = run(
            self.problem,
            self.search,
            seed=self.config.seed,
            start=start.generation,
            images_so_far=start.images_so_far,
            unscored=start.unscored,
        )
        events = judged(events, self._judge, self.config.view_every)
        if self._store is not None:
            events = record(events, self._store, self.search)
        try:
            with contextlib.closing(events):  # type: ignore[type-var]  # all three are generators; an error is heard
                for event in events:
                    self.judged = event.judged or self.judged
                    self.peak = judge_peak([event], self.peak)
                    self.reason = self._rule(event) or ""
                    self._done, self._interrupted = event.generation, False
                    yield event
                    if self.reason:
                        return
                    self._interrupted = True
        except SearchStopped as error:
            self.reason = str(error)
            raise

    def _judge(self, event: Event) -> JudgeEvaluation | None:
        if event.images is None:
            return None
        return self.problem.judge_images(event.images, event.evaluation.score, event.generation)

    def _load(self) -> None:
        self.search = self._new_search()
        note = self.problem.decisions.note
        self.start = start = load_latest(self.folder, self.search, self.config.seed, note)
        self._done, self._interrupted = start.generation - 1, False
        self._rule, self.peak = from_config(self.config), judge_peak(start.rows)
        for row in start.rows:
            self.reason = self._rule(row) or ""
            self.judged = row.judged or self.judged

    def _stored(self) -> RunStore:
        if self._store is None:
            raise RunError("This session is kept in memory and has no folder. Open it with `open_session` for one.")
        return self._store
