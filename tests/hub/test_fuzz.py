"""Hostile files and mutants of every kind, in a process with limits on memory and time. Nothing in them is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing import FORMATS

SEED = 7
PROGRAM = Path(__file__).parent / "fuzzing.py"


def run(kinds, count, folder, seed=SEED):
    canary = folder / "canary"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), kinds, str(seed), str(count), str(folder)],
        cwd=folder,
        env=os.environ | {"ZEUXIS_CANARY": str(canary), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)  # seeds and counts, to be seen when it fails
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert not canary.exists() and not (folder / "PWNED").exists()
    return done.stdout


def test_hostile_files_are_refused_within_their_limits(tmp_path):
    said = run("fixtures,hostile", 3_000_000, tmp_path)
    assert said.count("refused in") == 2


@pytest.mark.long
@pytest.mark.timeout(600)
def test_hostile_files_of_full_size(tmp_path):
    run("hostile", 0, tmp_path)


@pytest.mark.parametrize("kinds", [FORMATS[::2], FORMATS[1::2]], ids=["even", "odd"])
def test_ten_thousand_mutants_are_refused_or_read_and_nothing_else(kinds, tmp_path):
    run(",".join(kinds), 670, tmp_path)  # of 15 formats


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_hundred_thousand_mutants(kind, tmp_path):
    run(kind, 100_000, tmp_path, SEED + 1)
