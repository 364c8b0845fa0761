"""Mixtures of scorers in their own deviations, and the penalty for pictures unlike the prior's."""

from __future__ import annotations

import pytest
import torch

from zeuxis.config import make_config
from zeuxis.rng import stream
from zeuxis.run import problem as problem_module
from zeuxis.run.prepare import prepare_run
from zeuxis.run.record import Decisions
from zeuxis.scorers import drift as drift_module
from zeuxis.types import Batch


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Scales from 48 draws of the prior, distances from 128: those of a run take longer than these runs."""
    monkeypatch.setattr(problem_module, "RANGE_IMAGES", 48)
    monkeypatch.setattr(drift_module, "PICTURES", 128)


TWO = {"prompt": ("a red disc",), "generator": "toy", "judge": None, "population": 8}


def problem_of(**fields):
    return prepare_run(make_config(**{**TWO, "precision": "fp32", **fields})).problem


def parts_of_the_prior(**fields):
    problem = problem_of(**fields)
    x = problem.generator.space.sample(problem_module.RANGE_IMAGES, stream(0, "ranges"))
    return problem, problem.evaluate(Batch(x), 0).evaluation.parts


def test_standardised_scorers_have_mean_zero_and_their_weight_as_deviation_over_the_prior():
    problem, parts = parts_of_the_prior(scorer=("toy:0.5", "pocket:3"), standardise=True, augment=0)
    for part, weight in zip(parts.values(), (0.5, 3.0), strict=True):
        assert float(part.mean()) == pytest.approx(0, abs=1e-4) and float(part.std()) == pytest.approx(weight, rel=1e-3)
    assert any("deviations over 48 images" in note for note in problem.decisions.notes)


def test_the_scales_are_kept_for_a_resume():
    problem = problem_of(scorer=("toy", "pocket"), standardise=True, augment=0)
    kept = Decisions.from_json(problem.decisions.to_json(), [])
    assert kept.scales == problem.decisions.scales and len(kept.scales) == 2


def test_without_it_scores_are_as_the_scorers_say():
    problem, parts = parts_of_the_prior(scorer=("toy",), augment=0)
    assert problem.decisions.scales is None and float(parts["toy"].mean()) != 0


def test_drift_is_nothing_for_the_prior_and_grows_with_the_distance_from_it():
    problem, parts = parts_of_the_prior(scorer=("toy",), drift=0.5, standardise=True, augment=0)
    drift = problem.scorer.scorers[-1]
    prepared = drift.prepare(problem.prompt)
    images = problem.render(problem.generator.space.sample(32, stream(4)), 0)
    noise = torch.rand(images.shape, generator=stream(5))
    far = [float(drift.distance(torch.lerp(images, noise, share), prepared).mean()) for share in (0.0, 0.3, 0.6, 1.0)]
    assert far == sorted(far) and far[0] < 1.3 and far[-1] > 1.5 * far[0]
    assert float(parts["drift"].max()) <= 0 and float(parts["drift"].median()) > -0.2
    assert problem.decisions.scales[-1] == (0.0, 1.0)


def test_the_gradient_flows_through_scales_and_drift():
    problem = problem_of(scorer=("toy", "pocket"), drift=1.0, standardise=True, augment=0)
    x = problem.generator.space.sample(4, stream(1))
    gradient = problem.evaluate(Batch(x, gradient=True), 0).evaluation.gradient
    assert gradient is not None and bool(gradient.isfinite().all()) and float(gradient.abs().max()) > 0
