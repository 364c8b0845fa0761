"""Quality-diversity searches: what they keep, that pyribs alone keeps the same, and what they refuse."""

import sys

import numpy as np
import pytest
import torch

from zeuxis.errors import BadInput, MissingExtra
from zeuxis.rng import stream
from zeuxis.search import QUALITY_DIVERSITY, SEARCHES
from zeuxis.search.archive import Archive, Grid, HasArchive, fill, parse_range, parse_ranges, spanned
from zeuxis.spaces import ClassMix, Normal, Product, SparseMix, Whitened
from zeuxis.types import Evaluation

SPACE = Normal(10, bound=4.0)
RANGES = "-2..2,-2..2"


def sphere(x):
    return -x.square().mean(dim=1)


def projection(x):
    """The linear projection of Fontaine et al. 2020, section 6.1: means of the two halves of the genes."""
    return torch.stack([x[:, :5].mean(dim=1), x[:, 5:].mean(dim=1)], dim=1)


def build(name, population=20, space=SPACE, **options):
    return SEARCHES[name](space, population=population, **{"ranges": RANGES, **options})


def history(search, start, stop, seed=3, measures=projection):
    told = []
    for generation in range(start, stop):
        batch = search.ask(stream(seed, generation, "ask"))
        search.tell(batch, Evaluation(sphere(batch.x), measures=measures(batch.x)))
        told.append(batch.x)
    return torch.cat(told)


@pytest.fixture(params=QUALITY_DIVERSITY)
def name(request):
    return request.param


def test_the_archive_holds_the_best_of_each_cell_that_was_ever_told(name):
    search = build(name, cells=8)
    x = history(search, 0, 12)
    ours, kept = fill(Grid(8, ((-2.0, 2.0), (-2.0, 2.0))), x, sphere(x), projection(x)), search.elites()
    assert isinstance(search, HasArchive) and torch.equal(kept.x, ours.x) and torch.equal(kept.cell, ours.cell)
    torch.testing.assert_close(kept.score, ours.score)
    torch.testing.assert_close(kept.measures, ours.measures)
    assert kept.qd_score == pytest.approx(ours.qd_score) and kept.coverage == ours.coverage > 0.1


def test_a_first_generation_larger_than_the_population_is_all_in_the_archive(name):
    search = build(name, population=4)
    search.start = SPACE.sample(30, stream(5))
    x = history(search, 0, 2)
    ours = fill(Grid(16, ((-2.0, 2.0), (-2.0, 2.0))), x, sphere(x), projection(x))
    assert len(x) == 34 and torch.equal(search.elites().x, ours.x) and len(search.population_x) == 4


def test_the_population_are_the_best_elites(name):
    search = build(name, population=6)
    history(search, 0, 10)
    best = search.elites().score.sort(descending=True).values[:6]
    assert torch.equal(search.population_score, best) and len(search.population_x) == 6
    assert search.best[1] == pytest.approx(float(best[0]), abs=1e-6)


def test_figures_of_an_archive_are_those_of_pyribs(name):
    search = build(name, offset=-20.0)
    x = history(search, 0, 6)
    theirs = pytest.importorskip("ribs.archives").GridArchive(
        solution_dim=10, dims=[16, 16], ranges=[(-2, 2)] * 2, qd_score_offset=-20.0
    )
    theirs.add(x.numpy(), sphere(x).numpy(), projection(x).numpy())
    stats, archive = theirs.stats, search.elites()
    assert archive.qd_score == pytest.approx(float(stats.qd_score)) and archive.offset == -20
    assert archive.coverage == pytest.approx(float(stats.coverage))


def test_map_elites_fills_as_much_as_pyribs_driven_by_hand():
    archives, emitters = (pytest.importorskip(f"ribs.{part}") for part in ("archives", "emitters"))
    ours, theirs = [], []
    for seed in range(5):
        search = build("map-elites", sigma=0.3, offset=-16.0)
        history(search, 0, 40, seed=seed)
        ours.append(search.elites().qd_score)
        archive = archives.GridArchive(
            solution_dim=10, dims=[16, 16], ranges=[(-2, 2)] * 2, qd_score_offset=-16.0, seed=seed
        )
        start = SPACE.sample(20, stream(seed, 0, "ask")).numpy()
        emitter = emitters.GaussianEmitter(
            archive, sigma=0.3, initial_solutions=start, bounds=[(-4, 4)] * 10, batch_size=20, seed=seed
        )
        for _ in range(40):
            x = torch.as_tensor(emitter.ask(), dtype=torch.float32)
            archive.add(x.numpy(), sphere(x).numpy(), projection(x).numpy())
        theirs.append(float(archive.stats.qd_score))
    deviation = float(np.std(theirs, ddof=1)) + 1e-9
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * deviation * (2 / 5) ** 0.5


def test_ranges_left_open_come_from_the_first_generation(name):
    search = build(name, ranges="")
    x = history(search, 0, 2)
    assert search.ranges == spanned(projection(x[:20]))


def test_cma_mae_anneals_but_keeps_the_elites():
    search = build("cma-mae", learning_rate=0.05)
    history(search, 0, 10)
    soft, kept = search._archive, search._results
    assert (soft.threshold[soft.order] < soft.score.max()).all()
    assert len(kept.order) >= len(soft.order) and (kept.threshold == kept.score)[kept.order].all()


@pytest.mark.parametrize("strategy", ["sep_cma_es", "lm_ma_es", "cma_es"])
def test_evolution_strategies_divide_the_generation(strategy):
    search = build("cma-me", population=7, emitters=3, strategy=strategy)
    history(search, 0, 3)
    assert [emitter.batch_size for emitter in search._running] == [3, 2, 2]


def test_emitters_are_no_more_than_latents():
    assert len(history(build("cma-me", population=2, emitters=15), 0, 4)) == 8


def test_iso_line_moves_along_the_line_between_two_elites():
    search = build("map-elites", operator="iso-line", sigma=0.0, population=2, line_sigma=1.0)
    history(search, 0, 1)
    a, b = search.population_x
    for child in search.ask(stream(3, 1, "ask")).x:
        away, line = child - a, b - a
        assert float((away - line * (away @ line) / (line @ line)).norm()) < 1e-4


def test_latents_whose_measures_are_no_numbers_are_in_no_cell_but_may_be_the_best(name):
    search = build(name)

    def partly(x):
        lost = sphere(x) > -0.5
        return torch.where(lost[:, None], torch.nan, projection(x))

    x = history(search, 0, 8, measures=partly)
    assert search.best[1] == pytest.approx(float(sphere(x).max()), abs=1e-6) and search.best[1] > -0.5
    assert bool((search.elites().score <= -0.5).all())


def test_without_measures_the_error_names_the_flag(name):
    search = build(name)
    batch = search.ask(stream(1))
    for measures in (None, torch.zeros(20, 3)):
        with pytest.raises(BadInput, match="--measure"):
            search.tell(batch, Evaluation(sphere(batch.x), measures=measures))
    search.tell(batch, Evaluation(sphere(batch.x), measures=projection(batch.x)))  # and it can go on


def test_a_log_that_leads_elsewhere_is_refused(name):
    search = build(name)
    history(search, 0, 4)
    state = search.state_dict() | {"scores": search.state_dict()["scores"].flip(0)}
    with pytest.raises(BadInput, match="did not arrive"):
        build(name).load_state_dict(state)


@pytest.mark.parametrize(
    ("space", "advice"),
    [
        (Whitened(torch.randn(20, 4, generator=stream(1)), layers=3), "--space w"),
        (Product(Normal(4), SparseMix(("a", "b", "c"))), "--space embedding"),
    ],
)
def test_spaces_too_large_to_mutate_in_are_refused(name, space, advice):
    with pytest.raises(BadInput, match=advice):
        build(name, space=space)


@pytest.mark.parametrize(
    "space",
    [
        Whitened(torch.randn(20, 4, generator=stream(1))),
        Product(Normal(4), ClassMix(torch.randn(5, 3, generator=stream(2)), tuple("abcde"))),
        Product(Normal(4), SparseMix(("only",))),
    ],
)
def test_spaces_of_one_style_are_taken(name, space):
    search = build(name, space=space, ranges="")
    history(search, 0, 3, measures=lambda x: x[:, :2])
    assert search.elites().coverage > 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("map-elites", options) for options in ({"operator": "x"}, {"sigma": -1}, {"cells": 0}, {"ranges": "0..1"})),
        *(
            ("cma-me", options)
            for options in ({"strategy": "x"}, {"emitters": 0}, {"sigma": 0}, {"ranges": "1..0,0..1"})
        ),
        *(("cma-mae", options) for options in ({"learning_rate": 2}, {"threshold_min": "x"}, {"cells": 1.5})),
    ],
)
def test_an_option_that_cannot_work_is_refused(name, options):
    with pytest.raises(BadInput):
        build(name, **options)


def test_without_pyribs_the_error_names_the_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "ribs.emitters", None)
    with pytest.raises(MissingExtra, match=r"zeuxis\[qd\]"):
        build(name)


def test_the_global_random_state_of_numpy_is_left_alone(name):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    history(build(name), 0, 4)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


# ---------------------------------------------------------------- the archive alone


def test_a_grid_counts_cells_from_the_low_end_and_takes_in_what_lies_outside():
    grid = Grid(4, ((0.0, 1.0), (-1.0, 1.0)))
    measures = torch.tensor([[0.0, -1.0], [0.25, 0.0], [0.99, 1.0], [-5.0, 5.0]])
    assert grid.place(measures).tolist() == [[0, 0], [1, 2], [3, 3], [0, 3]] and grid.total == 16


def test_filling_leaves_out_what_is_no_number_and_keeps_the_earlier_of_equals():
    score = torch.tensor([1.0, torch.nan, 1.0, 5.0])
    measures = torch.tensor([[0.1, 0.1], [0.9, 0.9], [0.1, 0.1], [0.5, torch.inf]])
    archive = fill(Grid(2, ((0, 1), (0, 1))), torch.arange(4.0)[:, None], score, measures, offset=-1.0)
    assert archive.x.tolist() == [[0.0]] and archive.coverage == 0.25 and archive.qd_score == 2.0
    empty = fill(Grid(2, ((0, 1), (0, 1))), torch.zeros(1, 3), torch.tensor([torch.nan]), torch.zeros(1, 2))
    assert isinstance(empty, Archive) and empty.coverage == 0 and empty.cell.shape == (0, 2)


def test_ranges_hold_the_sample_with_a_margin_and_round_bounds():
    sample = torch.stack([torch.linspace(0.2, 0.8, 256), torch.linspace(-3, 1, 256)], dim=1)
    (low, high), (down, up) = spanned(sample)
    assert 0.0 <= low < 0.2 and 0.8 < high <= 1.0 and down < -3 and up > 1
    assert f"{low:g}" == str(low).removesuffix(".0") and len(f"{low:g}") <= 5


def test_a_measure_that_never_changes_still_has_a_range():
    for value in (0.0, 0.3, -2.0):
        ((low, high),) = spanned(torch.full((9, 1), value))
        assert low < value < high


def test_a_measure_that_is_nowhere_a_number_is_refused():
    with pytest.raises(BadInput, match="other measures"):
        spanned(torch.full((4, 2), torch.nan))


def test_ranges_are_read():
    assert parse_range("-0.5..1e-1") == (-0.5, 0.1) and parse_ranges("") is None
    assert parse_ranges("0..1,-.5..2.") == ((0.0, 1.0), (-0.5, 2.0))
    for text in ("0.2", "1..0", "0..0", "a..b", "nan..1"):
        with pytest.raises(BadInput, match=r"LOW\.\.HIGH"):
            parse_range(text)
