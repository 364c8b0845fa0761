"""The algorithms of pymoo as searches: that they run and resume, and what they refuse."""

import sys

import pytest
import torch
from search_helpers import build, history, same, sphere

from zeuxis.errors import BadInput, MissingExtra, SearchStopped


@pytest.mark.parametrize(
    "algorithm", ["BRKGA", "CMAES", "EPPSO", "ES", "G3PCX", "ISRES", "NelderMead", "NicheGA", "PSO"]
)
def test_the_family_of_pymoo_runs_and_resumes(algorithm):
    name = f"pymoo:{algorithm}"
    whole, begun, resumed = build(name), build(name), build(name)
    expected = history(whole, 0, 12)
    latents = history(begun, 0, 5)
    resumed.load_state_dict(begun.state_dict())
    assert same(latents + history(resumed, 5, 12), expected)
    assert whole.best[1] > float(sphere(expected[0]).max())


def test_pymoo_leaves_the_global_random_state_alone():
    numpy = pytest.importorskip("numpy")
    before = numpy.random.get_state()[1].copy()
    history(build("pymoo:CMAES"), 0, 4)
    assert (numpy.random.get_state()[1] == before).all()


def test_a_log_that_leads_elsewhere_is_refused():
    search = build("pymoo:GA")
    history(search, 0, 4)
    state = search.state_dict() | {"scores": search.state_dict()["scores"].flip(0)}
    with pytest.raises(BadInput, match="did not arrive"):
        build("pymoo:GA").load_state_dict(state)


def test_an_algorithm_that_ends_of_itself_says_so():
    search = build("pymoo:CMAES", tolx=1e3)  # every step is smaller than this: it stops after its first
    with pytest.raises(SearchStopped, match="ended of itself"):
        history(search, 0, 4)
    assert search.best[1] > -torch.inf


def test_without_pymoo_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo.config", None)
    with pytest.raises(MissingExtra, match=r"zeuxis\[pymoo\]"):
        build("pymoo:GA")
