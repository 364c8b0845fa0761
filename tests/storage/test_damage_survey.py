"""A small part of `benchmarks/damage.py`: no damage to any file passes in silence or ends in a traceback."""

import importlib.util
import sys
from pathlib import Path

import pytest

from zeuxis.errors import RunDamaged

PATH = Path(__file__).parents[2] / "benchmarks" / "damage.py"


@pytest.fixture(scope="module")
def damage():
    spec = importlib.util.spec_from_file_location("damage_survey", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(PATH.parent))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("run", 0.01),
        pytest.param("archive", 0.015, marks=pytest.mark.long),
        ("bank", 0.3),
        ("experiment", 0.06),
        ("training", 0.015),
        ("model", 0.4),
        ("study", 0.015),
        ("jobs", 0.006),
        ("studio", 0.2),
    ],
)
def test_damage_is_never_silent(damage, name, part, tmp_path):
    found = []
    kind = next(kind for kind in damage.KINDS if kind.name == name)
    with damage.without_waiting(), damage.plain_figures():
        counts = damage.survey(kind, tmp_path, 3, 0, found.append, part)
    assert found == [] and counts.total() > 4 + counts["files"]


def test_the_survey_sees_what_it_looks_for(damage, tmp_path, monkeypatch):
    def make(folder, other):
        folder.mkdir()
        (folder / "file").write_bytes(b"other" if other else b"whole")

    def refuse(folder, file):
        if not (folder / file).is_file() or (folder / file).read_bytes() != b"whole":
            raise RunDamaged("it is damaged")
        return damage.Result()

    actions = {
        "raw": lambda folder, file: damage.Result((folder / file).read_bytes()),
        "noted": lambda folder, file: damage.Result(*((b"", ["gone"]) if not (folder / file).is_file() else ())),
        "refused": refuse,
    }
    monkeypatch.setattr(damage, "PATIENCE", 0.2)
    told = []
    counts = damage.survey(damage.Kind("own", make, actions), tmp_path, 3, 0, told.append)
    found = {" ".join(line.split(":")[0].split()[:3]) for line in told}
    assert found == {"SILENT own raw", "TRACEBACK own raw", "HANG own raw"} and counts["HANG"] == 1
    assert counts["said"] == 3 and counts["refused"] > 8
