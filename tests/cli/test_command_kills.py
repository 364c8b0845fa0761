"""Commands that are killed again and again end as those that nothing disturbed: a part of `benchmarks/kills.py`."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from survey_helpers import program

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
table, kills = program("commands"), program("kills")


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    table.preload()
    held = table.Stock(tmp_path_factory.mktemp("stock"))
    yield held
    held.close()


@pytest.mark.parametrize("name", table.RESUMABLE)
def test_a_kill_changes_nothing_in_the_end(name, stock, tmp_path):
    tally = kills.kill_again_and_again(table.by_name(name), stock, tmp_path, 1, seed=1, most=1)
    assert tally.failures == [] and tally.kills == 1 and tally.ends >= 1


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", table.RESUMABLE)
@pytest.mark.parametrize("seed", range(2, 6))
def test_hundreds_of_kills_of_commands_change_nothing_in_the_end(name, seed, stock, tmp_path):
    print(f"seed {seed}")
    tally = kills.kill_again_and_again(table.by_name(name), stock, tmp_path, 9, seed=seed, tell=print)
    assert tally.failures == [] and tally.kills >= 9  # 540 in all


def test_an_experiment_killed_in_its_first_file_goes_on(stock, tmp_path):
    command = table.by_name("compare")
    place = table.fresh(command, stock, tmp_path / "place")
    (place / "out").mkdir()
    (place / "out" / ".design.json.part").write_bytes(b'{"half')
    child = table.start(command, stock, place, tmp_path / "said", quick=True)
    assert child.wait() == 0, child.output
    assert not list(place.rglob(".*.part"))


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the children of a process are looked up in /proc")
def test_the_workers_of_an_experiment_end_with_it(stock, tmp_path):
    command = table.by_name("compare")
    place = table.fresh(command, stock, tmp_path / "place")
    words = [*command.words(stock), "--workers", "2", "--seeds", "6"]
    child = table.start(replace(command, words=lambda stock: words), stock, place, tmp_path / "said", quick=True)
    tasks, workers, until = Path(f"/proc/{child.pid}/task"), [], time.monotonic() + 60
    cells = place / "out" / "cells.jsonl"
    while not cells.exists() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
        workers = [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]
    assert cells.exists() and len(workers) >= 2, child.output
    assert child.kill()
    while any(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def test_a_worker_waits_for_the_end_of_its_parent(monkeypatch):
    from zeuxis.experiments import worker

    done = []
    parent = SimpleNamespace(join=lambda: done.append("joined"))
    monkeypatch.setattr(worker.multiprocessing, "parent_process", lambda: parent)
    monkeypatch.setattr(worker.os, "_exit", done.append)
    worker._follow()
    assert done == ["joined", 0]
