"""The gate: bf16 only where it is faster and ranks the population alike; decided once, kept for good."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from run_helpers import fingerprint, run_to_the_end, toy_config, toy_problem

from zeuxis.compute.precision import agreement, choose, spearman
from zeuxis.generators.toy import ToyGenerator
from zeuxis.rng import stream
from zeuxis.run import RunFolder
from zeuxis.run.prepare import prepare_run
from zeuxis.run.record import Decisions
from zeuxis.scorers.toy import ToyScorer


class Timed:
    """A problem whose bf16 takes `seconds` longer than nothing and changes scores by `change`."""

    def __init__(self, seconds=(0.02, 0.0), change=lambda score: score):
        self.seconds, self.change, self.dtype = seconds, change, torch.float32

    def set_precision(self, dtype):
        self.dtype = dtype

    def scores(self, x):
        reduced = self.dtype is torch.bfloat16
        time.sleep(self.seconds[reduced])
        return self.change(x[:, 0].clone()) if reduced else x[:, 0].clone()


@pytest.fixture
def x():
    return torch.linspace(0, 1, 20)[:, None]


def test_bf16_that_is_faster_and_ranks_alike_is_used(x):
    gate = choose(Timed(), x, 4)
    assert gate.precision == "bf16"
    assert gate.correlation == pytest.approx(1) and gate.error == 0
    assert gate.bf16_seconds < gate.fp32_seconds


def test_bf16_that_is_not_faster_is_not_used_nor_compared(x):
    gate = choose(Timed(seconds=(0.0, 0.02)), x, 4)
    assert gate.precision == "fp32" and "not faster" in gate.reason and gate.correlation is None


@pytest.mark.parametrize(
    "change",
    [
        lambda score: score.flip(0),  # the order is lost
        lambda score: score + 0.06,  # the order is kept, but the error is above 5 % of the spread
        lambda score: torch.full_like(score, torch.nan),
        lambda score: torch.zeros_like(score),
    ],
)
def test_bf16_that_changes_the_scores_is_not_used(x, change):
    gate = choose(Timed(change=change), x, 4)
    assert gate.precision == "fp32" and "changes the scores" in gate.reason


def test_bf16_that_does_not_run_is_not_used(x):
    def fail(score):
        raise RuntimeError('"sort" not implemented for BFloat16')

    problem = Timed(change=fail)
    assert choose(problem, x, 4).precision == "fp32"
    assert problem.dtype is torch.float32


def test_out_of_memory_is_not_taken_for_a_missing_kernel(x):
    def fail(score):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        choose(Timed(change=fail), x, 4)


def test_a_population_of_equal_scores_says_nothing():
    assert agreement(torch.ones(9), torch.ones(9)) == (0.0, float("inf"))


def test_the_same_missing_scores_are_left_out():
    full = torch.tensor([1.0, torch.nan, 2.0, 3.0, 5.0])
    assert agreement(full, full + 0.02) == (pytest.approx(1), pytest.approx(0.005))


def test_spearman_with_ties_is_pearson_of_mean_ranks():
    a, b = torch.tensor([1.0, 2.0, 2.0, 3.0]), torch.tensor([1.0, 3.0, 2.0, 4.0])
    ranks = torch.tensor([[1.0, 2.5, 2.5, 4.0], [1.0, 3.0, 2.0, 4.0]])
    assert spearman(a, b) == pytest.approx(float(torch.corrcoef(ranks)[0, 1]))


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=12, unique=True))
def test_spearman_sees_ranks_only(values):
    a = torch.tensor(values, dtype=torch.float32)
    assert spearman(a, (a / 20).exp()) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)


def test_a_configured_precision_needs_no_gate():
    problem = toy_problem()
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        assert problem.gate(4, name).reason == "as configured"
        assert problem.generator.dtype is problem.scorer.scorers[0].dtype is dtype


def test_a_decision_is_not_taken_twice():
    first = toy_problem()
    gate = first.gate(20)
    again = toy_problem(decisions=first.decisions)
    assert again.gate(20) is gate


def test_the_gate_scores_the_first_population():
    asked = []

    class Watching(ToyGenerator):
        def render(self, x):
            asked.append(x)
            return super().render(x)

    problem = toy_problem(generator=Watching(), micro_batch=20)
    problem.gate(20)
    assert torch.equal(asked[0], problem.generator.space.sample(20, stream(problem.seed, 0, "ask")))


@pytest.mark.parametrize("decided", ["bf16", "fp32"])
def test_a_resumed_run_keeps_the_precision_it_began_with(tmp_path, monkeypatch, decided):
    """Whatever the clock would say now."""
    seconds = {"bf16": (1.0, 0.1), "fp32": (0.1, 1.0)}[decided]
    monkeypatch.setattr("zeuxis.compute.precision._seconds", lambda problem, x: seconds)
    config = toy_config(precision="auto", generations=2)
    run_to_the_end(toy_config(precision="auto", generations=4), tmp_path / "unbroken")
    run_to_the_end(config, tmp_path / "run")
    monkeypatch.setattr("zeuxis.compute.precision._seconds", lambda problem, x: seconds[::-1])
    run_to_the_end(toy_config(precision="auto", generations=4), tmp_path / "run")
    assert RunFolder(tmp_path / "run").record["decisions"]["gate"]["precision"] == decided
    assert fingerprint(tmp_path / "run") == fingerprint(tmp_path / "unbroken")


def test_a_resumed_run_keeps_the_micro_batch_that_fitted(tmp_path, monkeypatch):
    render = ToyGenerator.render
    made = {}

    def tight(self, x):
        made.setdefault(len(x), 0)
        made[len(x)] += 1
        if len(x) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return render(self, x)

    monkeypatch.setattr(ToyGenerator, "render", tight)
    run_to_the_end(toy_config(generations=1), tmp_path)
    assert RunFolder(tmp_path).record["decisions"]["micro_batch"] == [[0, 2]]
    made.clear()
    run_to_the_end(toy_config(generations=3), tmp_path)
    assert set(made) == {2}
    assert any("Out of memory" in note for note in RunFolder(tmp_path).notes)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"search": "random", "population": 24}, 12),
        ({"search": "cma-ga", "population": 32}, 8),
        ({"search": "cma-ga", "population": 32, "unique": True}, 8),
        ({"search": "cma-ga", "population": 32, "micro_batch": 32}, 32),
    ],
)
def test_the_micro_batch_fits_what_the_search_asks_for(changes, size):
    config = toy_config(**{"micro_batch": None, **changes})
    assert prepare_run(config).problem.decisions.micro_batch_at(0) == size
    told = Decisions([(0, 5)])  # of a run to go on with
    assert prepare_run(config, decisions=told).problem.decisions.micro_batch_at(0) == 5


def test_the_prompt_is_prepared_in_fp32_whatever_was_decided():
    seen = []

    class Watching(ToyScorer):
        def prepare(self, prompt):
            seen.append(self.dtype)
            return super().prepare(prompt)

    problem = toy_problem(scorers=[Watching()])
    problem.gate(4, "bf16")
    problem.prepare()
    assert seen == [torch.float32]
    assert problem.scorer.scorers[0].dtype is torch.bfloat16
