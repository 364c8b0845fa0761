"""Hostile files and mutants of every format, in a process with limits on memory and time. Nothing in them is run."""

import os
import sys
import tempfile
import traceback
from pathlib import Path

import fuzzing
import pytest
from fuzz_seeds import FORMATS, seed
from fuzzing import read

SEED = 7
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
QUICK = Path("/dev/shm")  # thousands of small files: memory takes them faster than a disk


@pytest.fixture
def folder(tmp_path):
    with tempfile.TemporaryDirectory(dir=QUICK if os.access(QUICK, os.W_OK) else tmp_path) as name:
        yield Path(name)


def run(kinds, count, folder, seed=SEED):
    """In a forked process, which has torch already."""
    said, canary = folder / "said.txt", folder / "canary"
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT, 0o600), 1)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
            os.environ["ZEUXIS_CANARY"] = str(canary)
            os.chdir(folder)
            fuzzing.main(kinds, seed, count, folder)
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(code)
    code, told = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.read_text()
    print(told)  # seeds and counts, to be seen when it fails
    assert code == 0, told[-1500:]
    assert not canary.exists() and not (folder / "PWNED").exists()
    return told


def test_hostile_files_are_refused_within_their_limits(tmp_path):
    said = run("fixtures,hostile", 1_000_000, tmp_path)
    assert said.count("refused in") == 2


@pytest.mark.long
@pytest.mark.timeout(600)
def test_hostile_files_of_full_size(tmp_path):
    run("hostile", 0, tmp_path)


def test_the_seeds_that_are_whole_are_read_as_they_are(tmp_path):
    """So that a mutant of one can get past the parser."""
    for kind in ("style.pt", "biggan.pth", "style_old.pt", "style.safetensors", "model.safetensors", "pack.npz"):
        (tmp_path / kind).write_bytes(seed(kind, tmp_path))
        read(tmp_path / kind)


@pytest.mark.parametrize("name", FORMATS)
def test_mutants_are_refused_or_read_and_nothing_else(name, folder):
    assert " of 1000 refused" in run(name, 1_000, folder)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FORMATS)
def test_a_hundred_thousand_mutants(name, folder):
    assert " of 100000 refused" in run(name, 100_000, folder, SEED + 1)
