"""The driver of an experiment of jobs: checks them, hands them to an executor, tries again, writes the tables.

It may be killed at any moment and started again: what is done is on disk, what was begun goes on from its folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zeuxis.errors import BadInput, Missing, RunUnwritable, ZeuxisError
from zeuxis.experiments.executors import Call, Open, Reply, check_executor, spread
from zeuxis.experiments.jobs import Job, Plan
from zeuxis.experiments.kinds import KINDS
from zeuxis.experiments.processes import ProcessExecutor
from zeuxis.experiments.results import JobFolder, Result, Results
from zeuxis.experiments.work import DIED, Outcome, carry_out_job, failed
from zeuxis.experiments.worker import Setup, ask_by
from zeuxis.plugins import trusted
from zeuxis.storage.files import make_folder
from zeuxis.storage.lock import RunLock
from zeuxis.storage.marks import mark, marked

GRACE = 30.0  # seconds that jobs have to save their state once a stop is asked for
LONG_INDEX = 2**20  # bytes, some 5,000 jobs
SHOWN = 5  # paths named in one sentence
Report = Callable[[int, int, Job, Result], object]  # jobs ended, jobs in all, the newest and how it ended
Say = Callable[[str], object]


@dataclass(frozen=True)
class Settings:
    """How an experiment is carried out; none of it changes a number of its table."""

    executor: str = "local"
    workers: int = 1
    retry_failed: bool = False
    trust_paths: bool = False
    parquet: bool = False
    command: str = ""  # what the user has typed, for the page


@dataclass(frozen=True)
class Done:
    """Jobs by how they ended, and the files written, the table first and the page last."""

    done: int
    failed: list[tuple[Job, Result]]
    files: list[Path]


def run_experiment(
    plan: Plan,
    out: Path,
    settings: Settings = Settings(),
    *,
    report: Report = lambda done, count, job, result: None,
    say: Say = lambda sentence: None,
    stop: Callable[[], bool] = lambda: False,
) -> Done:
    """Carry out every job of the plan that `out` has no result of, and write the tables.

    BadInput before anything is done for jobs that cannot work; RunLocked while another driver works in `out`;
    KeyboardInterrupt once `stop`, with the jobs' state saved; RunUnwritable where the disk is full.
    """
    check_executor(settings.executor)
    results = Results(out.absolute(), say)
    results.check()
    early = _early(settings, results)
    try:
        return _carry_out(plan, plan.all_jobs(), results, settings, early, report, stop)
    finally:
        if early is not None:
            early.close()


def _carry_out(
    plan: Plan, jobs: list[Job], results: Results, settings: Settings, early: ProcessExecutor | None, report: Report,
    stop: Callable[[], bool],
) -> Done:  # fmt: skip
    known = results.index() if results.index_path.exists() else {}
    todo = [job for job in jobs if job.key not in known or (settings.retry_failed and _failed(known[job.key]))]
    marks = check_jobs(todo, results.marks(), settings.trust_paths)
    make_folder(results.root)
    lock = RunLock(results.root, "give another --out")
    try:
        results.open(plan, marks)
        known = _forget(results.collect(known), todo, results, settings.retry_failed)
        try:
            _Driver(plan, jobs, results, known, report).carry_out(settings, early, stop)
        except BaseException:
            with contextlib.suppress(ZeuxisError):  # the first error is the one to hear
                results.write_tables(jobs, known)
            raise
        files = results.write_tables(jobs, known, settings.parquet)
        files.append(_write_page(plan, jobs, results, known, settings, files))
        ended = [(job, known[job.key]) for job in jobs]
        bad = [(job, result) for job, result in ended if _failed(result)]
        return Done(len(ended) - len(bad), bad, files)
    finally:
        lock.release()


def run_one(
    plan: Plan, out: Path, number: int, settings: Settings = Settings(), stop: Callable[[], bool] = lambda: False
) -> tuple[Job, Result]:
    """Job `number` of the plan, counted from 0, in this process: a task of an array job. Writes the job's folder only.

    A later `run_experiment` in `out` collects the results. KeyboardInterrupt and RunUnwritable as there.
    """
    jobs = plan.all_jobs()
    if not 0 <= number < len(jobs):
        raise BadInput(f"Expected a job from 0 to {len(jobs) - 1}, got {number}. `--count` prints how many there are.")
    results, job = Results(out.absolute()), jobs[number]
    results.check()
    folder = JobFolder(results.root, job.key)
    result = folder.result()
    if result is None or (settings.retry_failed and _failed(result)):
        check_jobs([job], results.marks(), settings.trust_paths)
        if result is not None:
            folder.forget()
        ask_by(stop)
        result = None
        while result is None:
            outcome = carry_out_job(str(results.root), job, plan.attempts, True)
            if outcome.ended == "again":
                folder.add_try(outcome.reason)
            else:
                result = _result(job, outcome)
    return job, result


def check_jobs(jobs: Iterable[Job], known: Mapping[str, str], trust_paths: bool) -> dict[str, str]:
    """Marks of the paths that jobs have read, those `known` among them. BadInput for a job that cannot work, and for
    a path that only the file has named: it may be somebody else's.
    """
    named: dict[str, str] = {}
    for job in jobs:
        kind = KINDS[job.kind]()
        try:
            paths = kind.paths(job.config)
        except ZeuxisError as error:
            raise _about(job, error) from error
        named |= {f"{field}={path}": f"{field.replace('_', ' ')} {path[-80:]!r}" for field, path in paths}
    foreign = [said for words, said in named.items() if not (trust_paths or marked([words], known.get(words)))]
    if foreign:
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        raise BadInput(
            f"The experiment would have these read, which only its file names: {', '.join(foreign[:SHOWN])}{more}. If "
            "you trust it, say so: --trust-paths (in Python: trust_paths=True)."
        )
    for job in jobs:
        try:
            KINDS[job.kind]().check(job.config, trust_paths)
        except ZeuxisError as error:
            raise _about(job, error) from error
    return dict(known) | {words: mark([words]) for words in named}


def _write_page(
    plan: Plan, jobs: list[Job], results: Results, known: dict[str, Result], settings: Settings, files: list[Path]
) -> Path:
    """report.html. Imported here: nothing before needs torch and matplotlib in this process."""
    from zeuxis.experiments.jobs_page import write_jobs_page

    command = settings.command or f"zeuxis experiment FILE --out {results.root}"
    return write_jobs_page(results.root, plan, jobs, known, command, [path.name for path in files])


class _Driver:
    """What one start of a driver knows."""

    def __init__(self, plan: Plan, jobs: list[Job], results: Results, known: dict[str, Result], report: Report) -> None:
        self.plan, self.results, self.known, self.report = plan, results, known, report
        self.todo = {job.key: job for job in jobs if job.key not in known}
        self.count, self.ended = len(jobs), len(jobs) - len(self.todo)
        self.tried: dict[str, int] = {}
        self.full, self.alone = "", False
        self.stop: Callable[[], bool] = lambda: False

    def carry_out(self, settings: Settings, early: ProcessExecutor | None, stop: Callable[[], bool]) -> None:
        """Every job that is left, to its end."""
        if not self.todo:
            return
        self.stop, self.alone = stop, settings.executor == "local"
        ask_by(stop)
        try:
            with Open(settings.executor, settings.workers, _setup(), GRACE, early) as executor:
                for reply in spread(executor, self._calls(), self._again, lambda: stop() or bool(self.full)):
                    self._take(reply)
        except KeyboardInterrupt:
            if self.full:
                raise _no_room(self.full) from None
            raise
        finally:
            ask_by(lambda: False)

    def _calls(self) -> Iterator[Call]:
        for job in self.todo.values():
            told = (str(self.results.root), job, self.plan.attempts, self.alone)
            yield Call(job.key, carry_out_job, told, job.needs)

    def _lost(self, reply: Reply) -> str:
        """Why an attempt was lost: its process died, or heard a signal meant for it alone, or an error came that may
        pass; "" for one that was not.
        """
        outcome: Outcome | None = reply.value
        if reply.died:
            return DIED
        if outcome is not None and outcome.ended == "again":
            return outcome.reason
        stopped = outcome is not None and outcome.ended == "stopped"
        return DIED if stopped and not (self.alone or self.stop()) else ""

    def _again(self, reply: Reply) -> bool:
        """Whether a job is to be tried once more."""
        if reply.value is not None and reply.value.ended == "full":
            self.full = reply.value.reason
        if not (reason := self._lost(reply)):
            return False
        key = reply.call.name
        tries = JobFolder(self.results.root, key).add_try(reason)
        self.tried[key] = self.tried.get(key, 0) + 1
        return max(len(tries), self.tried[key]) < self.plan.attempts

    def _take(self, reply: Reply) -> None:
        """Write down how a job ended."""
        if reply.error is not None:
            raise reply.error
        job = self.todo[reply.call.name]
        if self._lost(reply):
            folder = JobFolder(self.results.root, job.key)
            result = failed(folder, folder.tries())
        elif reply.value.ended == "full":
            return
        else:
            result = _result(job, reply.value)
        self.results.append([result])
        self.known[job.key] = result
        self.ended += 1
        self.report(self.ended, self.count, job, result)


def _early(settings: Settings, results: Results) -> ProcessExecutor | None:
    """Worker processes that start while a long index is read."""
    if settings.executor != "processes" or not results.index_path.exists():
        return None
    if results.index_path.stat().st_size < LONG_INDEX:
        return None
    executor = ProcessExecutor(settings.workers, _setup())
    executor.start()
    return executor


def _setup() -> Setup:
    return Setup(trusted=trusted(), place=str(Path.cwd()), gentle=True, function=carry_out_job)


def _result(job: Job, outcome: Outcome) -> Result:
    """The result in an outcome; that of a job whose folder cannot be used; or what the driver has to hear."""
    if outcome.ended == "stopped":
        raise KeyboardInterrupt
    if outcome.ended == "full":
        raise _no_room(outcome.reason)
    return outcome.result or Result(job=job.key, status="failed", reason=outcome.reason)


def _no_room(reason: str) -> RunUnwritable:
    """The error for a full disk, with what to do."""
    return RunUnwritable(f"{reason.rstrip('.').removesuffix('. Make room')}. Make room; the same command goes on.")


def _forget(known: dict[str, Result], todo: Iterable[Job], results: Results, retry_failed: bool) -> dict[str, Result]:
    """`known` without the failed jobs that are tried again."""
    again = {job.key for job in todo if job.key in known and _failed(known[job.key])} if retry_failed else set()
    for key in again:
        JobFolder(results.root, key).forget()
    return {key: result for key, result in known.items() if key not in again}


def _failed(result: Result) -> bool:
    return result.status == "failed"


def _about(job: Job, error: ZeuxisError) -> ZeuxisError:
    """The same error with the job's name before it."""
    sentence = f"{job.title}: {error}"
    return next(kind for kind in (BadInput, Missing, ZeuxisError) if isinstance(error, kind))(sentence)
