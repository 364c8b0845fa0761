"""Sessions that write a run folder: opened in a new folder, or in one that holds this very run already."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, RunLocked
from zeuxis.plugins import FIELDS
from zeuxis.prompts.auto import advise
from zeuxis.run.folder import RunFolder
from zeuxis.run.paths import RUNS, fresh_folder
from zeuxis.run.prepare import CHANGEABLE, Models, Prepared, prepare_run
from zeuxis.run.session import Session
from zeuxis.run.store import RunStore, check_usable
from zeuxis.run.trust import KEY, check_files, mark_of
from zeuxis.storage.checksummed import Header
from zeuxis.storage.files import check_folder_place, make_folder
from zeuxis.storage.lock import RunLock


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
    check_folder_place(path or RUNS, "--out" if path else "the run")
    if path is not None:
        check_usable(path)
    lock = RunLock(path) if path is not None and path.is_dir() else None
    session: Session | None = None
    try:
        known = _known(RunFolder(path)) if path is not None else None
        if known is not None:
            check_files(known["config"], path or "", said=said, given=known.get(KEY), allowed=trust_paths)
        prepared = prepare_run(config, loaded, known=known)
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
