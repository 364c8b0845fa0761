"""The two lines most callers need, `generate` and `resume`, and the session behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput, RunLocked
from zeuxis.run.auto import settle
from zeuxis.run.build import Built, build
from zeuxis.run.decisions import Decisions
from zeuxis.run.finish import Summary
from zeuxis.run.folder import RunFolder
from zeuxis.run.naming import fresh_folder
from zeuxis.run.provenance import same_models
from zeuxis.run.sealed import Header
from zeuxis.run.session import Session
from zeuxis.run.store import check_usable
from zeuxis.search import QUALITY_DIVERSITY
from zeuxis.storage.files import make_folder
from zeuxis.storage.lock import RunLock
from zeuxis.types import Event

CHANGEABLE = ("generations", "budget", "target", "patience")  # what a resumed run may be told anew


def generate(
    prompt: str | Sequence[str],
    *,
    out: str | Path | None = None,
    on_event: Callable[[Event], object] | None = None,
    **fields: Any,
) -> Summary:
    """Search pictures for a prompt, from the first generation to the last; `fields` are those of RunConfig.

    Writes the run folder `out` (default: a new one under `runs/`); where `out` holds this very run already, goes on
    with it. `on_event` hears every generation.
    """
    prompt = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    return _to_the_end(open_session(make_config(prompt=prompt, **fields), out), on_event)


def resume(folder: str | Path, *, on_event: Callable[[Event], object] | None = None, **changes: Any) -> Summary:
    """Go on with the run in `folder` to its end. `changes` may move the end: generations, budget, target, patience."""
    return _to_the_end(reopen_session(folder, **changes), on_event)


def reopen_session(folder: str | Path, **changes: Any) -> Session:
    """The session of the run in `folder`, ready to go on where its log ends."""
    fixed = sorted(set(changes) - set(CHANGEABLE))
    if fixed:
        raise BadInput(f"A resumed run can change {', '.join(CHANGEABLE)}, got {fixed[0]}. Start a new run for that.")
    stored = RunFolder(folder).config.model_dump()
    return open_session(make_config(**{**stored, **changes}), folder)


def open_session(config: RunConfig, folder: str | Path | None = None) -> Session:
    """A session that is ready to iterate, in a new folder or in one that holds this run already.

    Nothing is written before names, prompt and models have been found good. RunLocked at once where another process
    writes the folder.
    """
    path = None if folder is None else Path(folder)
    if path is not None:
        check_usable(path)
    lock = RunLock(path) if path is not None and path.is_dir() else None
    session: Session | None = None
    try:
        known = RunFolder(path).record if path is not None and RunFolder(path).exists() else None
        config, notes = settle(config, None if known is None else known["config"])
        built = _built(config, known)
        for note in notes:
            built.problem.decisions.note(note)
        path = path or fresh_folder(config)
        make_folder(path)
        lock = lock or _first_lock(path, known is not None)
        session = Session(config, RunFolder(path), built, _record(built, known), lock)
        session.load()
    except BaseException:
        if session is not None:
            with contextlib.suppress(Exception):
                session.close()
        elif lock is not None:
            lock.release()
        raise
    return session


def make_config(**fields: Any) -> RunConfig:
    """A RunConfig; BadInput in one sentence per field that is wrong."""
    if isinstance(fields.get("scorer"), str):
        fields["scorer"] = (fields["scorer"],)
    try:
        return RunConfig(**fields)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r:.80}" for e in error.errors())
        raise BadInput(f"{wrong}. Known fields: {', '.join(RunConfig.model_fields)}.") from error


def _to_the_end(session: Session, on_event: Callable[[Event], object] | None) -> Summary:
    with session:
        for event in session:
            if on_event is not None:
                on_event(event)
        return session.finish()


def _built(config: RunConfig, known: Header | None) -> Built:
    """Models, prompt and precision, all settled; for a known run, checked to be the same again."""
    decisions = None if known is None else Decisions.from_json(known["decisions"], known["notes"])
    if known is not None:
        _check_same_config(config, known)
    built = build(config, decisions)
    if known is not None:
        _check_same_run(built, known)
    built.problem.prepare()
    built.problem.gate(config.population, config.precision)
    if config.search in QUALITY_DIVERSITY:
        built.problem.choose_ranges()
    return built


def _record(built: Built, known: Header | None) -> Header:
    """The fixed part of run.json: as it was first written, except for what a resumed run may change."""
    if known is None:
        return built.record
    fixed = {key: value for key, value in known.items() if key not in ("format", "decisions", "notes")}
    return {**fixed, "config": built.record["config"]}


def _first_lock(path: Path, known: bool) -> RunLock:
    """The lock of a folder that was not there before; RunLocked if another process was faster."""
    lock = RunLock(path)
    if RunFolder(path).exists() and not known:
        lock.release()
        raise RunLocked(f"Another process has just written a run in {path}. Resume it or give another folder.")
    return lock


def _check_same_config(config: RunConfig, known: Header) -> None:
    now = config.model_dump(mode="json")
    then = make_config().model_dump(mode="json") | known["config"]  # a field that is newer than the run had its default
    other = [name for name in now if now[name] != then.get(name) and name not in CHANGEABLE]
    if other:
        name = other[0]
        raise BadInput(
            f"The folder holds a run with {name} = {then.get(name)!r}, got {now[name]!r}. Give another folder, or "
            "resume that run as it is."
        )


def _check_same_run(built: Built, known: Header) -> None:
    """BadInput for other weights or another prompt; a note where bits may differ."""
    for part, what in (("models", "weights"), ("prompt_sha256", "words or pictures in the prompt")):
        if not same_models(built.record[part], known[part]):
            raise BadInput(
                f"The run was made with other {what}: {known[part]!s:.400}, got {built.record[part]!s:.400}. Bring "
                "them back to resume, or start a new run."
            )
    for part in ("software", "machine"):
        changed = [f"{k} {known[part].get(k)} -> {v}" for k, v in built.record[part].items() if known[part].get(k) != v]
        if changed:
            built.problem.decisions.note(f"Resumed elsewhere ({', '.join(changed)}): the last bits may differ.")
