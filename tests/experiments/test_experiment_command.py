"""`zeuxis experiment FILE` and `show FOLDER`: exit codes, array jobs, interrupts, places that cannot be written."""

import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app

NAPS = """
name = "some naps"
about = "sleep"
[[jobs]]
name = "naps"
kind = "evaluate"
config = {{ evaluation = "naps_of_tests:nap"{more} }}
seeds = {seeds}
"""
OWN = ("--evaluation", "naps_of_tests:nap")


@pytest.fixture
def file(place):
    def write(seeds=3, more=""):
        (place / "naps.toml").write_text(NAPS.format(seeds=seeds, more=more))
        return "naps.toml"

    return write


def zeuxis_(*words):
    return CliRunner().invoke(app, ["experiment", *map(str, words)])


def test_it_carries_out_goes_on_and_is_shown(file, place):
    assert zeuxis_(file(), "--count").output == "3\n"
    first = zeuxis_(file(), *OWN)
    assert first.exit_code == 0 and "3 of 3  naps seed=2  value 0.9093" in first.output
    assert "/some-naps/table.csv" in first.output
    more = zeuxis_(file(seeds=4), *OWN)
    assert "4 of 4" in more.output and "3 of 4" not in more.output
    shown = zeuxis_("show", "runs/some-naps")
    assert shown.exit_code == 0 and "naps: evaluate, 4 of 4 done, 0 failed" in shown.output
    assert (
        "some naps: sleep" in shown.output and "0.9093" in shown.output and "runs/some-naps/table.csv" in shown.output
    )


def test_failed_jobs_are_exit_code_2_and_shown_with_their_reason(file):
    done = zeuxis_(file(2, ', fails = "word"'), *OWN, "--out", "out")
    assert done.exit_code == 2 and "2 of 2 jobs failed" in done.output and "a wrong word" in done.output
    shown = zeuxis_("show", "out")
    assert "naps: evaluate, 0 of 2 done, 2 failed" in shown.output and "failed: naps seed=0 (" in shown.output
    assert zeuxis_(file(2, ', fails = "word"'), *OWN, "--out", "out", "--job", "1").exit_code == 2


def test_tasks_of_an_array_job_and_then_their_table(file, place):
    for number in (2, 0, 1):
        assert zeuxis_(file(), *OWN, "--out", "array", "--job", number).exit_code == 0
    assert zeuxis_("show", "array").exit_code == 2
    done = zeuxis_(file(), *OWN, "--out", "array")
    assert done.exit_code == 0 and " of 3" not in done.output
    zeuxis_(file(), *OWN, "--out", "whole")
    assert (place / "array" / "table.csv").read_bytes() == (place / "whole" / "table.csv").read_bytes()


def test_code_that_only_the_file_names_is_not_imported(file, monkeypatch):
    from zeuxis import plugins

    monkeypatch.setattr(plugins, "_trusted", set())
    done = zeuxis_(file(), "--out", "out")
    assert done.exit_code == 2 and "--evaluation naps_of_tests:nap" in done.output
    assert "naps_of_tests" not in sys.modules and not os.path.exists("out")  # noqa: PTH110


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_it_with_130_and_the_same_command_goes_on(file, place, workers):
    words = [sys.executable, "-m", "zeuxis", "experiment", file(6, ", seconds = 0.3"), "--out", "out", *OWN]
    words += ["--workers", workers]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    child = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    index, until = place / "out" / "results.jsonl", time.monotonic() + 60
    while not index.exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130 and "The same command goes on." in said
    assert 1 <= (place / "out" / "table.csv").read_text().count("\n") - 1 < 6
    again = zeuxis_(*words[4:])
    assert again.exit_code == 0 and (place / "out" / "table.csv").read_text().count("\n") == 7


def test_a_place_that_cannot_be_written_is_a_sentence(file, place):
    (place / "a file").write_text("x")
    before = sorted(path.name for path in place.rglob("*"))
    for out in ("a file/x", "a file", "n" * 260, "", "/proc/x"):
        done = zeuxis_(file(), *OWN, "--out", out)
        assert done.exit_code == 2 and "Traceback" not in done.output, (out, done.output)
    assert sorted(path.name for path in place.rglob("*") if path.suffix != ".toml") == before
