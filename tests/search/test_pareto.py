"""Fronts: sorting, crowding and knee against their definitions, and NSGA-II as a search with several objectives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.search.pareto import HasFront, crowded_order, crowding, front_of, knee, objectives, ranks
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation

SPACE = Normal(6)


def points(seed, count, columns, levels):
    """Objectives with ties: whole numbers below `levels`, one row in eight lost."""
    f = torch.randint(levels, (count, columns), generator=stream(seed)).float()
    lost = torch.rand(count, generator=stream(seed, "lost")) < 0.125
    return f.masked_fill(lost[:, None], -torch.inf)


def dominates(a, b):
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def peeled(f):
    """Fronts by the definition: again and again those that none of the rest dominates."""
    rows, found, front = dict(enumerate(f.tolist())), {}, 0
    while rows:
        best = [i for i, row in rows.items() if not any(dominates(other, row) for other in rows.values())]
        found |= dict.fromkeys(best, front)
        rows, front = {i: row for i, row in rows.items() if i not in best}, front + 1
    return [found[i] for i in range(len(f))]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 4), st.integers(1, 9))
def test_fronts_are_those_of_the_definition(seed, count, columns, levels):
    f = points(seed, count, columns, levels)
    expected = peeled(f)
    assert ranks(f).tolist() == expected
    enough = 1 + seed % count
    got = ranks(f, enough).tolist()
    sorted_out = max(sorted(expected)[:enough])  # the front that fills the number
    assert [min(rank, sorted_out + 1) for rank in got] == [min(rank, sorted_out + 1) for rank in expected]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 4))
def test_crowding_is_that_of_the_paper(seed, count, columns):
    f = torch.rand(count, columns, generator=stream(seed))
    rank = ranks(f)
    expected = torch.zeros(count)
    for front in range(int(rank.max()) + 1):
        members = (rank == front).nonzero().flatten().tolist()
        for m in range(columns):
            order = sorted(members, key=lambda i: float(f[i, m]))
            width = float(f[order[-1], m] - f[order[0], m])
            for k, i in enumerate(order):
                end = k in (0, len(order) - 1)
                gap = torch.inf if end else float(f[order[k + 1], m] - f[order[k - 1], m]) / width
                expected[i] += gap if width > 0 else 0.0
    torch.testing.assert_close(crowding(f, rank), expected, rtol=1e-4, atol=1e-4)


def test_of_one_front_those_with_more_room_come_first():
    f = torch.tensor([[0.0, 4.0], [1.0, 3.0], [1.2, 2.8], [3.0, 1.0], [4.0, 0.0], [0.0, 0.0], [-torch.inf] * 2])
    order = crowded_order(f, ranks(f)).tolist()
    assert set(order[:2]) == {0, 4} and order[2] == 3 and order[-2:] == [5, 6]


def test_an_objective_in_which_all_agree_gives_nobody_room():
    f = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert crowding(f, torch.zeros(2, dtype=torch.int64)).tolist() == [torch.inf, torch.inf]
    assert crowding(torch.ones(3, 2), torch.zeros(3, dtype=torch.int64)).tolist() == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 4))
def test_the_front_is_what_none_dominates_along_the_first_objective(seed, count, columns):
    f = points(seed, count, columns, 9)
    front = front_of(f)
    finite = f.isfinite().all(dim=1).tolist()
    assert sorted(front.tolist()) == [i for i, rank in enumerate(peeled(f)) if rank == 0 and finite[i]]
    assert f[front, 0].tolist() == sorted(f[front, 0].tolist(), reverse=True)


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ([[1.0, 0.0], [0.9, 0.8], [0.5, 0.9], [0.0, 1.0]], 1),
        ([[100.0, 0.0], [90.0, 0.008], [50.0, 0.009], [0.0, 0.01]], 1),  # whatever the scales
        ([[1.0, 0.0], [0.3, 0.3], [0.0, 1.0]], 0),  # hollow: nothing lies beyond the line
        ([[0.0, 1.0], [1.0, 0.0]], 1),  # two ends: the better one in the first objective
        ([[0.4, 0.7]], 0),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.6, 0.6]], 3),
    ],
)
def test_the_knee_is_farthest_beyond_the_ends(front, expected):
    assert knee(torch.tensor(front)) == expected


def test_an_objective_that_is_no_number_loses_the_row():
    parts = {"a": torch.tensor([1.0, torch.nan, 3.0, 4.0]), "b": torch.tensor([1.0, 2.0, torch.inf, 4.0])}
    f = objectives(parts, torch.tensor([2.0, 3.0, 4.0, torch.nan]))
    assert f.tolist() == [[1.0, 1.0], [-torch.inf] * 2, [-torch.inf] * 2, [-torch.inf] * 2]
    assert objectives({"a": parts["a"]}, torch.arange(4.0)).shape == (4, 1)  # one part is no front


# the search


def parts_of(x):
    """Near one place and near another: the front is the line between them."""
    return {"near": -(x - 1).square().mean(dim=1), "far": -(x + 1).square().mean(dim=1)}


def step(search, generation, parts=parts_of, seed=3):
    batch = search.ask(stream(seed, generation, "ask"))
    told = parts(batch.x)
    search.tell(batch, Evaluation(torch.stack(list(told.values())).sum(dim=0), told))
    return batch.x


def bred(generations=30, population=16, parts=parts_of, **options):
    search = SEARCHES["nsga2"](SPACE, population=population, **options)
    for generation in range(generations):
        step(search, generation, parts)
    return search


def test_survivors_carry_their_objectives_and_the_first_front_comes_first():
    search = bred()
    assert isinstance(search, HasFront)
    torch.testing.assert_close(
        search.population_objectives, torch.stack(list(parts_of(search.population_x).values()), 1)
    )
    rank = ranks(search.population_objectives)
    assert rank.tolist() == sorted(rank.tolist())
    assert sorted(search.front.tolist()) == list(range(int((rank == 0).sum())))


def test_nothing_that_was_told_beats_the_front():
    search = SEARCHES["nsga2"](SPACE, population=64)
    told = torch.cat([step(search, generation) for generation in range(6)])
    f = torch.stack(list(parts_of(told).values()), dim=1)
    assert len(front_of(f)) <= 64  # so none of it had to go
    expected, kept = f[front_of(f)], search.population_objectives[search.front]
    torch.testing.assert_close(kept, expected)


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_a_resumed_search_goes_on_bit_for_bit(stop):
    whole, resumed = bred(8), SEARCHES["nsga2"](SPACE, population=16)
    resumed.load_state_dict(bred(stop).state_dict())
    for generation in range(stop, 8):
        step(resumed, generation)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]) if isinstance(value, torch.Tensor) else True
    assert torch.equal(whole.best[0], resumed.best[0]) and whole.best[1] == resumed.best[1]


@pytest.mark.parametrize("pick", ["knee", "first", "second", "sum"])
def test_the_best_is_picked_from_the_front_as_asked(pick):
    search = bred(pick=pick)
    f, front = search.population_objectives, search.front
    row = {
        "knee": front[knee(f[front])],
        "first": f[:, 0].argmax(),
        "second": f[:, 1].argmax(),
        "sum": search.population_score.argmax(),
    }[pick]
    x, score = search.best
    assert torch.equal(x, search.population_x[row]) and score == float(search.population_score[row])


@pytest.mark.parametrize("variation", [{}, {"crossover": "sbx", "mutation": "polynomial", "mutation_prob": 0.2}])
def test_the_front_spreads_between_the_ends(variation):
    first, last = bred(1, 32, **variation), bred(60, 32, **variation)
    assert last.population_objectives.amax(dim=0).gt(first.population_objectives.amax(dim=0)).all()
    assert len(last.front) > len(first.front)


def test_a_candidate_that_lacks_an_objective_is_never_picked():
    def patchy(x):
        told = parts_of(x)
        return told | {"far": torch.where((x[:, 0] * 1e4) % 1 < 0.5, torch.nan, told["far"])}

    search = bred(10, parts=patchy)
    assert search.population_objectives[search.front].isfinite().all()
    assert search.best[1] > -torch.inf


def test_it_survives_that_no_objective_is_a_number():
    search = bred(3, parts=lambda x: {"a": torch.full((len(x),), torch.nan), "b": x[:, 0]})
    assert search.best[1] == -torch.inf and not len(search.front)
    step(search, 3)
    assert search.best[1] > -torch.inf


def test_parts_that_do_not_fit_are_refused():
    search = SEARCHES["nsga2"](SPACE, population=4)
    batch = search.ask(stream(3, 0, "ask"))
    parts = {"a": batch.x[:, 0], "b": batch.x[:3, 0]}
    with pytest.raises(BadInput, match=r"Expected every part of the score of shape \(4,\), got {'b': \(3,\)}"):
        search.tell(batch, Evaluation(batch.x[:, 0], parts))
    step(search, 0)
    with pytest.raises(BadInput, match="Expected 2 objectives as in the generations before, got 3"):
        step(search, 1, lambda x: parts_of(x) | {"third": x[:, 0]})


@pytest.mark.parametrize("options", [{"pick": "text"}, {"mutation": "swap"}, {"elite": 1}, {"tournament": 0}])
def test_an_option_that_cannot_work_is_refused(options):
    with pytest.raises(BadInput):
        SEARCHES["nsga2"](SPACE, **options)
