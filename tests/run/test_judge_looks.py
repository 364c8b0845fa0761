"""While a run goes on the judge sees some pictures of a generation: which ones, what is written down, who hears all."""

import json
from dataclasses import replace

import pytest
import torch
from run_helpers import toy_config, toy_problem

from zeuxis.errors import RunDamaged
from zeuxis.rng import stream
from zeuxis.run import entry, open_session, reopen_session
from zeuxis.run.folder import RunFolder
from zeuxis.scorers.judging import spread
from zeuxis.storage.checksummed import checksummed, verified
from zeuxis.types import Batch


def test_the_best_the_worst_and_what_lies_evenly_between_are_seen():
    score = torch.arange(64.0)[torch.randperm(64, generator=stream(0, "order"))]
    rows = spread(score, 8)
    assert sorted(score[list(rows)].tolist()) == [0, 9, 18, 27, 36, 45, 54, 63] and list(rows) == sorted(rows)
    assert [score[list(spread(score, 1))].tolist(), spread(score, 0), spread(score, 64)] == [[63.0], (), ()]


@pytest.mark.parametrize("count", [9, 10, 13, 16])
def test_no_picture_is_seen_twice(count):
    assert all(len(set(spread(torch.zeros(count), most))) == most for most in range(1, count))


def test_pictures_without_a_score_are_seen_last():
    assert spread(torch.tensor([torch.nan, 1.0, torch.nan, 2.0, 3.0]), 2)[1] == 4
    assert spread(torch.tensor([torch.nan] * 3), 2) == (0, 2)


def test_some_pictures_are_judged_as_among_all():
    problem = toy_problem()
    x = problem.generator.space.sample(40, stream(1, "latents"))
    evaluation, images, *_ = problem.evaluate(Batch(x), 0)
    whole = problem.judge_images(images, evaluation.score, 0)
    some = problem.judge_images(images, evaluation.score, 0, most=6)
    rows = list(some.rows)
    assert len(rows) == 6 and whole.rows == ()
    assert torch.allclose(some.score, whole.score[rows]) and some.label == tuple(whole.label[row] for row in rows)
    assert some.guide == pytest.approx(float(evaluation.score[rows].mean()), abs=1e-6)
    assert (some.best, some.best_label) == (pytest.approx(whole.best), whole.best_label)


def test_a_run_says_which_pictures_the_judge_saw_and_shows_it_all_of_the_last(tmp_path):
    with open_session(toy_config(population=12, judge_pictures=5), tmp_path) as session:
        events = [event for event in session if event.judged is not None]
        summary = session.finish()
    assert len(events) == 3 and len(summary.judged.score) == 12
    for event in events:
        told = RunFolder(tmp_path).entry(event.generation).judged
        assert len(told.rows) == len(told.label) == 5 and told.rows == event.judged.rows
        assert (told.guide, told.mean, told.best) == (event.judged.guide, event.judged.mean, event.judged.best)


@pytest.mark.parametrize("how", [{"judge_pictures": 0}, {"stop_on_exploitation": 9}])
def test_the_judge_sees_all_where_that_is_asked_for_and_where_a_rule_hears_it(how, tmp_path):
    with open_session(toy_config(population=12, **how), tmp_path) as session:
        found = [event.judged for event in session if event.judged is not None]
    assert [(one.rows, len(one.score)) for one in found] == [((), 12)] * 3


def test_a_run_goes_on_with_another_number_of_pictures(tmp_path):
    with open_session(toy_config(population=12, generations=2), tmp_path) as session:
        list(session)
    with reopen_session(tmp_path, generations=4, judge_pictures=0) as session:
        list(session)
    rows = RunFolder(tmp_path).history()
    assert [len(row.judged.score) for row in rows if row.judged is not None] == [8, 8, 12]


def rewritten(path, change):
    """The entry in `path` with a changed header, and a checksum that fits."""
    tensors, header = verified(path)
    change(header)
    path.write_bytes(checksummed(tensors, header))


@pytest.fixture
def path(tmp_path):
    with open_session(toy_config(population=12, judge_pictures=4), tmp_path) as session:
        next(iter(session))
    return RunFolder(tmp_path).log_path(0)


@pytest.mark.parametrize("rows", [[0, 1, 2, 12], [0, 1, 2, -1], [0, 1], [0, 1, 2, True], [0.0, 1, 2, 3], "abcd", 7, []])
def test_rows_that_the_generation_has_not_are_refused(path, rows):
    rewritten(path, lambda header: header.update(judged=rows))
    with pytest.raises(RunDamaged, match="damaged"):
        entry.read(path)


def test_an_entry_of_an_older_version_tells_of_all_pictures(path):
    event = entry.read(path)
    whole = replace(event.judged, rows=(), label=("red",) * 12, score=torch.ones(12), confidence=torch.ones(12))
    tensors, header = verified(path)
    tensors |= {"judge_score": whole.score, "judge_confidence": whole.confidence}
    del header["judged"]
    path.write_bytes(checksummed(tensors, header | {"labels": json.loads(json.dumps(whole.label))}))
    assert entry.read(path).judged.rows == () and entry.read(path).judged.mean == 1.0
