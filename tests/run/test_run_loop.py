"""The loop: events after tell, counts, determinism, and the end when nothing can be scored."""

import itertools

import pytest
import torch
from run_helpers import toy_problem

from zeuxis.errors import SearchStopped
from zeuxis.run import run
from zeuxis.run.loop import GRADIENT_COST
from zeuxis.search import SEARCHES
from zeuxis.types import Batch, Evaluated, Evaluation


def ga(problem, population=5):
    return SEARCHES["ga"](problem.generator.space, population=population, device=torch.device("cpu"))


def events(seed=1, generations=3, **changes):
    problem = toy_problem(**changes)
    return list(run(problem, ga(problem), seed=seed, generations=generations))


class Sphere:
    """A problem without images: the nearer to zero the better, or NaN where told."""

    def __init__(self, unscored=()):
        self.unscored = unscored

    def evaluate(self, batch, generation):
        score = -(batch.x**2).sum(dim=1)
        unscored = generation in self.unscored
        return Evaluated(Evaluation(torch.full_like(score, torch.nan) if unscored else score))


def test_generation_0_is_the_initial_population():
    assert [event.generation for event in events(generations=0)] == [0]
    assert [event.generation for event in events(generations=3)] == [0, 1, 2, 3]


def test_without_an_end_the_caller_decides():
    problem = toy_problem()
    assert len(list(itertools.islice(run(problem, ga(problem), seed=1), 6))) == 6


def test_images_are_counted():
    assert [event.images_so_far for event in events(generations=2)] == [5, 10, 15]


def test_a_gradient_step_counts_three():
    class WithGradient:
        name, population = "gradient", 2
        best = (torch.zeros(12), 0.0)

        def ask(self, rng):
            return Batch(torch.zeros(2, 12), gradient=True)

        def tell(self, batch, evaluation):
            self.gradient = evaluation.gradient

    search = WithGradient()
    event = next(run(toy_problem(), search, seed=1))
    assert event.images_so_far == 2 * GRADIENT_COST
    assert search.gradient.shape == (2, 12)


def test_an_event_comes_after_tell():
    problem = toy_problem()
    search = ga(problem)
    for event in run(problem, search, seed=1, generations=2):
        assert search.state_dict()["generation"] == event.generation + 1
        assert search.best[1] == event.best_score


def test_the_best_is_the_best_ever_seen():
    seen = [float(event.evaluation.score.max()) for event in events(generations=4)]
    assert [event.best_score for event in events(generations=4)] == list(itertools.accumulate(seen, max))


def test_an_event_carries_the_images_that_were_scored():
    problem = toy_problem()
    for event in run(problem, ga(problem), seed=1, generations=1):
        assert torch.equal(event.images, problem.render(event.batch.x, event.generation))
        assert event.image_seconds > 0


def test_the_same_seed_twice_is_the_same_run_and_another_is_another():
    first, again, other = events(seed=1), events(seed=1), events(seed=2)
    assert all(torch.equal(a.batch.x, b.batch.x) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(a.evaluation.score, b.evaluation.score) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].batch.x, other[0].batch.x)


@pytest.mark.parametrize("population", [1, 2, 7])
@pytest.mark.parametrize("stop", [0, 2])
def test_a_search_with_its_state_goes_on_bit_for_bit(population, stop):
    problem = toy_problem()
    whole = list(run(problem, ga(problem, population), seed=5, generations=4))
    first, second = ga(problem, population), ga(problem, population)
    for event in run(problem, first, seed=5, generations=stop):
        at = event
    second.load_state_dict(first.state_dict())
    rest = list(run(problem, second, seed=5, start=stop + 1, images_so_far=at.images_so_far, generations=4))
    for a, b in zip(whole[stop + 1 :], rest, strict=True):
        assert torch.equal(a.batch.x, b.batch.x) and torch.equal(a.evaluation.score, b.evaluation.score)
        assert (a.generation, a.images_so_far, a.best_score) == (b.generation, b.images_so_far, b.best_score)


def test_three_blind_generations_stop_the_search_after_their_event():
    problem = toy_problem()
    done = []
    with pytest.raises(SearchStopped, match="3 generations in a row"):
        for event in run(Sphere(unscored=(1, 2, 3)), ga(problem), seed=1):
            done.append(event.generation)
    assert done == [0, 1, 2, 3]


def test_blind_generations_that_are_not_in_a_row_do_not_stop():
    problem = toy_problem()
    assert len(list(run(Sphere(unscored=(0, 1, 3, 4)), ga(problem), seed=1, generations=5))) == 6


def test_blind_generations_are_counted_across_a_resume():
    problem = toy_problem()
    with pytest.raises(SearchStopped):
        list(run(Sphere(unscored=(0,)), ga(problem), seed=1, unscored=2, generations=0))
