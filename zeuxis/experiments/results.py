"""The folder of an experiment of jobs: a line of results.jsonl for each job that has ended, and a folder for each job.

    experiment.json      the experiment file as it was read, and the marks of its user (zeuxis.storage.marks)
    results.jsonl        index: one checked line for each job that is done or has failed
    jobs/KEY/            job.json, result.json, tries.jsonl (how earlier attempts ended), lock, work/ (the job's own)
    table.csv            the numbers of all jobs, in the order of the file: the same bytes under every executor
    timing.csv           seconds and attempts
    report.html          both as people read them: zeuxis.experiments.jobs_page

A job is done once its result.json is there; the index spares a look at ten thousand of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.errors import BadInput, MissingExtra, RunDamaged
from zeuxis.experiments.jobs import Job, Plan, make_plan
from zeuxis.experiments.records import Record, append_checked, write_csv, write_parquet
from zeuxis.storage.checksummed import MAX_JSON, checksummed_json, damaged, verified_json, verified_line
from zeuxis.storage.files import atomic_write, make_folder, remove, unfinished
from zeuxis.storage.places import check_folder_place
from zeuxis.storage.reading import MOST_LOG, check_folder, read_plain

TABLES = ("table.csv", "timing.csv", "table.parquet", "timing.parquet")
FILES = ("experiment.json", "results.jsonl", *TABLES, "report.html", "lock")
JOB_FILES = ("job.json", "result.json", "tries.jsonl", "lock")
MOST_NUMBERS = 1000
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # what a table and a float can hold
Number = float | Whole | bool | None | Annotated[str, Field(max_length=1000)]


class Result(BaseModel):
    """How a job ended. `tries` are attempts before the one that counts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    job: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    status: Literal["done", "failed"]
    reason: Annotated[str, Field(max_length=1000)] = ""
    numbers: Annotated[dict[Annotated[str, Field(max_length=200)], Number], Field(max_length=MOST_NUMBERS)] = Field(
        default_factory=dict
    )
    seconds: Annotated[float, Field(ge=0)] = 0.0
    tries: Annotated[int, Field(ge=0)] = 0


class JobFolder:
    """The folder of one job."""

    def __init__(self, root: Path, key: str) -> None:
        self.path = root / "jobs" / key
        self.key = key
        self.work = self.path / "work"
        self.result_path = self.path / "result.json"
        self.tries_path = self.path / "tries.jsonl"

    def open(self) -> None:
        """Make it, and make sure that no link is in it."""
        make_folder(self.path)
        check_folder(self.path, ("work",), JOB_FILES)

    def result(self) -> Result | None:
        """How the job ended; None where it has not, or the file is damaged."""
        if not self.result_path.exists():
            return None
        try:
            result = Result.model_validate(verified_json(self.result_path))
        except (RunDamaged, ValidationError):
            return None
        return result if result.job == self.key else None

    def write(self, result: Result) -> None:
        """result.json: from now on the job has ended."""
        atomic_write(self.result_path, checksummed_json(result.model_dump()))

    def tries(self) -> list[str]:
        """Why earlier attempts ended without a result."""
        data = read_plain(self.tries_path, MOST_LOG) if self.tries_path.exists() else b""
        found = []
        for line in filter(bytes.strip, data.split(b"\n")):
            try:
                found.append(str(verified_line(line, self.key)[0]["reason"]))
            except (ValueError, KeyError):
                found.append("a damaged line")
        return found

    def add_try(self, reason: str) -> list[str]:
        """One more; returns all."""
        make_folder(self.path)
        append_checked(self.tries_path, {"reason": reason[:1000]}, key=self.key)
        return self.tries()

    def take_back(self, tries: Sequence[str]) -> None:
        """Only these tries count."""
        remove(self.tries_path)
        for reason in tries:
            self.add_try(reason)

    def forget(self) -> None:
        """The job may be tried again from where it stopped."""
        remove(self.result_path)
        remove(self.tries_path)


class Results:
    """Reads and writes the folder of an experiment; `say` hears what was damaged."""

    def __init__(self, root: Path, say: Callable[[str], object] = lambda sentence: None) -> None:
        self.root, self.say = root, say
        self.record_path, self.index_path = root / "experiment.json", root / "results.jsonl"

    def check(self) -> None:
        """BadInput where the folder holds something else; RunDamaged for links and the like in it."""
        check_folder_place(self.root, own="experiment.json")
        if self.root.is_dir():
            check_folder(self.root, ("jobs",), FILES)
            known = {*FILES, "jobs"}
            strange = [e.name for e in os.scandir(self.root) if not (e.name in known or unfinished(e.name))]
            if strange and not self.record_path.exists():
                raise BadInput(
                    f"Expected a new or empty folder or an experiment, but {self.root} holds something else. Give "
                    "another --out."
                )

    def open(self, plan: Plan, marks: Mapping[str, str]) -> None:
        """Make the folder and write experiment.json, unless it is as it should be."""
        make_folder(self.root)
        make_folder(self.root / "jobs")
        if self.record_path.exists() and (known := self.plan().name) != plan.name:
            raise BadInput(
                f"{self.root} holds the experiment {known!r}, got {plan.name!r}: its tables would be replaced. Give "
                "another --out."
            )
        content = {"format": 1, "plan": plan.model_dump(mode="json", exclude_unset=True), "marks": dict(marks)}
        if not self.record_path.exists() or read_plain(self.record_path, MAX_JSON) != checksummed_json(content):
            atomic_write(self.record_path, checksummed_json(content))

    def plan(self) -> Plan:
        """The experiment that was carried out here last. BadInput where there is none."""
        if not self.record_path.is_file():
            raise BadInput(
                f"Expected an experiment, but {self.root} has no experiment.json. `zeuxis experiment FILE` writes one."
            )
        self.check()
        try:
            return make_plan(verified_json(self.record_path)["plan"])
        except (KeyError, BadInput) as error:
            raise damaged(self.record_path, "it holds no experiment that this version wrote") from error

    def marks(self) -> dict[str, str]:
        """The marks of paths that the user of this folder has allowed; {} where they cannot be read."""
        try:
            found = verified_json(self.record_path).get("marks") if self.record_path.exists() else None
        except RunDamaged:
            found = None
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}

    def index(self) -> dict[str, Result]:
        """Key -> result of every job in results.jsonl; the last line of a job counts."""
        data = read_plain(self.index_path, MOST_LOG) if self.index_path.exists() else b""
        found, lost = {}, 0
        for line in filter(bytes.strip, data.split(b"\n")):
            try:
                content, checked = verified_line(line)
                result = Result.model_validate(content)
                found[result.job] = result
                lost += not checked
            except (ValueError, ValidationError):
                lost += 1
        if lost:
            self.say(f"{lost} lines of {self.index_path.name} are damaged; their jobs are looked for in jobs/.")
        return found

    def collect(self, known: dict[str, Result]) -> dict[str, Result]:
        """`known` and the results that lie in jobs/ only: of array jobs, and of a driver that was killed."""
        found = self.beside(known)
        if found:
            self.append(found.values())
        return known | found

    def beside(self, known: Mapping[str, Result]) -> dict[str, Result]:
        """The results that lie in jobs/ and are not `known`."""
        if not (self.root / "jobs").is_dir():
            return {}
        folders = {entry.name for entry in os.scandir(self.root / "jobs")} - set(known)
        return {key: result for key in sorted(folders) if (result := JobFolder(self.root, key).result()) is not None}

    def append(self, results: Iterable[Result]) -> None:
        """Lines of the index, on disk on return."""
        append_checked(self.index_path, *(result.model_dump() for result in results))

    def write_tables(self, jobs: Sequence[Job], results: Mapping[str, Result], parquet: bool = False) -> list[Path]:
        """table.csv and timing.csv of the jobs that have ended; as Parquet besides where pyarrow is there."""
        here = [(job, results[job.key]) for job in jobs if job.key in results]
        table = table_records(jobs, results)
        timing: list[Record] = [
            {"job": j.key, "group": j.group, "seconds": r.seconds, "tries": r.tries} for j, r in here
        ]
        written = [write_csv(self.root / "table.csv", table), write_csv(self.root / "timing.csv", timing)]
        try:
            written += [write_parquet(self.root / "table.parquet", table)]
            written += [write_parquet(self.root / "timing.parquet", timing)]
        except MissingExtra:
            if parquet:
                raise
        return written


def table_records(jobs: Sequence[Job], results: Mapping[str, Result]) -> list[Record]:
    """One record per job that has ended: what it is, what varies, how it ended, its numbers. Nothing of time."""
    here = [(job, results[job.key]) for job in jobs if job.key in results]
    varied = dict.fromkeys(name for job in jobs for name in job.varied)
    numbers = dict.fromkeys(name for _, result in here for name in result.numbers)
    named = {name: name if name not in varied else f"{name} (result)" for name in numbers}
    found = []
    for job, result in here:
        record: Record = {"job": job.key, "group": job.group, "kind": job.kind}
        record |= {name: _cell(job.varied.get(name)) for name in varied}
        record |= {"status": result.status, "reason": result.reason}
        found.append(record | {named[name]: result.numbers.get(name) for name in numbers})
    return found


def _cell(value: Any) -> str | int | float | bool | None:
    return json.dumps(value) if isinstance(value, list | dict) else value
