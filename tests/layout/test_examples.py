"""Every example runs, with a budget of a few generations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zeuxis.hub.pocket import pocket_path

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path, tmp_path: Path) -> None:
    if not pocket_path("generator").exists() and "Pocket" in path.read_text(encoding="utf-8"):
        pytest.skip("the pocket weights are not in this checkout")
    env = os.environ | {"PYTHONPATH": str(path.parent.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(path), "2"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_examples_are_short() -> None:
    assert len(EXAMPLES) >= 6
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 70 for path in EXAMPLES)
