"""What commands say, and keep, when something is taken away from them: a part of `benchmarks/resources.py`."""

import os
import random

import pytest
from survey_helpers import program

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
table, resources = program("commands"), program("resources")

SHORT = {
    "sample": [c.name for c in resources.CONDITIONS if c.name not in ("24 files", "stderr unread", "SIGTERM")],
    "generate": ("filling", "6 files", "SIGHUP", "both unread"),
    "train": ("quota", "SIGTERM"),
    "compare": ("filling", "Ctrl-C"),
    "bank": ("filling", "hangup and Ctrl-C"),
    "pull": ("filling", "SIGTERM"),
    "interpolate": ("filling", "Ctrl-C twice"),
    "convert": ("full", "SIGHUP"),
    "searches": ("filling", "SIGTERM"),
    "experiment": ("read-only", "Ctrl-C"),
    "studio": ("filling", "quota"),
    "project": ("full", "SIGTERM"),
    "prompts": ("broken disk",),
}


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    table.preload()
    held = table.Stock(tmp_path_factory.mktemp("stock"))
    yield held
    held.close()


def wrongs(trial, conditions, seed):
    """What is not as it should be, under each condition."""
    mounts = resources.can_mount()
    found = {}
    for condition in resources.CONDITIONS:
        if condition.name in conditions and (mounts or not condition.disk):
            found[condition.name] = trial.under(condition, random.Random(f"{seed} {condition.name}"))[1]
    assert found
    return {name: wrong for name, wrong in found.items() if wrong}


ALWAYS = ("sample", "train", "convert", "experiment", "prompts")  # "sample" under every condition
NAMES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in SHORT]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_says_what_it_lacks_and_loses_nothing(name, stock, tmp_path):
    assert wrongs(resources.Trial(table.by_name(name), stock, tmp_path), SHORT[name], seed=1) == {}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 5))
@pytest.mark.parametrize("command", table.COMMANDS, ids=lambda command: command.name)
def test_every_command_under_every_condition(command, seed, stock, tmp_path):
    every = [condition.name for condition in resources.CONDITIONS]
    assert wrongs(resources.Trial(command, stock, tmp_path), every, seed) == {}


def test_a_small_file_is_read_with_little_memory(tmp_path):
    """Python takes the memory for all that a read asks for, before it knows how much there is."""
    from zeuxis.storage.reading import read_plain

    (tmp_path / "small").write_bytes(b"abc")

    pid = os.fork()
    if pid == 0:
        try:
            resources.little_memory(random.Random(0), 0)()
            os._exit(0 if read_plain(tmp_path / "small") == b"abc" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
