"""Mean and deviation of each prior: what a space says of them and what many draws show."""

import math

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import (
    Categorical,
    ClassMix,
    CodeGrid,
    GridAxes,
    Normal,
    Product,
    SparseMix,
    TruncatedNormal,
    Whitened,
)
from zeuxis.spaces.base import Bounded

ROWS = torch.randn(7, 4, generator=stream(0, "rows")) * torch.tensor([4.0, 2.0, 1.0, 1.0])
STYLES = torch.randn(500, 16, generator=stream(1, "styles"))
LABELS = tuple("abcdefg")
SHARES = torch.rand(4, 7, generator=stream(2, "shares")) ** 3  # of the codes in each of four places
GRID = CodeGrid(ROWS, 2, SHARES)
SPACES = {
    "normal": Normal(5),
    "tight": Normal(5, bound=1.0),
    "short": Normal(64, radius=1.0),
    "shorter": Normal(9, radius=0.8),
    "tight and short": Normal(9, bound=0.5, radius=0.8),
    "truncated": TruncatedNormal(4),
    "narrow": TruncatedNormal(4, bound=0.3),
    "classes": ClassMix(ROWS, LABELS),
    "shares": ClassMix(ROWS, LABELS, shares=torch.arange(1.0, 8.0)),
    "blend": ClassMix(ROWS, LABELS, blend=3, jitter=0.2, reach=1.0),
    "sparse": SparseMix(LABELS),
    "one class": SparseMix(("a",)),
    "codes": CodeGrid(ROWS, 2),
    "counted codes": GRID,
    "axes of a grid": GridAxes(GRID, torch.zeros(16), torch.randn(3, 16, generator=stream(3, "axes"))),
    "counted choices": Categorical([LABELS] * 4, SHARES),
    "w": Whitened(STYLES),
    "w+": Whitened(STYLES, layers=5),
    "product": Product(TruncatedNormal(3), ClassMix(ROWS, LABELS), SparseMix(LABELS)),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_prior_has_the_mean_and_deviation_that_the_space_says(space):
    x = space.sample(40_000, stream(9)).double()
    mean, std = space.prior_mean, space.prior_std
    assert mean.shape == std.shape == (space.dim,) and mean.dtype == std.dtype == torch.float32
    error = 0.03  # of 4,096 draws, where it is measured, nearly two deviations
    assert float(((x.mean(dim=0) - mean) / std).abs().max()) < 2 * error
    assert float((x.std(dim=0) / std - 1).abs().max()) < error


def test_it_is_worked_out_once():
    for space in SPACES.values():
        assert space.prior_std is space.prior_std and space.prior_mean is space.prior_mean


def test_known_values():
    assert float(Normal(3).prior_std[0]) == pytest.approx(1.0, abs=1e-4)
    assert float(TruncatedNormal(3).prior_std[0]) == pytest.approx(0.8796256610342398)  # bound 2
    assert float(Normal(2, radius=1.0).prior_std[0]) == pytest.approx(
        math.sqrt(1 - math.exp(-1))
    )  # E[min(chi^2, 2)] / 2


def test_a_gene_that_never_changes_has_no_deviation_and_no_search_breaks_on_it():
    space = Product(Normal(2), ClassMix(ROWS[:1], ("a",)))
    assert space.prior_std[2:].tolist() == [0.0] * 4
    for name in ("ga", "cma-ga", "sep-cma-es"):
        x = SEARCHES[name](space, population=8).ask(stream(1)).x
        assert bool(x.isfinite().all())


def test_a_space_of_ones_own_is_measured():
    class Coin(Bounded):
        def sample(self, count, rng):
            return torch.randint(2, (count, self.dim), generator=rng).float()

    coin = Coin(torch.zeros(3), torch.ones(3))
    torch.testing.assert_close(coin.prior_mean, torch.full((3,), 0.5), atol=0.03, rtol=0)
    torch.testing.assert_close(coin.prior_std, torch.full((3,), 0.5), atol=0.01, rtol=0)
    assert torch.equal(coin.prior_std, Coin(torch.zeros(3), torch.ones(3)).prior_std)


@pytest.mark.parametrize("name", ["ga", "sep-cma-es", "adam", "hybrid", "cma-ga"])
def test_searches_take_the_deviation_from_the_space(name):
    space = SPACES["product"]
    search = SEARCHES[name](space, population=8)
    owner = {"adam": "climber", "hybrid": "climber", "cma-ga": "breeder"}.get(name)
    assert torch.equal((getattr(search, owner) if owner else search).spread, space.prior_std)


def test_a_code_is_drawn_as_often_as_it_was_counted():
    wanted = SHARES / SHARES.sum(1, keepdim=True)
    for space in (GRID, Categorical([LABELS] * 4, SHARES)):
        x = space.sample(20_000, stream(4))
        assert space.sample(0, stream(4)).shape == (0, space.dim)
        drawn = space.nearest(x) if space is GRID else space.decode(x)  # (N, 4)
        found = torch.nn.functional.one_hot(drawn, 7).double().mean(0)
        assert float((found - wanted).abs().max()) < 0.02


@pytest.mark.parametrize("shares", [-SHARES, SHARES[:3], torch.zeros(4, 7), SHARES * math.nan])
def test_what_are_no_shares_is_refused(shares):
    for make in (lambda s: CodeGrid(ROWS, 2, s), lambda s: Categorical([LABELS] * 4, s)):
        with pytest.raises(BadInput, match="Expected s"):
            make(shares)
    with pytest.raises(BadInput, match="axes"):
        GridAxes(GRID, torch.zeros(16), torch.zeros(3, 15))


def test_an_option_that_is_never_drawn_has_no_gene():
    space = Categorical([("a", "b", "c")], torch.tensor([[0.5, 0.0, 0.5]]))
    x = torch.tensor([[0.0], [0.49], [0.5], [1.0]])
    assert space.decode(x).flatten().tolist() == [0, 0, 2, 2]
    last = Categorical([("a", "b", "c")], torch.tensor([[0.5, 0.5, 0.0]]))
    assert last.decode(torch.ones(1, 1)).item() == 1
