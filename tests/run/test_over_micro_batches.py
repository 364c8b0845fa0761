"""Pieces computed side by side: the same numbers, in order, with the gradient switch of the caller."""

from __future__ import annotations

import threading

import pytest
import torch

from zeuxis.compute import micro_batches as module
from zeuxis.compute.micro_batches import at_once, fitting, over_micro_batches
from zeuxis.config import make_config
from zeuxis.rng import stream
from zeuxis.run.prepare import prepare_run
from zeuxis.run.record import Decisions
from zeuxis.types import Batch

ROWS = torch.arange(22, dtype=torch.float32)[:, None] / 7


def test_threads_change_neither_numbers_nor_order():
    weight = torch.randn(1, 50, generator=torch.Generator().manual_seed(0))
    found = [over_micro_batches(lambda rows: (rows @ weight).sin().sum(1), ROWS, 5, threads) for threads in (1, 2, 4)]
    assert [count for _, count in found[0]] == [5, 5, 5, 5, 2]
    for pieces in found[1:]:
        assert all(torch.equal(a, b) and n == m for (a, n), (b, m) in zip(found[0], pieces, strict=True))


def test_pieces_run_in_threads_of_one_core_each():
    def who(rows):
        return threading.current_thread().name, torch.get_num_threads()

    told = over_micro_batches(who, ROWS, 11, 2)
    assert all(name.startswith("micro-batch") and threads == 1 for (name, threads), _ in told)


@pytest.mark.parametrize("graded", [True, False])
def test_gradients_are_recorded_where_the_caller_records_them(graded):
    with torch.set_grad_enabled(graded):
        pieces = over_micro_batches(lambda rows: rows.requires_grad_() * 2, ROWS.clone(), 11, 2)
    assert [piece.requires_grad for piece, _ in pieces] == [graded, graded]


def test_an_error_of_any_piece_is_raised():
    def work(rows):
        if float(rows[0]) > 2:
            raise RuntimeError("out of memory")
        return rows

    with pytest.raises(RuntimeError, match="out of memory"):
        over_micro_batches(work, ROWS, 4, 2)


@pytest.mark.parametrize(
    ("cores", "sizes"),
    [(1, {8: 8, 16: 16, 22: 11, 64: 16}), (2, {6: 6, 8: 4, 16: 8, 22: 11, 64: 16}), (8, {16: 4, 64: 8})],
)
def test_every_core_gets_a_piece_that_is_large_enough(monkeypatch, cores, sizes):
    monkeypatch.setattr(module, "_threads", lambda: cores)
    cpu = torch.device("cpu")
    assert {batch: fitting(batch, cpu, 64) for batch in sizes} == sizes
    assert at_once(cpu, 64) == cores and at_once(cpu, 512) == 1 and at_once(torch.device("cuda"), 64) == 1


def test_a_problem_gives_the_same_scores_side_by_side(monkeypatch):
    config = make_config(prompt=("a red shoe",), generator="pocket-products", seed=3, precision="fp32")
    found = []
    for cores in (1, 2):
        monkeypatch.setattr(module, "_threads", lambda cores=cores: cores)
        problem = prepare_run(config, decisions=Decisions([(0, 8)])).problem
        told = problem.evaluate(Batch(problem.generator.space.sample(20, stream(1))), 0)
        judged = problem.judge_images(told.images, told.evaluation.score, 0)
        assert judged is not None
        found.append((told.evaluation.score, told.images, judged.score))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
