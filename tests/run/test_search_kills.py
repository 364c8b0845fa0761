"""Every search in a run of 100 generations that is killed at five places: log, pictures and checkpoints bit for bit."""

import os
import signal

import pytest
from run_helpers import fingerprint, outcome, run_to_the_end, toy_config

from zeuxis.generators import toy
from zeuxis.run import open_session
from zeuxis.run.checkpoint import read
from zeuxis.run.folder import RunFolder
from zeuxis.search import SEARCHES

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

ARCHIVES = ("map-elites", "cma-me", "cma-mae")


def every_search():
    return [*(name for name in SEARCHES if not name.startswith("pymoo")), "pymoo:GA"]


def config_of(name, generations):
    """A run of 8 images a generation. Archives need measures."""
    if name.startswith("pymoo"):
        pytest.importorskip("pymoo")
    if name in ARCHIVES:
        pytest.importorskip("ribs")
    measures = {"measures": ("brightness", "saturation")} if name in ARCHIVES else {}
    parts = {"realism": 0.1} if name == "nsga2" else {}  # objectives
    return toy_config(search=name, generations=generations, population=8, view_every=20, **measures, **parts)


def run_until_killed(config, folder, last):
    """Begin or go on; SIGKILL as soon as generation `last` was passed on."""
    with open_session(config, folder) as session:
        for event in session:
            if event.generation == last:
                os.kill(os.getpid(), signal.SIGKILL)


def newest_state(folder):
    """The newest checkpoint: every tensor's bytes, order in memory, type; and the numbers."""
    generation, state = read(max((folder / "checkpoint").glob("*.safetensors")), RunFolder(folder).key)
    told = {k: (v.dtype, v.shape, v.stride(), v.numpy().tobytes()) for k, v in state.items() if hasattr(v, "stride")}
    return generation, told, {k: v for k, v in state.items() if k not in told}


def check(name, variables, generations, places, tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "GENES", variables)  # the first twelve are drawn, a search moves all
    config = config_of(name, generations)
    assert outcome(lambda: run_to_the_end(config, tmp_path / "unbroken")) == 0
    for place in places:
        assert outcome(lambda place=place: run_until_killed(config, tmp_path / "killed", place)) == -signal.SIGKILL
    assert outcome(lambda: run_to_the_end(config, tmp_path / "killed")) == 0
    one, other = newest_state(tmp_path / "killed"), newest_state(tmp_path / "unbroken")
    assert one == other and one[0] == generations
    assert fingerprint(tmp_path / "killed") == fingerprint(tmp_path / "unbroken")


@pytest.mark.parametrize("name", ["cma-es", "cma-ga", "hybrid"])
def test_a_short_run_of_512_variables_killed_twice_is_the_unbroken_one(name, tmp_path, monkeypatch):
    check(name, 512, 12, (3, 11), tmp_path, monkeypatch)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("variables", [64, 512])
@pytest.mark.parametrize("name", every_search())
def test_a_run_of_100_generations_killed_at_five_places_is_the_unbroken_one(name, variables, tmp_path, monkeypatch):
    check(name, variables, 100, (0, 19, 40, 61, 86), tmp_path, monkeypatch)
