"""Every example runs, with a budget of a generation or two."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from zeuxis import plugins
from zeuxis.compute.precision import Gate
from zeuxis.hub.pocket import pocket_path
from zeuxis.run import problem

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("*.py"))
TWO = ("resume_and_replay", "mix_classes")  # generations or steps, or nothing is broken off or mixed


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `python PATH 1`, but in this process."""
    if not pocket_path("generator").exists() and "Pocket" in path.read_text(encoding="utf-8"):
        pytest.skip("the pocket weights are not in this checkout")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), "2" if path.stem in TWO else "1"])
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(plugins, "_trusted", set())
    monkeypatch.setattr(problem, "choose", lambda *given: Gate("fp32", "no time is taken in tests"))
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    runpy.run_path(str(path), run_name="__main__")
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    assert capsys.readouterr().out.strip()


def test_the_examples_are_short() -> None:
    assert len(EXAMPLES) >= 6
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 70 for path in EXAMPLES)
