"""Gating by the disagreement of an ensemble, and the rule that stops where a held-out scorer no longer agrees."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from run_helpers import fingerprint, run_to_the_end, toy_config

from zeuxis.errors import BadInput
from zeuxis.prompts.auto import settle
from zeuxis.rng import stream
from zeuxis.run import open_session
from zeuxis.run import problem as problem_module
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config, prepare_run
from zeuxis.run.stopping import GUIDE, HELD_OUT, disagreement, judge_peak
from zeuxis.scorers.combine import disagreement as part
from zeuxis.types import Batch, JudgeEvaluation

TWO = ("toy", "pocket")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Scales from 48 draws of the prior: those of a run take longer than these runs."""
    monkeypatch.setattr(problem_module, "RANGE_IMAGES", 48)


def evaluated(**fields):
    problem = prepare_run(toy_config(judge=None, **fields)).problem
    x = problem.generator.space.sample(32, stream(3))
    return problem, x, problem.evaluate(Batch(x), 0).evaluation


def test_with_two_equal_weights_and_k_1_the_score_is_twice_the_lower_of_the_two():
    _, _, told = evaluated(scorer=TWO, disagreement=1.0)
    lower = torch.minimum(told.parts["toy"], told.parts["pocket"])
    torch.testing.assert_close(told.score, 2 * lower, atol=1e-4, rtol=1e-4)
    _, _, plain = evaluated(scorer=TWO, standardise=True)
    torch.testing.assert_close(plain.parts["toy"], told.parts["toy"])
    assert bool((told.score <= plain.score).all()) and float((plain.score - told.score).max()) > 0.1


def test_weights_and_their_signs_count():
    """Contributions 2 z, -0.5 z' of weights 2 and -0.5: the members say z and -z', the first counts four times."""
    contributions = [torch.tensor([2.0, 6.0]), torch.tensor([0.5, -1.0])]
    found = part(contributions, [2.0, -0.5], 3.0)
    values, share = torch.tensor([[1.0, 3.0], [1.0, -2.0]]), torch.tensor([[0.8], [0.2]])
    mean = (share * values).sum(0)
    deviation = (share * (values - mean).square()).sum(0).sqrt()
    torch.testing.assert_close(found, -3 * 2.5 * deviation, atol=1e-4, rtol=1e-4)
    assert float(deviation[0]) == pytest.approx(0, abs=1e-6) and float(deviation[1]) == pytest.approx(2.0)


def test_where_members_agree_the_slope_is_a_number():
    problem, x, _ = evaluated(scorer=("toy", "toy"), disagreement=2.0, search="adam")
    gradient = problem.evaluate(Batch(x, gradient=True), 0).evaluation.gradient
    assert bool(gradient.isfinite().all()) and float(gradient.abs().max()) > 0


@pytest.mark.parametrize(
    "search", ["cma-ga", "adam", *(pytest.param(s, marks=pytest.mark.long) for s in ("nsga2", "de"))]
)
def test_a_gated_run_goes_on_bit_for_bit(search, tmp_path):
    changes = {"scorer": TWO, "disagreement": 1.0, "search": search, "generations": 3, "stop_on_disagreement": 9}
    config = toy_config(**changes | {"scorer": (*TWO, "pocket-second:0")})
    run_to_the_end(config, tmp_path / "whole")
    with open_session(config, tmp_path / "broken") as session:
        next(iter(session))
    assert run_to_the_end(config, tmp_path / "broken") == [1, 2, 3]
    assert fingerprint(tmp_path / "broken") == fingerprint(tmp_path / "whole")


def test_a_held_out_scorer_guides_nothing_and_is_asked_when_the_judge_is(tmp_path):
    run_to_the_end(toy_config(stop_on_disagreement=9, scorer=("toy", "pocket:0")), tmp_path / "with")
    run_to_the_end(toy_config(), tmp_path / "without")
    pairs = zip(RunFolder(tmp_path / "with").entries(), RunFolder(tmp_path / "without").entries(), strict=True)
    for here, there in pairs:
        assert torch.equal(here.batch.x, there.batch.x) and torch.equal(here.evaluation.score, there.evaluation.score)
        assert list(here.evaluation.parts) == ["toy"]
        assert (HELD_OUT in here.health) == (here.generation % 2 == 0)
    record = RunFolder(tmp_path / "with").record["models"]["scorers"]
    assert [(row["name"], row["weight"]) for row in record] == [("toy", 1.0), ("pocket", 0.0)]


def stops(rule, means):
    for generation, (guide, value) in enumerate(means):
        figures = {} if value is None else {GUIDE: guide, HELD_OUT: value}
        if reason := rule(SimpleNamespace(generation=generation, health=figures)):
            return generation, reason
    return None


def test_it_stops_where_the_score_rises_and_the_held_out_scorer_does_not():
    generation, reason = stops(disagreement(2), [(0.1, 0.5), (0.2, 0.6), (0.3, 0.5), (0.3, None), (0.4, 0.5)])
    assert generation == 4 and "below the 0.600 of generation 1" in reason and "from 0.200 to 0.400" in reason


def test_it_goes_on_where_both_fall_or_both_rise_or_nothing_can_be_scored():
    assert stops(disagreement(2), [(0.5, 0.5), (0.4, 0.4), (0.4, 0.4), (0.4, 0.4)]) is None
    assert stops(disagreement(2), [(0.1 * k, 0.1 * k) for k in range(9)]) is None
    assert stops(disagreement(1), [(0.5, 0.5), (0.6, float("nan")), (0.7, 0.6)]) is None


def test_a_resumed_run_stops_where_an_unbroken_one_does(tmp_path):
    """The pocket scorer sees no discs: its mean wanders while the toy's rises."""
    config = toy_config(scorer=("toy", "pocket:0"), stop_on_disagreement=3, view_every=1, generations=30)
    done = run_to_the_end(config, tmp_path / "whole")
    reason = RunFolder(tmp_path / "whole").summary()["reason"]
    assert reason.startswith("The scorers part") and 2 < len(done) < 31
    with open_session(config, tmp_path / "broken") as session:
        next(iter(session))
        next(iter(session))
    assert run_to_the_end(config, tmp_path / "broken") == done[2:]
    assert RunFolder(tmp_path / "broken").summary()["reason"] == reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"disagreement": 1.0}, "two scorers or more for --disagreement"),
        ({"disagreement": 1.0, "scorer": ("toy", "pocket:0")}, "two scorers or more for --disagreement"),
        ({"stop_on_disagreement": 3}, "a scorer of weight 0 for --stop-on-disagreement"),
    ],
)
def test_too_few_scorers_are_refused(fields, words):
    with pytest.raises(BadInput, match=words):
        check_config(toy_config(**fields))


def test_the_generators_of_the_package_have_a_scorer_to_stop_by():
    config, notes = settle(toy_config(generator="pocket", scorer=("auto",), stop_on_disagreement=3, search="ga"))
    assert config.scorer == ("pocket", "pocket-second:0") and any("guides nothing" in note for note in notes)
    assert settle(config)[0] == config
    own = toy_config(generator="pocket", scorer=("pocket", "pocket-second"), stop_on_disagreement=3)
    with pytest.raises(BadInput, match="weight 0"):
        check_config(own)


def judged(generation, mean):
    return JudgeEvaluation(generation, torch.empty(0), (), torch.empty(0), 0.0, mean, 0.0, "")


def test_the_judges_peak_is_its_first_highest_mean():
    means = [0.2, None, 0.7, float("nan"), 0.7, 0.4]
    rows = [
        SimpleNamespace(generation=k, images_so_far=10 * k, judged=None if m is None else judged(k, m))
        for k, m in enumerate(means)
    ]
    peak = judge_peak(rows)
    assert (peak.generation, peak.images, peak.mean, peak.last) == (2, 20, 0.7, 0.4)
    assert judge_peak(rows[3:], judge_peak(rows[:3])) == peak
    assert judge_peak(rows[3:4]) is None


def test_a_run_names_it_in_its_summary_and_facts(tmp_path):
    from zeuxis.report.facts import facts

    run_to_the_end(toy_config(), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    told, rows = folder.summary()["judge_peak"], folder.history()
    seen = {row.generation: row.judged.mean for row in rows if row.judged is not None}
    assert told["mean"] == max(seen.values()) == seen[told["generation"]] and told["last"] == seen[max(seen)]
    summary = folder.summary()
    words = f"{told['mean']:.3f} in generation {told['generation']} ("
    for final, beside in (told["mean"] + 0.1, "before that"), (told["mean"] - 0.1, "in the final population"):
        summary["judge"]["mean"] = final
        line = dict(facts(folder, summary, rows))["judge's peak"]
        assert words in line and beside in line and line.startswith(f"{max(final, told['mean']):.3f}")
    summary["judge"]["mean"] = None  # the judge knows no word of the final population
    assert dict(facts(folder, summary, rows))["judge's peak"].startswith(words)
