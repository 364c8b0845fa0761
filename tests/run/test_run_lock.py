"""One writer per run folder, and a lock never outlives its owner."""

import os
import signal
import time

import pytest
from run_helpers import child, run_to_the_end, toy_config

from zeuxis.errors import RunLocked
from zeuxis.run import RunFolder, open_session
from zeuxis.storage.lock import RunLock

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def hold(folder, ready):
    lock = RunLock(folder)
    os.write(ready, b"x")
    time.sleep(60)
    lock.release()


def test_the_second_process_is_refused_at_once_and_told_who_is_first(tmp_path):
    read, write = os.pipe()
    with child(lambda: hold(tmp_path, write)) as (pid, _):
        os.read(read, 1)
        started = time.monotonic()
        with pytest.raises(RunLocked, match=f"process {pid}"):
            open_session(toy_config(), tmp_path)
        assert time.monotonic() - started < 1
    os.close(read), os.close(write)


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    read, write = os.pipe()
    with child(lambda: hold(tmp_path, write)) as (pid, ended):
        os.read(read, 1)
        os.kill(pid, signal.SIGKILL)
        ended.append(os.waitpid(pid, 0))
        assert (tmp_path / "lock").read_text().strip() == str(pid)  # the file is still there
        RunLock(tmp_path).release()
    os.close(read), os.close(write)


def test_two_sessions_in_one_process_exclude_each_other_too(tmp_path):
    with open_session(toy_config(), tmp_path), pytest.raises(RunLocked, match=f"process {os.getpid()}"):
        open_session(toy_config(), tmp_path)
    open_session(toy_config(), tmp_path).close()


def test_a_session_that_could_not_be_opened_lets_go(tmp_path):
    run_to_the_end(toy_config(), tmp_path)
    good = (tmp_path / "run.json").read_bytes()
    (tmp_path / "run.json").write_bytes(b"{}")
    with pytest.raises(Exception, match="damaged"):
        open_session(toy_config(), tmp_path)
    (tmp_path / "run.json").write_bytes(good)
    open_session(toy_config(), tmp_path).close()


def test_reading_needs_no_lock(tmp_path):
    with open_session(toy_config(), tmp_path) as session:
        for event in session:
            if event.generation == 2:
                assert len(RunFolder(tmp_path).history()) >= 2


def test_releasing_twice_is_fine(tmp_path):
    lock = RunLock(tmp_path)
    lock.release()
    lock.release()
