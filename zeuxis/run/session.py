"""A session: one run, whether it begins here, goes on from a folder, or is kept in memory only.

with open_session(RunConfig(prompt=("a red disc",))) as session:
    for event in session:
        print(event.generation, event.best_score)
    print(session.finish().reason)
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, RunDamaged, RunError, RunLocked, SearchStopped
from zeuxis.plugins import FIELDS
from zeuxis.prompts.advice import advise
from zeuxis.run.checkpoint import Start, load_latest
from zeuxis.run.finish import Summary, finish
from zeuxis.run.folder import RunFolder
from zeuxis.run.loop import judged, run
from zeuxis.run.paths import RUNS, fresh_folder
from zeuxis.run.prepare import CHANGEABLE, Models, Prepared, check_run, prepare_run
from zeuxis.run.stopping import JudgePeak, from_config, judge_peak
from zeuxis.run.store import RunStore, check_usable, record
from zeuxis.search.base import Search
from zeuxis.storage.checksummed import Header
from zeuxis.storage.files import make_folder
from zeuxis.storage.lock import RunLock
from zeuxis.storage.places import check_folder_place
from zeuxis.trust import KEY, check_files, mark_of
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
        config = self.config
        most = 0 if config.stop_on_exploitation else config.judge_pictures  # a rule is to hear of all of them
        return self.problem.judge_images(event.images, event.evaluation.score, event.generation, most=most)

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


def open_session(
    config: RunConfig, folder: str | Path | None = None, trust_paths: bool = False, loaded: Models | None = None
) -> Session:
    """A session that is ready to iterate, in a new folder or in one that holds this run already.

    Nothing is written before names, prompt and models have been found good. RunLocked at once where another process
    writes the folder. BadInput where a folder of somebody else would have files read that `config` does not name,
    unless `trust_paths`. `loaded` are the networks of this configuration, where they are at hand.
    """
    return _open(config, folder, config.model_dump(), trust_paths, loaded)


def _open(
    config: RunConfig,
    folder: str | Path | None,
    said: Mapping[str, Any],
    trust_paths: bool,
    loaded: Models | None = None,
) -> Session:
    """`said`: the fields that the user himself has given."""
    path = None if folder is None else Path(folder)
    check_folder_place(path or RUNS, "--out" if path else "the run", own="run.json")
    if path is not None:
        check_usable(path)
    lock = RunLock(path) if path is not None and path.is_dir() else None
    session: Session | None = None
    try:
        known = _allowed(path, said, trust_paths) if path is not None else None
        prepared = prepare_run(config, loaded, known=known)
        if known is not None and path is not None:
            _check_end(prepared.config, known, RunFolder(path))
        for note in () if known is not None else advise(prepared.config):
            prepared.problem.decisions.note(note)
        path = path or fresh_folder(prepared.config)
        make_folder(path)
        lock = lock or _first_lock(path, known is not None)
        every = prepared.config.view_every
        store = RunStore(RunFolder(path), prepared.problem, _record(prepared, known), lock=lock, grid_every=every)
        session = Session(prepared, store)
        session.load()
    except BaseException:
        if session is not None:
            with contextlib.suppress(Exception):
                session.close()
        elif lock is not None:
            lock.release()
        raise
    return session


def reopen_session(folder: str | Path, *, trust_paths: bool = False, **changes: Any) -> Session:
    """The session of the run in `folder`, ready to go on where its log ends. `changes` may move its end.

    They may also repeat models that the run names. What a folder of somebody else names by path, and they do not, is
    read only with `trust_paths`; else BadInput.
    """
    fixed = sorted(set(changes) - {*CHANGEABLE, *FIELDS})  # the latter must be what they were
    if fixed:
        raise BadInput(f"A resumed run can change {', '.join(CHANGEABLE)}, got {fixed[0]}. Start a new run for that.")
    stored = RunFolder(folder).config.model_dump()
    return _open(make_config(**{**stored, **changes}), folder, changes, trust_paths)


def _check_end(config: RunConfig, known: Header, folder: RunFolder) -> None:
    """BadInput for an end that was moved to before what exists: later limits would all stop at once because of it."""
    then = known["config"]
    bred = folder.generations - 1  # without the initial population
    if config.generations != then.get("generations") and config.generations < bred:
        raise BadInput(
            f"Expected at least the {bred} generations that the run has, got --generations {config.generations}. Give "
            "more, or start a new run."
        )
    if config.budget is None or config.budget == then.get("budget") or bred < 0:
        return
    with contextlib.suppress(RunDamaged):  # said, and mended, where the log is read
        spent = folder.entry(bred).images_so_far
        if config.budget < spent:
            raise BadInput(
                f"Expected a budget of at least the {spent} images that the run has evaluated, got --budget "
                f"{config.budget}. Give more, or start a new run."
            )


def check_session(config: RunConfig, folder: Path, last: dict[str, Models], trust_paths: bool = False) -> None:
    """What `open_session` would refuse, found without an image and without anything written; `last`: of `check_run`."""
    check_folder_place(folder, own="run.json")
    check_usable(folder)
    check_run(config, last, _allowed(folder, config.model_dump(), trust_paths))


def _allowed(path: Path, said: Mapping[str, Any], trust_paths: bool) -> Header | None:
    """run.json of the run in `path`, if there is one. BadInput for files that it may not have read."""
    known = _known(RunFolder(path))
    if known is not None:
        check_files(known["config"], path, said=said, given=known.get(KEY), allowed=trust_paths)
    return known


def _known(folder: RunFolder) -> Header | None:
    """run.json of the run to go on with, its configuration checked as well; None where there is no run yet."""
    return folder.record if folder.exists() and folder.config else None


def _record(prepared: Prepared, known: Header | None) -> Header:
    """The fixed part of run.json: as it was first written, except for what a resumed run may change."""
    config = prepared.record["config"]
    own = {KEY: found} if (found := mark_of(config)) else {}  # the user has said these files, or allowed them
    if known is None:
        return prepared.record | own
    fixed = {key: value for key, value in known.items() if key not in ("format", "decisions", "notes", KEY)}
    return {**fixed, "config": config, **own}


def _first_lock(path: Path, known: bool) -> RunLock:
    """The lock of a folder that was not there before; RunLocked if another process was faster."""
    lock = RunLock(path)
    if RunFolder(path).exists() and not known:
        lock.release()
        raise RunLocked(f"Another process has just written a run in {path}. Resume it or give another folder.")
    return lock
