"""Stopping rules: each looks at one generation after the other and gives its reason once it has one."""

from collections import namedtuple

import pytest
from run_helpers import run_to_the_end, toy_config

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.run import RunFolder, reopen_session
from zeuxis.run.stopping import after_generations, budget, first_of, from_config, patience, target

Now = namedtuple("Now", "generation images_so_far best_score")


def first_stop(rule, scores, images=10):
    """The generation in which the rule stops, and its reason."""
    best = float("-inf")
    for generation, score in enumerate(scores):
        best = max(best, score)
        if reason := rule(Now(generation, images * (generation + 1), best)):
            return generation, reason
    return None


def test_after_generations():
    assert first_stop(after_generations(0), [0, 0])[0] == 0
    assert first_stop(after_generations(3), [0] * 9) == (3, "All 3 generations are done.")


def test_budget_counts_images():
    assert first_stop(budget(25), [0] * 9) == (2, "The budget of 25 images is spent (30 evaluated).")
    assert first_stop(budget(30), [0] * 9)[0] == 2


def test_target_is_a_score_that_is_reached():
    assert first_stop(target(0.5), [0.1, 0.49, 0.5, 0.6]) == (2, "The target score 0.5 is reached (0.5000).")


def test_patience_counts_generations_without_a_better_score():
    assert first_stop(patience(2), [1, 2, 2, 2, 9])[0] == 3
    assert first_stop(patience(2), [1, 1, 2, 1, 3, 3, 3])[0] == 6
    assert first_stop(patience(1), [float("-inf")] * 3)[0] == 1


def test_the_first_reason_is_given():
    assert first_stop(first_of(budget(1000), target(5), after_generations(2)), [0, 9, 9])[1].startswith("The target")


def test_all_rules_see_every_generation():
    """Patience has counted on by the time the other rule falls silent."""
    rule = first_of(lambda now: "busy" if now.generation < 3 else None, patience(3))
    reasons = [rule(Now(generation, 0, 1.0)) for generation in range(4)]
    assert reasons == ["busy", "busy", "busy", "No better score for 3 generations."]


def test_a_configuration_names_its_rules():
    rule = from_config(RunConfig(generations=9, budget=20, target=3.0, patience=4))
    assert first_stop(rule, [0] * 9)[1].startswith("The budget")
    assert first_stop(from_config(RunConfig(generations=9, target=3.0)), [0, 4])[1].startswith("The target")
    assert first_stop(from_config(RunConfig(generations=9, patience=4)), [0] * 9)[1].startswith("No better")
    assert first_stop(from_config(RunConfig(generations=9)), range(20))[0] == 9


def test_an_end_before_what_exists_says_what_exists():
    assert after_generations(3)(Now(12, 0, 0.0)) == "All 3 generations are done (12 were bred)."


def test_a_resume_to_less_than_exists_is_refused_and_changes_nothing(tmp_path):
    run_to_the_end(toy_config(generations=3, budget=100), tmp_path / "run")  # 16 images
    before = (tmp_path / "run/run.json").read_bytes()
    for less, said in ({"generations": 2}, "3 generations"), ({"budget": 15}, "16 images"):
        with pytest.raises(BadInput, match=said):
            reopen_session(tmp_path / "run", **less)
    assert (tmp_path / "run/run.json").read_bytes() == before
    with reopen_session(tmp_path / "run", generations=3, budget=16) as session:
        assert not list(session)
    with reopen_session(tmp_path / "run", generations=4, budget=20) as session:
        assert [event.generation for event in session] == [4]
    assert RunFolder(tmp_path / "run").generations == 5
