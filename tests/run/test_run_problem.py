"""The problem: a picture never depends on its batch, NaN is contained, memory that runs out is worked around."""

import pytest
import torch
from run_helpers import RED, toy_problem

from zeuxis.compute.device import search_device
from zeuxis.compute.micro_batches import fitting, micro_batches, out_of_memory
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.generators.toy import ToyGenerator
from zeuxis.rng import stream
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.toy import ToyJudge, ToyScorer
from zeuxis.types import Batch


@pytest.fixture
def latents():
    return ToyGenerator().space.sample(65, stream(1, "latents"))


class Says(ToyScorer):
    """The toy scorer, except where `where` (an index into the batch) makes it say `value`."""

    def __init__(self, value, where=slice(None)):
        super().__init__()
        self.value, self.where = value, where

    def score(self, images, prepared):
        score = super().score(images, prepared)
        score[self.where] = self.value
        return score


class SmallMemory(ToyGenerator):
    """Runs out of memory above `room` images at once."""

    def __init__(self, room, error=None):
        super().__init__()
        self.room, self.seen = room, []
        self.error = error or torch.OutOfMemoryError("out of memory")

    def render(self, x):
        self.seen.append(len(x))
        if len(x) > self.room:
            raise self.error
        return super().render(x)


@pytest.mark.parametrize(("micro_batch", "counts"), [(16, range(1, 66)), (1, (1, 2, 65)), (3, (1, 4, 63))])
def test_a_score_is_the_same_bits_in_populations_of_1_to_65(latents, micro_batch, counts):
    problem = toy_problem(micro_batch=micro_batch)
    whole = problem.evaluate(Batch(latents), 0)
    for count in counts:
        some = problem.evaluate(Batch(latents[:count]), 0)
        assert torch.equal(some.evaluation.score, whole.evaluation.score[:count])
        assert torch.equal(some.images, whole.images[:count])


def test_a_score_is_the_same_bits_at_any_place_in_the_population(latents):
    problem = toy_problem(micro_batch=8)
    whole = problem.evaluate(Batch(latents), 0).evaluation.score
    for shift in range(1, 32):
        assert torch.equal(problem.evaluate(Batch(latents.roll(shift, 0)), 0).evaluation.score, whole.roll(shift, 0))


def test_the_generator_only_ever_sees_whole_micro_batches(latents):
    generator = SmallMemory(64)
    toy_problem(generator=generator, micro_batch=16).evaluate(Batch(latents), 0)
    assert set(generator.seen) == {16}


def test_micro_batches_put_together_are_the_rows():
    rows = torch.arange(14).reshape(7, 2)
    pieces = list(micro_batches(rows, 3))
    assert [len(piece) for piece, _ in pieces] == [3, 3, 3]
    assert torch.equal(torch.cat([piece[:count] for piece, count in pieces]), rows)
    assert torch.equal(pieces[-1][0], rows[[6, 6, 6]])


@pytest.mark.parametrize(
    ("device", "resolution", "sizes"),
    [
        ("cpu", 32, {1: 1, 8: 8, 16: 16, 17: 9, 24: 12, 64: 16, 65: 13}),
        ("cuda", 256, {1: 16, 8: 16, 65: 16}),
        ("cuda", 32, {1: 64, 8: 64, 65: 64}),
    ],
)
def test_on_one_core_the_micro_batch_is_the_one_that_is_padded_least(device, resolution, sizes, monkeypatch):
    monkeypatch.setattr("zeuxis.compute.micro_batches._threads", lambda: 1)
    assert {batch: fitting(batch, torch.device(device), resolution) for batch in sizes} == sizes


def test_a_gpu_breeds_large_populations_only():
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert [search_device(64 * width, gpu) for width in (512, 9216)] == [cpu, gpu]
    assert search_device(64 * 9216, cpu) == cpu


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_becomes_nan(latents, value):
    problem = toy_problem(scorers=[Says(value, [1, 3])], micro_batch=16)
    score = problem.evaluate(Batch(latents[:16]), 0).evaluation.score
    assert score.isnan().nonzero().flatten().tolist() == [1, 3]


def test_an_image_that_is_no_number_has_no_score(latents):
    class Broken(ToyGenerator):
        def render(self, x):
            images = super().render(x)
            images[2, 0, 5, 5] = torch.nan
            return images

    class Blind(ToyScorer):
        def score(self, images, prepared):
            return torch.ones(len(images))

    problem = toy_problem(generator=Broken(), scorers=[Blind()], micro_batch=4)
    assert problem.evaluate(Batch(latents[:4]), 0).evaluation.score.isnan().tolist() == [False, False, True, False]


def test_parts_sum_to_the_score(latents):
    problem = toy_problem(scorers=[ToyScorer(), ToyScorer()], realism=0.1)
    evaluation = problem.evaluate(Batch(latents), 0).evaluation
    assert set(evaluation.parts) == {"toy", "toy#2", "realism"}
    assert torch.allclose(torch.stack(list(evaluation.parts.values())).sum(dim=0), evaluation.score)


def test_augmented_views_belong_to_the_generation(latents):
    problem = toy_problem(augment=2)
    first, other, again = (problem.evaluate(Batch(latents), generation).evaluation.score for generation in (0, 1, 0))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_gradient_is_the_slope_of_the_score(latents):
    problem = toy_problem(micro_batch=4)
    x = latents[:6]
    slope = problem.evaluate(Batch(x, gradient=True), 0).evaluation.gradient
    step = 1e-3 * slope / slope.norm(dim=1, keepdim=True)
    rise = problem.evaluate(Batch(x + step), 0).evaluation.score - problem.evaluate(Batch(x - step), 0).evaluation.score
    assert torch.allclose(rise, 2e-3 * slope.norm(dim=1), rtol=0.05, atol=2e-6)


def test_no_gradient_where_there_is_none_is_said(latents):
    with pytest.raises(BadInput, match="gives none"):
        toy_problem(scorers=[Detached()]).evaluate(Batch(latents, gradient=True), 0)


class Detached(ToyScorer):
    """A scorer that lets no gradient through."""

    def score(self, images, prepared):
        return super().score(images, prepared).detach()


@pytest.mark.parametrize("room", range(1, 17))
def test_out_of_memory_halves_the_micro_batch_and_scores_as_if_it_had_been_that_size(latents, room):
    problem = toy_problem(generator=SmallMemory(room), micro_batch=16)
    size = max(s for s in (1, 2, 4, 8, 16) if s <= room)
    score = problem.evaluate(Batch(latents), 3).evaluation.score
    assert torch.equal(score, toy_problem(micro_batch=size).evaluate(Batch(latents), 3).evaluation.score)
    assert problem.decisions.micro_batch_at(3) == problem.decisions.micro_batch_at(9) == size
    assert problem.decisions.micro_batch_at(2) == 16
    assert any(f"{size} images at once" in note for note in problem.decisions.notes) == (size < 16)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_every_kind_of_full_memory_is_known(latents, error):
    assert out_of_memory(error)
    toy_problem(generator=SmallMemory(4, error)).evaluate(Batch(latents), 0)


def test_another_error_is_not_taken_for_full_memory(latents):
    with pytest.raises(RuntimeError, match="shapes"):
        toy_problem(generator=SmallMemory(4, RuntimeError("shapes differ"))).evaluate(Batch(latents), 0)


def test_no_room_for_one_image_stops_the_search(latents):
    with pytest.raises(SearchStopped, match="one image at a time"):
        toy_problem(generator=SmallMemory(0)).evaluate(Batch(latents), 0)


def test_a_real_limit_of_the_process_is_a_full_memory(latents):
    """An allocation that no machine can serve goes the same way as the pretended ones."""

    class Hungry(ToyGenerator):
        def render(self, x):
            if len(x) > 2:
                torch.empty(2**50)
            return super().render(x)

    problem = toy_problem(generator=Hungry())
    assert problem.evaluate(Batch(latents), 0).evaluation.score.isfinite().all()
    assert problem.decisions.micro_batch_at(0) == 2


def test_the_judge_sees_the_images_and_says_what_they_are(latents):
    problem = toy_problem()
    evaluation, images, *_ = problem.evaluate(Batch(latents), 4)
    judged = problem.judge_images(images, evaluation.score, 4)
    assert judged.generation == 4
    assert judged.score.shape == judged.confidence.shape == (65,) and len(judged.label) == 65
    assert judged.best == float(judged.score[evaluation.score.argmax()])
    assert judged.best_label == judged.label[int(evaluation.score.argmax())]
    assert judged.gap == pytest.approx(float(evaluation.score.mean()) - float(judged.score.mean()), abs=1e-6)


def test_the_judge_does_not_depend_on_the_batch_either(latents):
    problem = toy_problem(micro_batch=8)
    evaluation, images, *_ = problem.evaluate(Batch(latents), 0)
    whole = problem.judge_images(images, evaluation.score, 0)
    assert torch.equal(problem.judge_images(images[:5], evaluation.score[:5], 0).score, whole.score[:5])


def test_without_a_judge_there_is_no_evaluation_by_it(latents):
    problem = toy_problem(judge=None)
    evaluation, images, *_ = problem.evaluate(Batch(latents), 0)
    assert problem.judge_images(images, evaluation.score, 0) is None


def test_a_judge_that_cannot_read_the_prompt_is_left_out_and_noted(latents):
    class Illiterate(ToyJudge):
        def prepare(self, prompt):
            raise BadInput("I know no words.")

    problem = toy_problem(judge=Illiterate())
    problem.prepare()
    evaluation, images, *_ = problem.evaluate(Batch(latents), 0)
    assert problem.judge_images(images, evaluation.score, 0) is None
    assert problem.decisions.notes == ["No judge: I know no words."]


def test_the_best_label_is_not_of_the_image_without_a_score(latents):
    problem = toy_problem(scorers=[Says(float("nan"), [0])])
    evaluation, images, *_ = problem.evaluate(Batch(latents[:3]), 0)
    score = evaluation.score
    judged = problem.judge_images(images, score, 0)
    assert judged.best_label == judged.label[int(score.nan_to_num(-9).argmax())] and judged.guide == judged.guide


def test_a_prompt_that_the_scorer_cannot_read_is_refused_before_any_image():
    with pytest.raises(BadInput, match="reads colours only"):
        toy_problem(prompt=Prompt((Phrase("a fire truck"),))).prepare()


def test_notes_of_the_judge_reach_the_user():
    class Doubtful(ToyJudge):
        def prepare(self, prompt):
            return Doubts()

    problem = toy_problem(judge=Doubtful())
    problem.prepare()
    assert problem.decisions.notes == ["Takes this for red."]


class Doubts:
    notes = ("Takes this for red.",)


def test_notes_of_the_prompt_reach_the_user():
    problem = toy_problem(prompt=Prompt(RED.phrases, notes=("Removed 1 character.",)))
    problem.prepare()
    assert problem.decisions.notes == ["Removed 1 character."]
