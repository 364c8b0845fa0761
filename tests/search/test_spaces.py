"""Spaces: priors, bounds and what the genes are called."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.spaces import ClassMix, Normal, Product, Space, TruncatedNormal, check
from zeuxis.spaces.algebra import nonnegative_fit

LABELS = ("fire truck", "bus", "lynx", "tabby", "pier")
EMBEDDINGS = torch.randn(5, 16, generator=stream(1))
SPACES = {
    "normal": Normal(6),
    "truncated": TruncatedNormal(6, bound=1.5),
    "class": ClassMix(EMBEDDINGS, LABELS),
    "blend": ClassMix(EMBEDDINGS, LABELS, blend=3, jitter=0.2, margin=0.0),
    "product": Product(TruncatedNormal(3), ClassMix(EMBEDDINGS, LABELS), Normal(2)),
}


@pytest.fixture(params=SPACES.values(), ids=SPACES)
def space(request):
    return request.param


def test_it_is_a_space(space):
    assert isinstance(space, Space)
    assert space.lower.shape == space.upper.shape == (space.dim,) and bool((space.lower < space.upper).all())


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 50), seed=st.integers(0, 2**40))
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_samples_are_float32_within_bounds_and_repeat(space, count, seed):
    x = space.sample(count, stream(seed))
    assert x.shape == (count, space.dim) and x.dtype == torch.float32 and x.device.type == "cpu"
    assert bool(((x >= space.lower) & (x <= space.upper)).all())
    assert torch.equal(x, space.sample(count, stream(seed)))


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.01, 1e6), seed=st.integers(0, 2**40))
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_clip_moves_only_what_is_outside(space, scale, seed):
    x = scale * torch.randn(4, space.dim, generator=stream(seed))
    clipped = space.clip(x)
    inside = (x >= space.lower) & (x <= space.upper)
    assert torch.equal(clipped[inside], x[inside]) and torch.equal(space.clip(clipped), clipped)
    assert bool(((clipped == space.lower) | (clipped == space.upper))[~inside].all())


def test_a_latent_of_the_wrong_length_is_refused_with_the_right_one(space):
    with pytest.raises(BadInput, match=rf"\(N, {space.dim}\).*got \(2, {space.dim + 1}\)"):
        check(space, torch.zeros(2, space.dim + 1))
    with pytest.raises(BadInput, match=r"x\[None\]"):
        check(space, torch.zeros(space.dim))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_genes_that_are_no_numbers_are_refused(space, bad):
    x = space.sample(3, stream(1))
    assert check(space, x) is x
    x[1, 0] = bad
    with pytest.raises(BadInput, match=r"1 of 3 latents .first: row 1"):
        check(space, x)


def test_normal_is_standard():
    x = Normal(50).sample(2000, stream(1))
    assert float(x.mean()) == pytest.approx(0, abs=0.01) and float(x.std()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("bound", [0.1, 0.5, 2.0, 6.0])
def test_the_truncated_normal_has_its_distribution_function(bound):
    x = TruncatedNormal(50, bound).sample(2000, stream(1)).double().flatten().sort().values
    below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    edge = 0.5 * (1 + math.erf(-bound / math.sqrt(2)))
    expected = (below - edge) / (1 - 2 * edge)
    assert float((expected - torch.arange(1, 100_001) / 100_000).abs().max()) < 1.95 / 100_000**0.5


def test_the_truncated_normal_does_not_heap_up_at_its_bounds():
    x = TruncatedNormal(50, 2.0).sample(2000, stream(1))
    assert int((x.abs() >= 1.9999).sum()) < 10


def test_a_class_sample_is_one_label_each_equally_often():
    space = SPACES["class"]
    x = space.sample(5000, stream(1))
    found = (x[:, None] == space.places).all(dim=2)
    assert bool((found.sum(dim=1) == 1).all())
    torch.testing.assert_close(found.float().mean(dim=0), torch.full((5,), 0.2), atol=0.02, rtol=0)


def test_a_blend_lies_within_the_labels():
    space = ClassMix(EMBEDDINGS, LABELS, blend=3)
    for row in space.decode(space.sample(20, stream(1))):
        weights = nonnegative_fit(EMBEDDINGS.double(), row.double(), 5)
        assert float(weights.sum()) == pytest.approx(1, abs=1e-4) and int((weights > 1e-6).sum()) <= 3


def test_jitter_is_measured_in_deviations_over_the_labels():
    space = ClassMix(
        torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -0.01], [0.0, 0.01]]), tuple("abcd"), jitter=0.05, margin=1.0
    )
    x = space.sample(5000, stream(1))
    nearest = space.places[torch.cdist(x, space.places).argmin(dim=1)]
    deviation = space.places.std(dim=0, correction=0)
    torch.testing.assert_close((x - nearest).std(dim=0)[0], 0.05 * deviation[0], rtol=0.05, atol=0)


def test_the_margin_widens_the_box_of_the_labels():
    space = ClassMix(torch.tensor([[0.0, -1.0], [2.0, 1.0]]), ("a", "b"), margin=0.25)
    side = 2**0.5  # the labels lie at +-sqrt 2 on the first axis and at 0 on the second
    torch.testing.assert_close(space.upper, torch.tensor([1.5 * side, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(space.lower, -space.upper, atol=1e-5, rtol=0)


def test_genes_of_a_class_are_coordinates_along_principal_axes():
    space = ClassMix(EMBEDDINGS, LABELS)
    torch.testing.assert_close(space.decode(space.encode(EMBEDDINGS)), EMBEDDINGS, atol=1e-5, rtol=0)
    spread = space.places.std(dim=0, correction=0)
    assert bool((spread[:-1] >= spread[1:] - 1e-5).all())
    covariance = torch.cov(space.places.T)
    assert float((covariance - covariance.diag().diag()).abs().max()) < 1e-4 * float(covariance.max())


def test_a_ball_keeps_latents_as_long_as_the_prior_makes_them():
    space = Normal(64, radius=1.0)
    x = space.clip(3 * torch.randn(10, 64, generator=stream(1)))
    assert float(x.norm(dim=1).max()) <= 8 + 1e-5
    inside = 0.1 * torch.randn(10, 64, generator=stream(2))
    assert torch.equal(space.clip(inside), inside)
    assert float(space.sample(500, stream(3)).norm(dim=1).max()) <= 8 + 1e-5


def test_a_mixture_is_named_by_its_parts():
    x = 0.62 * EMBEDDINGS[0] + 0.25 * EMBEDDINGS[1] + 0.10 * EMBEDDINGS[3] + 0.03 * EMBEDDINGS[4]
    space = SPACES["class"]
    assert space.describe(space.encode(x)) == "62 % fire truck, 25 % bus, 10 % tabby"


def test_only_parts_over_five_percent_are_named():
    space = SPACES["class"]
    assert space.describe(space.encode(0.96 * EMBEDDINGS[2] + 0.04 * EMBEDDINGS[0])) == "96 % lynx"
    assert space.describe(space.encode(torch.zeros(16))) == ""


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**40), share=st.floats(0.15, 0.85), first=st.integers(0, 199), second=st.integers(0, 199))
def test_two_labels_of_many_are_found_again(seed, share, first, second):
    rows = torch.randn(200, 64, generator=stream(seed), dtype=torch.float64)
    x = share * rows[first] + (1 - share) * rows[second]
    weights = nonnegative_fit(rows, x, 8)
    expected = torch.zeros(200, dtype=torch.float64).index_add(
        0, torch.tensor([first, second]), torch.tensor([share, 1 - share], dtype=torch.float64)
    )
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**40), count=st.integers(1, 30), most=st.integers(1, 6))
def test_a_fit_has_no_negative_weight_and_is_better_than_none(seed, count, most):
    rows = torch.randn(count, 8, generator=stream(seed), dtype=torch.float64)
    x = torch.randn(8, generator=stream(seed, "x"), dtype=torch.float64)
    weights = nonnegative_fit(rows, x, most)
    assert bool((weights >= 0).all()) and int((weights > 0).sum()) <= most
    assert (x - weights @ rows).norm() <= x.norm() + 1e-9
    torch.testing.assert_close(weights, nonnegative_fit(rows, x, most), rtol=1e-9, atol=1e-9)


def test_a_product_is_its_parts_side_by_side():
    space = SPACES["product"]
    x = space.sample(4, stream(1))
    z, embedding, noise = space.decode(x)
    assert [part.shape[1] for part in (z, embedding, noise)] == [3, 16, 2]
    assert torch.equal(torch.cat(space.split(x), dim=1), x)
    assert space.describe(torch.cat([torch.ones(3), space.spaces[1].places[1], torch.ones(2)])) == "100 % bus"


def test_embeddings_may_live_anywhere_and_are_copied():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    embeddings = EMBEDDINGS.to(device, torch.float16).requires_grad_()
    space = ClassMix(embeddings, LABELS)
    embeddings.data.zero_()
    assert space.lower.device.type == "cpu" and not space.embeddings.requires_grad
    assert space.describe(space.places[2]) == "100 % lynx"
    assert space.clip(torch.full((1, 16), 99.0, device=device)).device.type == device.type


@pytest.mark.parametrize(
    "make",
    [
        lambda: Normal(0),
        lambda: Normal(4, bound=0.0),
        lambda: TruncatedNormal(4, bound=math.nan),
        lambda: ClassMix(EMBEDDINGS, LABELS[:3]),
        lambda: ClassMix(EMBEDDINGS[0], LABELS),
        lambda: ClassMix(EMBEDDINGS * math.nan, LABELS),
        lambda: ClassMix(EMBEDDINGS, LABELS, blend=0),
        lambda: ClassMix(EMBEDDINGS, LABELS, jitter=-0.1),
        lambda: Product(),
    ],
)
def test_a_space_that_cannot_be_is_refused(make):
    with pytest.raises(BadInput):
        make()


def test_labels_are_drawn_in_proportion_to_their_shares_and_none_when_none_is_asked_for():
    shares = torch.tensor([1.0, 2.0, 5.0])
    mix = ClassMix(torch.eye(3), ("a", "b", "c"), shares=shares)
    drawn = torch.cdist(mix.sample(4000, stream(0, "shares")), mix.places).argmin(1)
    assert torch.allclose(torch.bincount(drawn).double() / 4000, shares.double() / 8, atol=0.03)
    assert mix.sample(0, stream(0)).shape == (0, 3)
