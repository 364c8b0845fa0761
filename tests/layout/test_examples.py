"""Every example runs, with a budget of a few generations."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from zeuxis import plugins
from zeuxis.hub.pocket import pocket_path

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `python PATH 2`, but in this process."""
    if not pocket_path("generator").exists() and "Pocket" in path.read_text(encoding="utf-8"):
        pytest.skip("the pocket weights are not in this checkout")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), "2"])
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(plugins, "_trusted", set())
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    runpy.run_path(str(path), run_name="__main__")
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    assert capsys.readouterr().out.strip()


def test_the_examples_are_short() -> None:
    assert len(EXAMPLES) >= 6
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 70 for path in EXAMPLES)
