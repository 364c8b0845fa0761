"""What every scorer and every judge must do. Run over the tables: a new member is tested on arrival."""

import importlib.util

import pytest
import torch

from zeuxis.errors import BadInput, Missing
from zeuxis.scorers import JUDGES, SCORERS
from zeuxis.scorers.base import Judge, Phrase, Prompt, Scorer

CPU = torch.device("cpu")
PROMPT = Prompt((Phrase("a red truck"), Phrase("a blue ship", -0.5)))
MEMBERS = [("scorer", name) for name in SCORERS] + [("judge", name) for name in JUDGES]
BUILT: dict[tuple[str, str], Scorer] = {}


def built(kind, name):
    table = SCORERS if kind == "scorer" else JUDGES
    module = table.rows[name].target.partition(":")[0]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not written yet")
    if (kind, name) not in BUILT:  # networks are loaded once for the whole file
        try:
            BUILT[kind, name] = table[name](device=CPU)
        except Missing as missing:
            pytest.skip(f"{kind} {name}: {missing}")
    return BUILT[kind, name]


@pytest.fixture(params=MEMBERS, ids=[f"{kind}-{name}" for kind, name in MEMBERS])
def scorer(request):
    return built(*request.param)


@pytest.fixture(params=list(SCORERS))
def guide(request):
    return built("scorer", request.param)


@pytest.fixture(params=list(JUDGES))
def judge(request):
    return built("judge", request.param)


def pictures(count, height=32, width=32, seed=0):
    """Smooth random pictures: colour fields, which are nearer to photographs than noise is."""
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")


def plain(*colours):
    return torch.tensor(colours)[:, :, None, None].expand(-1, 3, 32, 32).contiguous()


def test_it_says_who_it_is(scorer):
    assert isinstance(scorer, Scorer) and scorer.name and scorer.device == CPU
    assert len(scorer.sha256) == 64 and set(scorer.sha256) <= set("0123456789abcdef")


@pytest.mark.parametrize("count", [1, 5])
def test_one_float32_score_per_image(scorer, count):
    score = scorer.score(pictures(count), scorer.prepare(PROMPT))
    assert score.shape == (count,) and score.dtype == torch.float32 and bool(score.isfinite().all())


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (64, 48), (224, 224)])
def test_any_size_is_read(scorer, size):
    score = scorer.score(pictures(2, *size), scorer.prepare(PROMPT))
    assert score.shape == (2,) and bool(score.isfinite().all())


def test_the_same_question_twice_has_the_same_answer(scorer):
    first = scorer.score(pictures(4), scorer.prepare(PROMPT))
    assert torch.equal(first, scorer.score(pictures(4), scorer.prepare(PROMPT)))


def test_a_score_does_not_depend_on_the_other_images_of_the_batch(scorer):
    prepared, images = scorer.prepare(PROMPT), pictures(4)
    others = pictures(4, seed=1)
    others[2] = images[2]
    assert torch.equal(scorer.score(images, prepared)[2], scorer.score(others, prepared)[2])


def test_different_images_have_different_scores(scorer):
    assert len(set(scorer.score(pictures(4), scorer.prepare(PROMPT)).tolist())) > 1


def test_images_are_left_as_they_were(scorer):
    images = pictures(2)
    scorer.score(images, scorer.prepare(PROMPT))
    assert torch.equal(images, pictures(2))


def test_precision_can_be_lowered_and_raised_again(scorer):
    prepared, images = scorer.prepare(PROMPT), pictures(8)
    exact = scorer.score(images, prepared)
    try:
        scorer.set_precision(torch.bfloat16)
        fast = scorer.score(images, prepared)
    finally:
        scorer.set_precision(torch.float32)
    assert fast.dtype == torch.float32 and (fast - exact).abs().max() < 0.1
    assert torch.equal(scorer.score(images, prepared), exact)


def test_a_broken_image_is_not_given_a_number(scorer):
    images = pictures(3)
    images[1] = float("nan")
    score = scorer.score(images, scorer.prepare(PROMPT))
    assert score.isnan().tolist() == [False, True, False]


def test_a_scorer_hands_down_a_gradient(guide):
    images = pictures(2).requires_grad_()
    guide.score(images, guide.prepare(PROMPT)).sum().backward()
    assert bool(images.grad.isfinite().all()) and images.grad.abs().sum() > 0


def test_an_image_is_the_best_match_for_itself(guide):
    images = pictures(5)
    for i in range(5):
        try:
            prepared = guide.prepare(Prompt((Phrase(image=images[i]),)))
        except BadInput as refusal:
            pytest.skip(f"{guide.name} takes no image prompts: {refusal}")
        assert guide.score(images, prepared).argmax() == i


def test_a_negative_phrase_lowers_the_score_of_what_it_names(guide):
    images = pictures(4)
    alone = guide.score(images, guide.prepare(Prompt((Phrase("a red truck"),))))
    away = Prompt((Phrase("a red truck"), Phrase("a red truck", -0.5)))
    torch.testing.assert_close(guide.score(images, guide.prepare(away)), 0.5 * alone, atol=1e-5, rtol=1e-4)


def test_the_toy_knows_red_from_blue():
    red_first = built("scorer", "toy")
    score = red_first.score(plain([0.9, 0.1, 0.1], [0.1, 0.1, 0.9]), red_first.prepare(Prompt((Phrase("red"),))))
    assert score[0] > score[1]


def test_a_judge_says_what_it_sees_and_how_sure_it_is(judge):
    assert isinstance(judge, Judge)
    prepared, images = judge.prepare(PROMPT), pictures(3)
    verdict = judge.verdict(images, prepared)
    assert len(verdict.label) == 3 and all(isinstance(label, str) and label for label in verdict.label)
    assert verdict.confidence.shape == (3,) and bool(((verdict.confidence >= 0) & (verdict.confidence <= 1)).all())
    assert torch.equal(verdict.score, judge.score(images, prepared))


def test_a_judge_gives_a_probability_or_says_that_it_has_no_word_for_it(judge):
    score = judge.verdict(pictures(3), judge.prepare(PROMPT)).score
    assert bool(((score >= 0) & (score <= 1)).all())
    try:
        unknown = judge.prepare(Prompt((Phrase("qwxzy"),)))
    except BadInput:
        return
    assert judge.verdict(pictures(3), unknown).score.isnan().all()
