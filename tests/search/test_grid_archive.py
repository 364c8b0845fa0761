"""The archive of the quality-diversity searches against pyribs', to the bit."""

import numpy as np
import pytest

from zeuxis.search.archive import Grid
from zeuxis.search.grid_archive import GridArchive

archives = pytest.importorskip("ribs.archives")
CELLS, DIM, RANGES = 5, 3, ((-1.0, 1.0), (0.0, 2.0))
SOFT = {"plain": None, "soft": (0.1, -3.0), "slow": (0.0, -3.0), "fast": (1.0, -3.0)}


def both(soft):
    named = {} if soft is None else {"learning_rate": soft[0], "threshold_min": soft[1]}
    theirs = archives.GridArchive(solution_dim=DIM, dims=[CELLS] * 2, ranges=RANGES, seed=1, **named)
    return GridArchive(Grid(CELLS, RANGES), np.ones(DIM), np.random.default_rng(1), soft=soft), theirs


@pytest.mark.parametrize("soft", SOFT.values(), ids=SOFT)
def test_batches_enter_as_in_pyribs(soft):
    """Crowded batches with ties and measures outside of the ranges; scores below the least threshold as well."""
    ours, theirs = both(soft)
    rng = np.random.default_rng(0)
    for _ in range(40):
        x = rng.normal(size=(17, DIM)).astype(np.float32)
        score, measures = rng.normal(size=17).round(1) * 2, rng.normal((0, 1), 1.2, (17, 2))
        told = theirs.add(x.astype(np.float64), score, measures)
        status, value = ours.add(x, score, measures)
        np.testing.assert_array_equal(status, told["status"])
        np.testing.assert_array_equal(value, told["value"])
    data = theirs.data()
    np.testing.assert_array_equal(ours.order, data["index"])
    for name, mine in (("solution", ours.x), ("measures", ours.measures), ("threshold", ours.threshold)):
        np.testing.assert_array_equal(mine[ours.order], data[name])
    np.testing.assert_array_equal(ours.score[ours.order], data["objective"])
    assert len(ours.order) > 20
    mine, others = ours.sample_elites(9)["solution"], theirs.sample_elites(9)["solution"]
    np.testing.assert_array_equal(mine, others)


def test_nothing_enters_an_empty_archive_below_the_least_threshold():
    ours, _ = both((0.5, 0.0))
    status, value = ours.add(np.zeros((2, DIM), np.float32), np.array([-1.0, -2.0]), np.zeros((2, 2)))
    assert ours.empty and status.tolist() == [0, 0] and value.tolist() == [-1.0, -2.0]


def test_several_latents_of_a_batch_raise_the_threshold_of_their_cell_once_by_the_batch_rule():
    """t = (1 - a)^k t + (1 - (1 - a)^k) mean: two latents of scores 1 and 3 from t = 0 with a = 0.5."""
    ours, _ = both((0.5, 0.0))
    ours.add(np.zeros((2, DIM), np.float32), np.array([1.0, 3.0]), np.zeros((2, 2)))
    cell = ours.order[0]
    assert ours.threshold[cell] == pytest.approx(0.75 * 2.0) and ours.score[cell] == 3.0
