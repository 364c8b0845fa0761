"""Jobs of the tests' own code, in a folder of their own."""

import sys
from pathlib import Path

import pytest

from zeuxis import plugins
from zeuxis.experiments import analysis

sys.path.insert(0, str(Path(__file__).parent))  # naps.py


@pytest.fixture(autouse=True, scope="module")
def few_rounds():
    """Intervals of a few draws: 2,000 of them for each figure of a table take longer than the runs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(analysis, "ROUNDS", 100)
        yield


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with the module of `naps.CODE` in it, which the user has named."""
    from naps import CODE

    (tmp_path / "naps_of_tests.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "naps_of_tests", raising=False)
    monkeypatch.setattr(plugins, "_trusted", {"naps_of_tests:nap"})
    return tmp_path
