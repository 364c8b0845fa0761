"""A small part of `benchmarks/damage.py`: no damage to any file passes in silence or ends in a traceback."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "damage.py"


@pytest.fixture(scope="module")
def damage():
    spec = importlib.util.spec_from_file_location("damage_survey", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "part"),
    [("run", 0.025), pytest.param("archive", 0.015, marks=pytest.mark.long), ("bank", 0.3), ("experiment", 0.06)],
)
def test_damage_is_never_silent(damage, name, part, tmp_path):
    found = []
    kind = next(kind for kind in damage.KINDS if kind.name == name)
    with damage.without_waiting(), damage.plain_figures():
        counts = damage.survey(kind, tmp_path, 3, 0, found.append, part)
    assert found == [] and counts.total() > 4
