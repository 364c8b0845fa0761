"""Is the population alive, and what is done about it: near-duplicates, immigrants, noise, scorer over-optimisation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from run_helpers import generate, resume

from zeuxis.errors import BadInput
from zeuxis.metrics.diversity import effective_number, vendi_score
from zeuxis.metrics.health import MOST, descriptors, distances, excess, health
from zeuxis.rng import stream
from zeuxis.run import entry
from zeuxis.run.folder import RunFolder
from zeuxis.run.stopping import over_optimisation
from zeuxis.search import SEARCHES
from zeuxis.search.diversity_control import DiversityControl
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation, JudgeEvaluation

SPACE = Normal(6)


def looks(x):
    """Latents that differ by less than 0.05 per gene look alike."""
    return x.half()


def step(search, generation, score=lambda x: -x.square().sum(dim=1)):
    batch = search.ask(stream(3, generation, "ask"))
    search.tell(batch, Evaluation(score(batch.x), descriptors=looks(batch.x)))
    return batch.x


def test_health_counts_what_is_there():
    images = torch.rand(6, 3, 16, 16, generator=stream(0, "images"))
    images[3] = images[1] + 0.01
    shown = descriptors(images)
    found = health(shown, torch.tensor([1.0, 2.0, 3.0, 4.0, math.nan, -math.inf]), torch.ones(6, 4))
    assert found.duplicates == 1
    assert found.effective == pytest.approx(effective_number(images), abs=0.05)
    assert found.spread == pytest.approx(torch.tensor([1.0, 2.0, 3.0, 4.0]).std(correction=0).item())
    assert found.norm == pytest.approx(1.0)


def test_health_is_that_of_the_distances_themselves():
    shown = descriptors(torch.rand(40, 3, 32, 32, generator=stream(3, "images")) * 0.3 + 0.5)
    shown[7], shown[9] = shown[3], shown[4] + 0.02
    plain = torch.cdist(shown.double(), shown.double(), compute_mode="donot_use_mm_for_euclid_dist")
    found = health(shown, torch.zeros(40), torch.ones(40, 2))
    assert found.effective == pytest.approx(vendi_score(plain / shown.shape[1] ** 0.5), rel=1e-4)
    assert found.duplicates == 2


def test_a_picture_that_is_no_picture_leaves_the_others_their_health():
    shown = torch.rand(5, 48, generator=stream(4, "shown"))
    broken = torch.stack([*shown, torch.full((48,), 3e38), torch.full((48,), torch.inf)])
    found = health(broken, torch.zeros(7), torch.ones(7, 2))
    assert found.effective == pytest.approx(health(shown, torch.zeros(5), torch.ones(5, 2)).effective + 1, abs=0.5)


def test_a_huge_first_generation_is_looked_at_in_part():
    shown = torch.rand(30_000, 12, generator=stream(2, "shown"))
    found = health(shown, torch.zeros(30_000), torch.ones(30_000, 2))
    assert 1 < found.effective <= MOST and found.spread == 0.0 and found.norm == pytest.approx(1.0)


def test_large_images_are_compared_as_they_look_when_small():
    small = torch.rand(2, 3, 32, 32, generator=stream(1, "images"))
    large = small.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    assert torch.allclose(descriptors(large), descriptors(small), atol=1e-6)
    assert distances(descriptors(small), descriptors(small)).diagonal().abs().max() < 1e-3


def test_of_two_near_duplicates_the_fitter_survives():
    search = DiversityControl(SEARCHES["ga"](SPACE, population=4), unique=True)
    batch = search.ask(stream(3, 0, "ask"))
    x = batch.x.clone()
    x[1] = x[0] + 0.001
    score = torch.tensor([1.0, 2.0, 3.0, 4.0])
    search.tell(batch, Evaluation(score, descriptors=looks(x)))
    assert search.population_score.tolist() == [4.0, 3.0, 2.0, -math.inf]


def test_a_survivor_with_a_fitter_twin_loses_its_place():
    search = DiversityControl(SEARCHES["random"](SPACE, population=4), unique=True)
    step(search, 0, lambda x: torch.tensor([0.4, 0.3, 0.2, 0.1]))
    batch = search.ask(stream(3, 1, "ask"))
    shown = looks(batch.x).clone()
    shown[0] = search.shown[0].half()  # looks like the best survivor, and is better
    search.tell(batch, Evaluation(torch.tensor([0.9, 0.0, 0.0, 0.0]), descriptors=shown))
    assert search.population_score.tolist()[:3] == pytest.approx([0.9, 0.3, 0.2])
    assert 0.4 not in search.population_score.tolist()


@pytest.mark.parametrize("answer", ["restart", "perturb"])
def test_a_collapse_is_answered_in_the_next_generation(answer):
    plain, helped = SEARCHES["ga"](SPACE, population=8), SEARCHES["ga"](SPACE, population=8)
    search = DiversityControl(helped, collapse=answer, below=1.0)
    batch = plain.ask(stream(3, 0, "ask"))
    plain.tell(batch, Evaluation(-batch.x.square().sum(dim=1)))
    asked = search.ask(stream(3, 0, "ask"))
    alike = torch.zeros(8, 3).half()
    search.tell(asked, Evaluation(-asked.x.square().sum(dim=1), descriptors=alike))
    assert search.collapsed
    ours, theirs = search.ask(stream(3, 1, "ask")).x, plain.ask(stream(3, 1, "ask")).x
    changed = (ours != theirs).any(dim=1)
    assert int(changed.sum()) == (2 if answer == "restart" else 8)


@pytest.mark.parametrize("name", ["ga", "de", "l-shade", "sep-cma-es", "random"])
def test_a_helped_search_goes_on_bit_for_bit(name):
    def fresh():
        return DiversityControl(SEARCHES[name](SPACE, population=8), unique=True, collapse="restart", below=0.9)

    whole, broken = fresh(), fresh()
    for generation in range(4):
        step(whole, generation), step(broken, generation)
    resumed = fresh()
    resumed.load_state_dict(broken.state_dict())
    for generation in range(4, 8):
        assert torch.equal(step(whole, generation), step(resumed, generation))


def test_a_helped_search_starts_where_it_is_told_to(tmp_path):
    options = {"generator": "toy", "scorer": "toy", "judge": "toy", "population": 4, "generations": 1, "seed": 1}
    generate("a red disc", out=tmp_path / "run", search="ga", start_images=24, unique=True, augment=0, **options)
    assert [row.images_so_far for row in RunFolder(tmp_path / "run").history()] == [24, 28]


def test_without_descriptors_it_says_what_is_missing():
    search = DiversityControl(SEARCHES["ga"](SPACE, population=4), unique=True)
    batch = search.ask(stream(3, 0, "ask"))
    with pytest.raises(BadInput, match="descriptors"):
        search.tell(batch, Evaluation(torch.zeros(4)))


def test_every_generation_of_a_run_says_how_alive_it_is(tmp_path):
    options = {"generator": "toy", "scorer": "toy", "judge": "toy", "population": 8, "unique": True}
    options |= {"on_collapse": "restart", "collapse_below": 0.9, "norm_prior": 0.1, "seed": 1, "precision": "fp32"}
    generate("a red disc", out=tmp_path / "broken", generations=3, **options)
    resume(tmp_path / "broken", generations=6)
    generate("a red disc", out=tmp_path / "whole", generations=6, **options)
    rows, same = RunFolder(tmp_path / "whole").history(), RunFolder(tmp_path / "broken").history()
    assert [row.health for row in rows] == [row.health for row in same]
    assert set(rows[-1].health) == {"duplicates", "effective", "spread", "norm"}
    entry = RunFolder(tmp_path / "whole").entry(6)
    assert "norm prior" in entry.evaluation.parts and entry.evaluation.descriptors is not None


def test_the_norm_prior_punishes_only_what_is_longer_than_the_prior():
    u = torch.tensor([[0.5, 0.5], [1.0, 1.0], [3.0, 3.0]])
    assert torch.allclose(excess(u), torch.tensor([0.0, 0.0, 2.0]))


class Now:
    generation, images_so_far, best_score = 0, 0, 0.0

    def __init__(self, guide, judge):
        nothing = torch.zeros(1)
        self.judged = None if guide is None else JudgeEvaluation(0, nothing, ("a",), nothing, guide, judge, 0.0, "a")


@pytest.mark.parametrize(
    ("story", "over_optimised"),
    [
        ([(0.1, 0.5), (None, None), (0.2, 0.4), (0.3, 0.45)], True),  # better than before, but never as good as it was
        ([(0.1, 0.5), (0.2, 0.4), (0.3, 0.5), (0.4, 0.45)], False),  # it came back
        ([(0.1, 0.5), (0.2, 0.4), (0.1, 0.3), (0.2, 0.4)], False),  # a score that fell as well games nobody
        ([(0.1, 0.5), (0.2, math.nan), (0.3, 0.4), (0.3, 0.4)], True),
        ([(0.3, 0.1), (0.2, 0.4), (0.1, 0.3)], False),
    ],
)
def test_an_over_optimised_score_ends_the_run_after_so_many_evaluations(story, over_optimised):
    rule = over_optimisation(2)
    said = [rule(Now(*look)) for look in story]
    assert not any(said[:-1]) and ("over-optimisation" in (said[-1] or "")) is over_optimised


def test_logs_that_call_the_norm_of_latents_drift_are_still_read(tmp_path):
    events = []
    options = {"generator": "toy", "scorer": "toy", "judge": "toy", "population": 8, "seed": 1, "precision": "fp32"}
    generate("a red disc", out=tmp_path / "run", generations=1, listener=events.append, **options)
    figures = dict(events[-1].health)
    older = {("drift" if name == "norm" else name): value for name, value in figures.items()}
    (tmp_path / "older").write_bytes(entry.pack(replace(events[-1], health=older)))
    assert entry.read(tmp_path / "older").health == figures
