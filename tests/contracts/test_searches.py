"""What every search must do. Run over the table, and over two algorithms of pymoo."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zeuxis.errors import BadInput, UnknownName
from zeuxis.rng import stream
from zeuxis.search import QUALITY_DIVERSITY, SEARCHES
from zeuxis.search.base import Search
from zeuxis.spaces import ClassMix, Normal, Product, TruncatedNormal
from zeuxis.types import Batch, Evaluation

DEVICES = [torch.device("cpu")] + [torch.device("cuda")] * torch.cuda.is_available()
PYMOO = ["pymoo:GA", "pymoo:DE"]
FROM_FOUR = ("de", "l-shade")  # these draw four different latents for each child
SCREENED = ("cma-ga", "hybrid", "sep-cma-es", "cma-es", "lm-ma-es", "open-es")  # look at 64 images first
EMBEDDINGS = torch.randn(5, 3, generator=stream(0, "embeddings"))
SPACE = Product(TruncatedNormal(5), ClassMix(EMBEDDINGS, tuple("abcde")))


@pytest.fixture(params=[*SEARCHES, *PYMOO])
def name(request):
    return request.param


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    return request.param


def build(name, space=SPACE, population=8, **options):
    return SEARCHES[name](space, population=population, **options)


def sphere(x):
    return -(x - 0.5).square().sum(dim=1)


def slope(score, x):
    """d score / d x, as a problem gives it where the batch asks for it."""
    x = x.detach().requires_grad_()
    total = score(x).nansum()
    return torch.autograd.grad(total, x)[0] if total.requires_grad else torch.full_like(x, torch.nan)


def step(search, generation, score=sphere, seed=7):
    batch = search.ask(stream(seed, generation, "ask"))
    gradient = slope(score, batch.x) if batch.gradient else None
    search.tell(batch, Evaluation(score(batch.x), measures=batch.x[:, :2], gradient=gradient))
    return batch.x


def history(search, start, stop, **how):
    return [step(search, generation, **how) for generation in range(start, stop)]


def same(left, right):
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def with_nan(share):
    def score(x):
        lost = (x[:, 0] * 1e4) % 1 < share  # the far digits of a gene: as good as random, and the same every time
        return torch.where(lost, torch.nan, sphere(x))

    return score


def test_it_is_a_search_and_says_its_name(name):
    search = build(name)
    step(search, 0)
    assert isinstance(search, Search) and search.name == name and search.population == 8


def test_it_says_how_large_its_usual_generation_is(name):
    search = build(name, population=16)
    sizes = [len(step(search, generation)) for generation in range(40)]
    assert sizes.count(search.batch) >= 16  # the hybrid climbs in most of its generations


def test_the_first_generation_is_the_prior(name):
    first = build(name).ask(stream(7, 0, "ask"))
    assert torch.equal(first.x[:8], SPACE.sample(8, stream(7, 0, "ask"))) and not first.gradient


def test_a_start_takes_the_place_of_the_prior(name):
    few, many = (SPACE.sample(count, stream(1, "start")) for count in (3, 20))
    for start in (few, many):
        search = build(name)
        search.start = start
        if name in PYMOO and start is many:
            with pytest.raises(BadInput, match="starts from at most 8"):
                step(search, 0)
            return
        first = step(search, 0)
        rows = min(len(start), len(first))
        assert torch.equal(first[:rows], start[:rows]) and len(first) >= 8
        assert len(search.population_x) <= max(8, len(start)) and search.best[1] >= float(sphere(first).max()) - 1e-6
        history(search, 1, 3)


def test_the_same_seed_gives_the_same_run(name):
    assert same(history(build(name), 0, 6), history(build(name), 0, 6))


def test_another_seed_gives_another_run(name):
    first, second = history(build(name), 0, 3), history(build(name), 0, 3, seed=8)
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("stop", torch.randint(0, 9, (3,), generator=stream(0, "stop")).tolist())
def test_a_resumed_run_is_the_unbroken_run_bit_for_bit(name, stop):
    whole, begun, resumed = build(name), build(name), build(name)
    expected = history(whole, 0, 10)
    latents = history(begun, 0, stop)
    resumed.load_state_dict(begun.state_dict())
    assert same(latents + history(resumed, stop, 10), expected)
    assert resumed.best[1] == whole.best[1] and torch.equal(resumed.best[0], whole.best[0])
    assert torch.equal(resumed.population_x, whole.population_x)
    assert torch.equal(resumed.population_score, whole.population_score)


def test_the_state_between_ask_and_tell_is_the_one_before_ask(name):
    search, resumed = build(name), build(name)
    history(search, 0, 3)
    asked = search.ask(stream(7, 3, "ask"))
    resumed.load_state_dict(search.state_dict())
    assert torch.equal(resumed.ask(stream(7, 3, "ask")).x, asked.x)


def test_a_state_taken_early_does_not_change_later(name):
    search = build(name)
    history(search, 0, 2)
    state = search.state_dict()
    before = {key: value.clone() for key, value in state.items() if isinstance(value, torch.Tensor)}
    history(search, 2, 4)
    assert all(torch.equal(state[key], value) for key, value in before.items())


def test_the_state_is_plain(name):
    search = build(name)
    history(search, 0, 3, score=with_nan(0.3))
    assert all(type(value) in (torch.Tensor, int, float, str) for value in search.state_dict().values())


def test_the_state_of_another_search_is_refused(name):
    search = build(name)
    history(search, 0, 2)
    for other in (build("random" if name != "random" else "ga"), build(name, population=9), build(name, Normal(9))):
        with pytest.raises(BadInput, match="Expected the state of"):
            other.load_state_dict(search.state_dict())


def test_all_latents_lie_within_the_bounds(name):
    tight = Normal(6, bound=0.5)
    for x in history(build(name, tight), 0, 8, score=lambda x: x.sum(dim=1)):
        assert x.dtype == torch.float32 and bool(((x >= -0.5) & (x <= 0.5)).all())


@pytest.mark.parametrize("population", [1, 2, 3, 5, 64, 257])
def test_any_population_works(name, population):
    if population < 4 and name.startswith(FROM_FOUR):
        with pytest.raises(BadInput, match="4 or more"):
            build(name, population=population)
        return
    sizes = [len(x) for x in history(build(name, population=population), 0, 4)]
    assert sizes[1:] == [8 if name == "cma-ga" else population] * 3  # cma-ga finds with eight at a time
    assert sizes[0] == population or (name in SCREENED and sizes[0] > population)


def test_it_does_better_than_its_first_generation(name):
    search = build(name, population=16)
    first = sphere(step(search, 0)).max()
    history(search, 1, 40)
    assert search.best[1] > first


@pytest.mark.parametrize("population", [1, 16])
def test_the_best_is_the_best_ever_told(name, population):
    if population < 4 and name.startswith(FROM_FOUR):
        pytest.skip("needs 4")
    search = build(name, population=population)
    latents = torch.cat(history(search, 0, 10))
    x, score = search.best
    assert score == pytest.approx(float(sphere(latents).max()), abs=1e-6)
    assert torch.equal(x, latents[sphere(latents).argmax()])


def test_survivors_carry_their_own_scores(name):
    search = build(name)
    history(search, 0, 5)
    torch.testing.assert_close(sphere(search.population_x), search.population_score, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_a_score_that_is_not_a_number_is_never_the_best(name, share):
    search, score = build(name, population=64), with_nan(share)
    latents = torch.cat(history(search, 0, 24, score=score))  # enough for one in a hundred to occur
    told = score(latents)
    assert told.isnan().any() and bool(torch.isfinite(latents).all())
    assert search.best[1] == pytest.approx(float(told[told.isfinite()].max()), abs=1e-6)
    assert not search.population_score.isnan().any()


def test_it_survives_that_no_score_is_a_number(name):
    search = build(name)
    lost = history(search, 0, 3, score=lambda x: torch.full((len(x),), torch.nan))
    assert search.best[1] == -torch.inf and bool(torch.isfinite(torch.cat(lost)).all())
    found = history(search, 3, 5)
    assert search.best[1] == pytest.approx(float(sphere(torch.cat(found)).max()), abs=1e-6)


def test_infinite_scores_are_not_taken_for_good_ones(name):
    search = build(name)
    step(search, 0, score=lambda x: torch.where(torch.arange(len(x)) == 2, torch.inf, sphere(x)))
    assert search.best[1] < 0 and search.best[1] > -torch.inf


def test_telling_without_asking_is_refused(name):
    search = build(name)
    x = SPACE.sample(8, stream(7))
    with pytest.raises(BadInput, match="without ask"):
        search.tell(Batch(x), Evaluation(sphere(x)))
    step(search, 0)
    with pytest.raises(BadInput, match="without ask"):
        search.tell(Batch(x), Evaluation(sphere(x)))


def test_asking_again_before_telling_gives_the_same_batch(name):
    search = build(name)
    history(search, 0, 2)
    first = search.ask(stream(7, 2, "ask"))
    assert search.ask(stream(99, "other")) is first


def test_telling_other_shapes_is_refused(name):
    search = build(name)
    batch = search.ask(stream(7, 0, "ask"))
    with pytest.raises(BadInput, match=r"Expected latents \((8|64), 8\)"):
        search.tell(batch, Evaluation(torch.zeros(7)))
    with pytest.raises(BadInput, match="got"):
        search.tell(Batch(batch.x[:4]), Evaluation(torch.zeros(4)))


def test_there_is_no_best_before_the_first_tell(name):
    with pytest.raises(BadInput, match="no best"):
        _ = build(name).best


def test_an_unknown_option_is_refused_with_the_known_ones(name):
    with pytest.raises(BadInput, match=r"has no option 'wings'. Known options and defaults"):
        build(name, wings=2)


def test_state_lives_on_the_device_and_steps_are_the_same_there(name, device):
    search = build(name, device=device)
    latents = [x.cpu() for x in history(search, 0, 3)]
    assert search.population_x.device.type == search.best[0].device.type == device.type
    known = 2 if name == "cma-es" else 3  # its draws are turned by a basis, which each solver chooses for itself
    for x, expected in zip(latents[:known], history(build(name), 0, known), strict=True):
        torch.testing.assert_close(x, expected, rtol=1e-4, atol=1e-4)


def test_the_host_never_waits_for_the_device(name):
    """Tensors of the meta device have no values: whatever would read one on the host (a branch, an index, a count)
    fails. NSGA-II sorts the scores on the host; pyribs and pymoo live there.
    """
    if name in ("nsga2", *QUALITY_DIVERSITY, *PYMOO):
        pytest.skip("sorts or lives on the host")
    few = {"cma-ga": {"focus": 2, "spread": 2}, "hybrid": {"evolve": 2, "climb": 2}, "adam": {"screen": 1}}
    search = SEARCHES[name](SPACE, population=8, device=torch.device("meta"), **few.get(name, {}))
    for generation in range(9):  # every phase of those that have phases
        with NothingWaits():
            batch = search.ask(stream(7, generation, "ask"))
        score = torch.empty(len(batch.x), device="meta")
        gradient = torch.empty_like(batch.x) if batch.gradient else None
        with NothingWaits():
            search.tell(batch, Evaluation(score, gradient=gradient))
    assert search.population_x.device.type == batch.x.device.type == "meta"


class NothingWaits(TorchDispatchMode):
    """Fails where a GPU in the place of the meta device would be waited for: a copy to it that blocks, and an index
    that lies on the CPU, which torch copies so.
    """

    def __torch_dispatch__(self, operation, types, given=(), named=None):
        found, name = operation(*given, **(named or {})), operation.name()
        asked = [t for t in tree_leaves((given, named)) if isinstance(t, torch.Tensor) and t.ndim]
        places = {t.device.type for t in [*asked, *tree_leaves(found)] if isinstance(t, torch.Tensor)}
        if "copy" in name:
            assert len(places) < 2 or given[2:] == (True,) or named.get("non_blocking"), "a copy that waits"
        else:
            assert len(places) < 2, f"{name} of tensors on two devices"
        return found


def test_names_are_looked_up_with_suggestions():
    with pytest.raises(UnknownName, match="NelderMead"):
        build("pymoo:NelderMeat")
    with pytest.raises(UnknownName, match="ga-thesis"):
        SEARCHES.check("ga-thesi")
