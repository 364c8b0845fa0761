"""An experiment of jobs: one table whoever carries it out and however often it is broken off."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from naps import group
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, RunLocked, RunUnwritable
from zeuxis.experiments import driver, work
from zeuxis.experiments.driver import Settings, run_experiment, run_one
from zeuxis.experiments.jobs import make_plan
from zeuxis.experiments.results import JobFolder, Result, Results
from zeuxis.storage.lock import RunLock


def plan_of(*groups, **given):
    return make_plan({"jobs": list(groups), **given})


def table(out):
    return (out / "table.csv").read_bytes()


def begun(out):
    return sorted(len(path.read_text()) for path in out.glob("jobs/*/work/begun"))


def code_of_fork(work):
    """What a process that does `work` ends with, below 0 for a signal."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def lines(out):
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_every_executor_and_an_array_of_single_jobs_give_the_same_table(place):
    plan = plan_of(group(seeds=3), group("bad", 2, fails="word"), group("dies", 1, dies=1, seconds=0.01))
    one = run_experiment(plan_of(group(seeds=3), group("bad", 2, fails="word")), place / "a")
    assert one.done == 3 and len(one.failed) == 2
    assert one.failed[0][1].reason == "ValueError: a wrong word"
    for number in range(5):
        run_one(plan_of(group(seeds=3), group("bad", 2, fails="word")), place / "array", number)
    assert not (place / "array" / "table.csv").exists()
    run_experiment(plan_of(group(seeds=3), group("bad", 2, fails="word")), place / "array")
    assert table(place / "array") == table(place / "a") and begun(place / "array") == [1] * 5
    many = run_experiment(plan, place / "b", Settings("processes", 2))
    assert many.done == 4 and table(place / "b").startswith(table(place / "a"))
    text = table(place / "a").decode()
    head, first = text.splitlines()[:2]
    assert head == "job,group,kind,seed,status,reason,value,nothing,seed squared"
    assert first.split(",")[1:] == ["naps", "evaluate", "0", "done", "", "0.0", "", "0"]


def test_what_is_done_is_skipped_and_what_was_added_is_run(place):
    run_experiment(plan_of(group(seeds=2)), place / "out")
    seen = []
    done = run_experiment(plan_of(group(seeds=4)), place / "out", report=lambda *told: seen.append(told[:2]))
    assert seen == [(3, 4), (4, 4)] and done.done == 4 and begun(place / "out") == [1] * 4
    run_experiment(plan_of(group(seeds=1)), place / "out")
    assert table(place / "out").count(b"\n") == 2 and len(lines(place / "out")) == 4


def test_a_job_whose_process_always_dies_is_a_failed_row_and_the_others_are_done(place):
    plan = plan_of(group(seeds=3), group("dead", 1, dies=9), attempts=2)
    done = run_experiment(plan, place / "out", Settings("processes", 2))
    assert done.done == 3 and [r.reason for _, r in done.failed] == [f"{work.DIED} (2 tries)"]
    assert b"failed,its process ended without a result (2 tries)" in table(place / "out")
    before = begun(place / "out")
    run_experiment(plan, place / "out", Settings("processes", 2))
    assert begun(place / "out") == before == [1, 1, 1, 2]
    again = run_experiment(plan, place / "out", Settings("processes", 1, retry_failed=True))
    assert len(again.failed) == 1 and begun(place / "out")[-1] == 4


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_job_that_kills_its_driver_is_tried_as_often(place):
    plan = plan_of(group("dead", 1, dies=9), attempts=2)
    codes = [code_of_fork(lambda: run_experiment(plan, place / "out")) for _ in range(2)]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL]
    assert run_experiment(plan, place / "out").failed[0][1].reason == f"{work.DIED} (2 tries)"
    run_experiment(plan, place / "many", Settings("processes", 1))
    assert table(place / "many") == table(place / "out")


def test_an_error_that_may_pass_is_tried_again_and_one_that_will_not_is_not(place):
    plan = plan_of(group("once", 1, fails="once"), group("disk", 1, fails="disk"), group("exit", 1, fails="exit"),
                   group("text", 1, fails="text"), group("number", 1, fails="number"))  # fmt: skip
    done = run_experiment(plan, place / "out")
    reasons = {job.group: result.reason for job, result in done.failed}
    assert reasons == {
        "disk": "OSError: [Errno 5] Input/output error (3 tries)",
        "exit": "SystemExit: 3",
        "text": "Expected a number as 'value' of a job's result, got object.",
        "number": "Expected a table of names and numbers as a job's result, got float.",
    }
    assert begun(place / "out") == [1, 1, 1, 2, 3]


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_a_full_disk_ends_it_with_a_sentence_and_is_no_fault_of_the_job(place, executor):
    plan = plan_of(group(seeds=2), group("full", 2, full=True))
    with pytest.raises(RunUnwritable, match=r"No space left on device.*Make room; the same command goes on"):
        run_experiment(plan, place / "out", Settings(executor, 1))
    (place / "out" / "room").touch()
    done = run_experiment(plan, place / "out", Settings(executor, 1))
    assert done.done == 4 and not list(place.glob("out/jobs/*/tries.jsonl"))


def test_a_driver_that_is_killed_and_workers_that_are_killed_leave_the_same_table(place):
    text = (
        '[[jobs]]\nname = "naps"\nkind = "evaluate"\nseeds = 4\n'
        'config = { evaluation = "naps_of_tests:nap", seconds = 0.2, dies = 1 }\n'
    )
    (place / "naps.toml").write_text(text)
    words = [sys.executable, "-m", "zeuxis", "experiment", "naps.toml", "--out", "out", "--workers", "2"]
    words += ["--evaluation", "naps_of_tests:nap"]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    child = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    index, until = place / "out" / "results.jsonl", time.monotonic() + 60
    while not index.exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert 0 < len(lines(place / "out")) < 4
    again = CliRunner().invoke(app, words[3:])
    assert again.exit_code == 0, again.output
    plan = plan_of(group(seeds=4, seconds=0.2, dies=1))
    assert run_experiment(plan, place / "out").done == 4
    whole = plan_of(group(seeds=4))  # the same numbers, under other keys
    run_experiment(whole, place / "whole")
    assert [row.split(b",")[1:] for row in table(place / "out").splitlines()] == [
        row.split(b",")[1:] for row in table(place / "whole").splitlines()
    ]


def test_a_signal_to_one_worker_only_costs_a_try(place):
    """Its job is asked to save its state and end; nobody has asked for an end of the experiment."""
    plan = plan_of(group(seeds=2), group("term", 1, fails="term"))
    done = run_experiment(plan, place / "out", Settings("processes", 1))
    assert done.done == 3 and max(begun(place / "out")) == 2


def test_an_interrupt_keeps_what_is_done_and_writes_its_table(place):
    asked = []
    with pytest.raises(KeyboardInterrupt):
        run_experiment(
            plan_of(group(seeds=4)), place / "out",
            report=lambda *told: asked.append(told), stop=lambda: len(asked) >= 2,
        )  # fmt: skip
    assert table(place / "out").count(b"\n") == 3
    assert run_experiment(plan_of(group(seeds=4)), place / "out").done == 4 and begun(place / "out") == [1] * 4


def test_damaged_lines_are_found_again_in_the_jobs_folders(place):
    plan, said = plan_of(group(seeds=3)), []
    run_experiment(plan, place / "out")
    before, index = table(place / "out"), place / "out" / "results.jsonl"
    data = index.read_bytes().splitlines()
    index.write_bytes(data[0].replace(b"done", b"gone") + b"\n" + data[1] + b"\n" + data[2][:20])
    run_experiment(plan, place / "out", say=said.append)
    assert table(place / "out") == before and begun(place / "out") == [1] * 3
    assert said == ["2 lines of results.jsonl are damaged; their jobs are looked for in jobs/."]
    job = plan.all_jobs()[0]
    folder = JobFolder(place / "out", job.key)
    folder.result_path.write_bytes(folder.result_path.read_bytes().replace(b"done", b"none"))
    index.write_bytes(b"")
    run_experiment(plan, place / "out")
    assert table(place / "out") == before and begun(place / "out") == [1, 1, 2]


def test_a_second_driver_and_a_folder_of_something_else_are_refused(place):
    plan = plan_of(group(seeds=1))
    run_experiment(plan, place / "out")
    lock = RunLock(place / "out")
    with pytest.raises(RunLocked, match="another --out"):
        run_experiment(plan, place / "out")
    lock.release()
    (place / "letters").mkdir()
    (place / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(BadInput, match="something else"):
        run_experiment(plan, place / "letters")
    with pytest.raises(BadInput, match="from 0 to 0"):
        run_one(plan, place / "out", 1)


def test_a_job_of_another_worker_is_waited_for_and_then_tried_again(place, monkeypatch):
    monkeypatch.setattr(work, "LOCK_SECONDS", 0.1)
    plan = plan_of(group(seeds=1), attempts=2)
    job = plan.all_jobs()[0]
    folder = JobFolder(place / "out", job.key)
    folder.path.mkdir(parents=True)
    lock = RunLock(folder.path)
    done = run_experiment(plan, place / "out")
    lock.release()
    assert "is being written by process" in done.failed[0][1].reason and not begun(place / "out")


def test_a_link_in_the_place_of_a_job_is_not_followed(place):
    plan = plan_of(group(seeds=1))
    outside = place / "outside"
    outside.mkdir()
    (place / "out" / "jobs").mkdir(parents=True)
    (place / "out" / "jobs" / plan.all_jobs()[0].key).symlink_to(outside)
    with pytest.raises(Exception, match="is a link"):
        run_experiment(plan, place / "out")
    assert list(outside.iterdir()) == []


def test_ten_thousand_finished_jobs_are_read_without_a_look_at_their_folders(place, monkeypatch):
    plan = plan_of(group(seeds=10_000))
    results = Results(place / "out")
    results.open(plan, {})
    results.append(Result(job=job.key, status="done", numbers={"value": 1.0}) for job in plan.all_jobs())
    monkeypatch.setattr(driver.JobFolder, "result", lambda folder: pytest.fail("a finished job was looked at"))
    seen, began = [], time.perf_counter()
    more = plan_of(group(seeds=10_000), group("one", 1, seconds=0.0))
    monkeypatch.setattr(driver, "carry_out_job", lambda *told: seen.append(time.perf_counter()) or work.Outcome(
        Result(job=told[1].key, status="done")))  # fmt: skip
    assert run_experiment(more, place / "out").done == 10_001
    assert seen[0] - began < 8  # 0.6 s on an idle core
