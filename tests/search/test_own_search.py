"""A search of one's own: `_ask`, `_tell` and `_state` are all it writes."""

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.search.base import CPU, PopulationSearch, Search
from zeuxis.spaces import Normal
from zeuxis.types import Batch, Evaluation

SPACE = Normal(5)


class Drift(PopulationSearch):
    """Draws about a place that moves to the best of each generation; steps that fail become shorter."""

    _state = ("place", "pace", "step as length")

    def __init__(self, space, population=8, device=CPU, *, name="drift", step=0.5):
        super().__init__(space, population, device, name)
        self.place, self.step, self.pace = space.prior_mean, step, 0

    def _ask(self, rng):
        return self.place + self.step * torch.randn(self.population, self.space.dim, generator=rng)

    def _tell(self, x, score, evaluation):
        self.pace += 1
        if self.generation and score.max() <= self.best[1]:
            self.step *= 0.7
        else:
            self.place = x[score.argmax()]
        return self._cut(x, score)


class Pair(PopulationSearch):
    """Two of them in turns."""

    _state = ("left", "other as right")

    def __init__(self, space, population=8, device=CPU, *, name="pair"):
        super().__init__(space, population, device, name)
        self.left, self.other = Drift(space, population), Drift(space, population, step=0.1)

    @property
    def now(self):
        return self.other if self.generation % 2 else self.left

    def _first(self, rng):
        return self.left.ask(rng).x

    def _ask(self, rng):
        return self.now.ask(rng)

    def _tell(self, x, score, evaluation):
        self.now.tell(Batch(x), evaluation)
        return self.now.population_x, self.now.population_score


class Steeper(Drift):
    """Keeps what it derives from keeps, and more."""

    _state = ("slope",)

    def __init__(self, space, population=8, device=CPU, *, name="steeper"):
        super().__init__(space, population, device, name=name)
        self.slope = torch.zeros(space.dim)


def run(search, start, stop):
    asked = []
    for generation in range(start, stop):
        batch = search.ask(stream(3, generation, "ask"))
        search.tell(batch, Evaluation(-(batch.x - 1).square().sum(dim=1)))
        asked.append(batch.x)
    return torch.cat(asked)


@pytest.mark.parametrize("kind", [Drift, Pair, Steeper])
def test_it_climbs_and_goes_on_bit_for_bit_from_its_state(kind):
    whole, begun, resumed = kind(SPACE), kind(SPACE), kind(SPACE)
    everything, first = run(whole, 0, 16), run(begun, 0, 7)
    resumed.load_state_dict(begun.state_dict())
    assert torch.equal(torch.cat([first, run(resumed, 7, 16)]), everything)
    assert isinstance(whole, Search) and whole.best[1] > float(-(everything[:8] - 1).square().sum(dim=1).max())


def test_the_state_has_the_names_that_were_declared():
    assert {"place", "pace", "length"} < set(Drift(SPACE).state_dict()) and "step" not in Drift(SPACE).state_dict()
    assert {"left.place", "right.length"} < set(Pair(SPACE).state_dict())
    assert {"slope", "place", "best_x"} < set(Steeper(SPACE).state_dict())
    with pytest.raises(BadInput, match="Expected the state of search 'drift'"):
        Drift(SPACE).load_state_dict(Steeper(SPACE).state_dict())


def test_latents_are_clipped_into_the_space():
    search = Drift(Normal(5, bound=0.1))
    assert bool((run(search, 0, 4).abs() <= 0.1).all())


@pytest.mark.parametrize("name", ["ga", "random", "de", "l-shade"])
def test_a_population_begins_with_what_another_search_has_found(name):
    search = SEARCHES[name](SPACE, population=8)
    x = SPACE.sample(20, stream(1))
    search.begin(x, x[:, 0])
    assert len(search.population_x) == 8 and search.best[1] == float(x[:, 0].max())
    assert len(run(search, 1, 2)) == 8  # children, not the prior


@pytest.mark.parametrize("name", ["sep-cma-es", "cma-es", "lm-ma-es", "open-es"])
def test_a_distribution_begins_afresh_at_the_best_of_what_another_search_has_found(name):
    search, fresh = SEARCHES[name](SPACE, population=8), SEARCHES[name](SPACE, population=8)
    run(search, 0, 5)
    x = SPACE.sample(20, stream(1))
    for each in (search, fresh):
        each.begin(x, x[:, 0])
        torch.testing.assert_close(each.centre + each.spread * each.mean, x[x[:, 0].argmax()])
    left, right = search.state_dict(), fresh.state_dict()
    assert all(
        torch.equal(left[k], right[k]) if isinstance(left[k], torch.Tensor) else left[k] == right[k] for k in left
    )
    assert torch.equal(run(search, 1, 4), run(fresh, 1, 4))
