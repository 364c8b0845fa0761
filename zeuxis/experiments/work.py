"""One job in its folder: what every executor calls. It skips what is done, goes on with what was begun, and says how it
ended; only an end of its process leaves without a word.
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from zeuxis.errors import BadInput, RunLocked, RunUnwritable, ZeuxisError
from zeuxis.experiments.jobs import Job
from zeuxis.experiments.kinds import KINDS
from zeuxis.experiments.results import JobFolder, Result
from zeuxis.storage.checksummed import checksummed_json
from zeuxis.storage.files import atomic_write, make_folder
from zeuxis.storage.lock import RunLock

DIED = "its process ended without a result"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOCK_SECONDS = 60.0  # for the last worker of a driver that was killed to be gone
SHARE = 0.95  # of its part of a GPU's memory that a job may take


@dataclass(frozen=True)
class Outcome:
    """What a call on a job gives: its `result`, or why there is none: an error that may pass, a full disk, a wish to
    stop, or, with no word in `ended`, a folder that cannot be used.
    """

    result: Result | None
    ended: Literal["", "again", "full", "stopped"] = ""
    reason: str = ""


def carry_out_job(root: str, job: Job, attempts: int, alone: bool) -> Outcome:
    """The result of `job`, whose folder is in `root`. `alone`: no driver outlives this process to see it die."""
    folder = JobFolder(Path(root), job.key)
    try:
        folder.open()
        lock = _lock(folder.path)
    except (OSError, ZeuxisError) as error:
        return _unfinished(error, folder)
    try:
        return _known(folder, attempts) or _attempt(folder, job, alone)
    except (OSError, ZeuxisError) as error:
        return _unfinished(error, folder)
    finally:
        lock.release()


def failed(folder: JobFolder, tries: list[str]) -> Result:
    """The result of a job that has been tried as often as it may be."""
    result = Result(job=folder.key, status="failed", reason=f"{tries[-1]} ({len(tries)} tries)", tries=len(tries) - 1)
    folder.write(result)
    return result


def _known(folder: JobFolder, attempts: int) -> Outcome | None:
    if (result := folder.result()) is not None:
        return Outcome(result)
    tries = folder.tries()
    return Outcome(failed(folder, tries)) if len(tries) >= attempts else None


def _attempt(folder: JobFolder, job: Job, alone: bool) -> Outcome:
    tries, began = folder.tries(), time.perf_counter()
    told = {"kind": job.kind, "config": dict(job.config), "threads": job.threads, "group": job.group}
    if not (folder.path / "job.json").exists():
        atomic_write(folder.path / "job.json", checksummed_json(told))
    if alone:
        folder.add_try(DIED)  # and taken back, unless it comes true
    make_folder(folder.work)
    try:
        with _resources(job):
            numbers = _small(KINDS[job.kind]().work(job.config, folder.work))
        seconds = round(time.perf_counter() - began, 3)
        result = Result(job=job.key, status="done", numbers=numbers, seconds=seconds, tries=len(tries))
        folder.write(result)
        return Outcome(result)
    except KeyboardInterrupt:
        return Outcome(None, "stopped")
    except (Exception, SystemExit) as error:
        outcome = _unfinished(error, folder)
        if outcome.ended:
            return outcome
        seconds = round(time.perf_counter() - began, 3)
        reason = outcome.reason
        result = Result(job=job.key, status="failed", reason=reason, seconds=seconds, tries=len(tries))
        folder.write(result)
        return Outcome(result)
    finally:
        if alone:
            folder.take_back(tries)


def _unfinished(error: BaseException, folder: JobFolder) -> Outcome:
    """What an error means: that the disk is full, that another try may help, or else only its words."""
    said = str(error) or type(error).__name__
    words = said if isinstance(error, ZeuxisError) else f"{type(error).__name__}: {said}"
    reason = " ".join(words.replace(str(folder.path), "the job's folder").split())[:900]
    if any(getattr(cause, "errno", None) in FULL for cause in _causes(error)):
        return Outcome(None, "full", reason)
    passing = isinstance(error, RunUnwritable | RunLocked | MemoryError) or (
        isinstance(error, OSError) and not isinstance(error, ZeuxisError)
    )
    return Outcome(None, "again" if passing or type(error).__name__ == "OutOfMemoryError" else "", reason)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _lock(path: Path) -> RunLock:
    """The job's lock; a while of patience with the worker that had it before."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return RunLock(path)
        except RunLocked:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextmanager
def _resources(job: Job) -> Iterator[None]:
    """Threads of the job, as a number that does not follow the load of the machine, and its part of a GPU's memory.

    A part of a GPU is only a number in an account: the memory is shared by agreement, which is kept here.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(job.threads)  # what is imported or started from now on
    limited = _torch_limits(job)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = before
        if limited is not None:
            import torch

            torch.set_num_threads(limited)


def _torch_limits(job: Job) -> int | None:
    """Limit torch, for jobs that use it; the number of threads before."""
    if job.kind == "evaluate" and not job.needs.gpus and job.threads == 1:
        import sys

        if "torch" not in sys.modules:  # it will see OMP_NUM_THREADS when it is imported
            return None
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(job.threads)
    if 0 < job.needs.gpus < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(job.needs.gpus * SHARE)
    return before


def _small(numbers: Any) -> dict[str, Any]:
    """The numbers of a table that a line can hold: NaN and infinity are None. BadInput for anything else."""
    if not isinstance(numbers, Mapping):
        raise BadInput(f"Expected a table of names and numbers as a job's result, got {type(numbers).__name__}.")
    found: dict[str, Any] = {}
    for name, value in numbers.items():
        if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
            value = value.item()  # of numpy or torch
        if not isinstance(value, float | int | str | bool | None):
            raise BadInput(f"Expected a number as {str(name)[:60]!r} of a job's result, got {type(value).__name__}.")
        found[str(name)] = None if isinstance(value, float) and not math.isfinite(value) else value
    try:
        Result(job="0" * 16, status="done", numbers=found)
        json.dumps(found)
    except (ValidationError, ValueError) as error:
        raise BadInput("Expected a small table of numbers as a job's result, got a longer one.") from error
    return found
