"""Many tabs on one run: all of them hear all of it, and the search hardly notices. Long: `benchmarks/studio.py`."""

import importlib
import sys
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield importlib.import_module("studio")
    sys.modules.pop("studio", None)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of other packages, which are looked at while the server starts
def test_twenty_tabs_lose_nothing_and_cost_the_search_little(load):
    fields = {"prompt": "a red truck", "generator": "pocket", "scorer": ("pocket",), "judge": "pocket"}
    figures = load.measure(fields | {"population": 64, "generations": 10}, tabs=20, rounds=3)
    assert figures["tabs"] == 120 and figures["lost"] == figures["behind"] == 0
    assert figures["efficiency"] >= 0.95
