"""SIGKILL at any moment loses at most one generation, and the resumed run ends bit for bit like an unbroken one."""

import os
import random
import signal
import time

import pytest
from run_helpers import FaultyCalls, child, die, fingerprint, outcome, run_to_the_end, toy_config

from zeuxis.run import RunFolder, open_session

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

CONFIG = toy_config(generations=2, population=2, view_every=3)


@pytest.fixture
def unbroken(tmp_path):
    run_to_the_end(CONFIG, tmp_path / "unbroken")
    return fingerprint(tmp_path / "unbroken")


@pytest.fixture
def calls_of_a_run(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        calls = FaultyCalls(patch)
        run_to_the_end(CONFIG, tmp_path / "counted")
    return calls.count


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_kill_in_any_file_call_changes_nothing_in_the_end(tmp_path, unbroken, calls_of_a_run, monkeypatch, stride):
    assert calls_of_a_run > 60  # or the calls are not the ones that write
    killed, places = 0, range(0, calls_of_a_run, stride)
    for at in places:
        folder = tmp_path / f"killed-{at}"

        def until_call(folder=folder, at=at):
            FaultyCalls(monkeypatch, at, die)
            run_to_the_end(CONFIG, folder)

        killed += outcome(until_call) == -signal.SIGKILL
        run_to_the_end(CONFIG, folder)
        assert fingerprint(folder) == unbroken, f"killed in call {at}"
    assert killed >= len(places) - 3  # two threads: the last few numbers may not be reached


def kill_at_random_moments(config, tmp_path, least):
    """Kills runs, and resumed runs, until `least` kills have been made and the last run has come to its end."""
    started = time.monotonic()
    assert outcome(lambda: run_to_the_end(config, tmp_path / "unbroken")) == 0
    longest = time.monotonic() - started
    dice, kills, finished = random.Random(1), 0, 0
    while kills < least or not finished:
        folder, killed = tmp_path / f"run-{finished}", True
        while killed:
            with child(lambda folder=folder: run_to_the_end(config, folder)) as (pid, ended):
                time.sleep(dice.uniform(0, longest))
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    ended.append(status)
            killed = not done
            kills += killed
        assert os.waitstatus_to_exitcode(status) == 0
        assert fingerprint(folder) == fingerprint(tmp_path / "unbroken")
        finished += 1


def test_kills_at_random_moments_again_and_again_change_nothing_in_the_end(tmp_path):
    kill_at_random_moments(toy_config(generations=8), tmp_path, least=4)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("search", ["ga", "de", "random"])
def test_hundreds_of_kills_change_nothing_in_the_end(tmp_path, search):
    kill_at_random_moments(toy_config(search=search, generations=12, population=6), tmp_path, least=300)


def test_at_most_one_finished_generation_is_lost(tmp_path):
    dice = random.Random(2)
    for round_ in range(4):
        folder, (read, write) = tmp_path / f"run-{round_}", os.pipe()

        def tell_and_go_on(folder=folder, write=write):
            with open_session(toy_config(generations=1000), folder) as session:
                for event in session:
                    os.write(write, bytes([event.generation % 256]))

        with child(tell_and_go_on):
            os.read(read, 1)  # under way
            time.sleep(dice.uniform(0, 0.03))
        os.close(write)
        with os.fdopen(read, "rb") as events:
            finished = 1 + len(events.read())
        assert RunFolder(folder).generations >= finished - 1
