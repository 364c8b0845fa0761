"""What a search keeps: the names are fixed, so that a checkpoint of an earlier version still goes on."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import ClassMix, Product, TruncatedNormal
from zeuxis.types import Evaluation

STORED = Path(__file__).parents[1] / "fixtures" / "search_states" / "states.safetensors"
SPACE = Product(TruncatedNormal(2), ClassMix(torch.eye(3) * torch.tensor([1.0, 2.0, 3.0]), tuple("abc")))
SHORT = {"cma-ga": {"focus": 1, "spread": 2}, "hybrid": {"evolve": 2, "climb": 2}, "adam": {"screen": 2}}

ALL = {"search", "population", "generation", "population_x", "population_score", "best_x", "best_score"}
NORMAL = ALL | {"centre", "spread", "mean", "sigma"}
SEP = NORMAL | {"path_sigma", "path_c", "C"}
GENETIC = ALL | {"spread"}
CLIMBER = {"x", "spread", "steps", "first", "second"}
SHADE = {"memory_F", "memory_Cr", "slot", "archive", "filled"}
LOG = {"first_x", "seeds", "counts", "scores"}
KEYS = {
    **dict.fromkeys(("random", "best-of-n", "de", "de-rand", "de-best"), ALL),
    **dict.fromkeys(("ga", "ga-thesis"), GENETIC),
    "nsga2": GENETIC | {"population_objectives"},
    "l-shade": ALL | SHADE,
    "sep-cma-es": SEP,
    "cma-es": SEP | {"B", "scale"},
    "lm-ma-es": NORMAL | {"path", "M"},
    "open-es": NORMAL | {"first", "second"},
    "cma-ga": ALL | {f"find.{key}" for key in SEP} | {f"spread.{key}" for key in GENETIC},
    "adam": ALL | CLIMBER,
    "hybrid": ALL | CLIMBER | {"rows", "top_x", "top_score"} | {f"inner.{key}" for key in SEP},
    **dict.fromkeys(("map-elites", "cma-me", "cma-mae"), ALL | LOG | {"spread", "measures"}),
    "pymoo:GA": ALL | LOG,
}
OURS = [name for name in KEYS if "pymoo" not in name and name not in SEARCHES.with_trait("archive")]


def step(search, generation):
    batch = search.ask(stream(7, generation, "ask"))
    score = -(batch.x - 0.5).square().sum(dim=1)
    gradient = 1 - 2 * batch.x if batch.gradient else None
    parts = {"one": batch.x[:, 0], "two": -batch.x[:, 1]}
    search.tell(batch, Evaluation(score, parts, measures=batch.x[:, :2], gradient=gradient))


def stored(name):
    """The state and the batch that was asked next, `(N, D)`."""
    start = f"{name}/state/"
    with safe_open(STORED, "pt") as file:
        keys = [key for key in file.keys() if key.startswith(start)]  # noqa: SIM118 - it is no dict
        tensors = {key.removeprefix(start): file.get_tensor(key) for key in keys}
        numbers = json.loads(file.metadata()["numbers"])
        rest = {key.removeprefix(start): value for key, value in numbers.items() if key.startswith(start)}
        return tensors | rest, file.get_tensor(f"{name}/next")


@pytest.mark.parametrize("name", KEYS)
def test_the_names_in_a_state_are_fixed(name):
    search = SEARCHES[name](SPACE, population=4)
    assert set(search.state_dict()) == KEYS[name]
    step(search, 0)
    assert set(search.state_dict()) == KEYS[name]


@pytest.mark.parametrize("name", OURS)
def test_a_state_of_an_earlier_version_goes_on_where_it_was(name):
    search = SEARCHES[name](SPACE, population=4, **SHORT.get(name, {}))
    state, following = stored(name)
    search.load_state_dict(state)
    assert search.generation == 3 and set(state) == KEYS[name]
    torch.testing.assert_close(search.ask(stream(7, 3, "ask")).x, following, atol=1e-4, rtol=1e-4)
    again = search.state_dict()
    assert all(torch.equal(again[k], v) if isinstance(v, torch.Tensor) else again[k] == v for k, v in state.items())


@pytest.mark.parametrize(("key", "value"), [("generation", "3"), ("generation", -1), ("steps", 1.5), ("rows", 7)])
def test_a_state_with_something_else_in_it_is_refused(key, value):
    search = SEARCHES["hybrid"](SPACE, population=4, **SHORT["hybrid"])
    with pytest.raises(BadInput, match=f"Expected .*{key}"):
        search.load_state_dict(stored("hybrid")[0] | {key: value})


@pytest.mark.parametrize("key", ["generation", "best_x", "find.mean", "spread.spread"])
def test_a_state_in_which_something_is_missing_is_refused(key):
    search = SEARCHES["cma-ga"](SPACE, population=4, **SHORT["cma-ga"])
    state = stored("cma-ga")[0]
    del state[key]
    with pytest.raises(BadInput, match=f"Expected .*{key.rpartition('.')[2]}"):
        search.load_state_dict(state)
