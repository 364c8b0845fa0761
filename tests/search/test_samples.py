"""The best draws of the prior that differ."""

import torch

from zeuxis.metrics.health import DIFFERENT, descriptors, distances
from zeuxis.rng import stream
from zeuxis.run import RunFolder
from zeuxis.search import SEARCHES
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation
from zeuxis.workflows import Outputs, generate, resume

SPACE = Normal(4)


def looks(x, same=False):
    return torch.zeros(len(x), 12) if same else x.repeat(1, 3) / 4


def test_the_survivors_are_the_best_different_draws():
    search, told = SEARCHES["samples"](SPACE, population=8), []
    for generation in range(6):
        batch = search.ask(stream(1, generation, "ask"))
        score = batch.x.sum(dim=1)
        told.append((batch.x, score))
        search.tell(batch, Evaluation(score, {}, descriptors=looks(batch.x).half()))
    x, score = (torch.cat(rows) for rows in zip(*told, strict=True))
    assert search.best[1] == float(score.max()) == float(search.population_score[0])
    apart = distances(looks(search.population_x), looks(search.population_x)).fill_diagonal_(1)
    assert bool((apart >= DIFFERENT - 1e-3).all())
    better = x[score > search.population_score[-1]]
    assert bool((distances(looks(better), looks(search.population_x)).amin(1) < DIFFERENT + 1e-3).all())


def test_the_places_are_filled_where_all_look_alike():
    search = SEARCHES["samples"](SPACE, population=4)
    for generation in range(3):
        batch = search.ask(stream(1, generation, "ask"))
        search.tell(batch, Evaluation(batch.x[:, 0], {}, descriptors=looks(batch.x, same=True)))
    assert len(search.population_x) == 4 and bool(search.population_score.diff().le(0).all())


def test_a_run_is_the_best_of_its_draws_and_can_go_on(tmp_path):
    run = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "search": "samples", "population": 8, "seed": 2}
    run["precision"] = "fp32"  # the gate goes by the clock
    bare = Outputs(report=False, top=0)
    whole = generate("a red disc", out=tmp_path / "whole", generations=6, outputs=bare, **run)
    generate("a red disc", out=tmp_path / "parts", generations=3, outputs=bare, **run)
    parts = resume(tmp_path / "parts", generations=6, outputs=bare)
    assert whole.images == parts.images == 7 * 8
    first, second = (RunFolder(tmp_path / name).summary()["population"] for name in ("whole", "parts"))
    assert first == second and len(first) == 8
    assert descriptors(torch.rand(2, 3, 64, 64)).shape == (2, 3 * 32 * 32)
