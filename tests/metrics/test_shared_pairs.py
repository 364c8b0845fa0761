"""What metrics and their parts share, against the plain formulas on the rows of each part."""

import plain_metrics as plain
import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.metrics import shared, squares
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.intervals import parts
from zeuxis.metrics.kernel import squared_mmd
from zeuxis.metrics.neighbours import Nearby, radii
from zeuxis.metrics.shared import ALL, Shared
from zeuxis.metrics.squares import Squares
from zeuxis.metrics.wasserstein import mind
from zeuxis.rng import stream

SIGMA = 3.0


def rows(n, seed, width=24, kind="plain"):
    x = torch.randn(n, width, generator=stream(seed, "shared")).clamp(min=0)
    if kind == "copies":
        x[: n // 3] = x[0]
    elif kind == "outlier":
        x[3] *= 1e4
    elif kind == "far":
        x += 1000
    elif kind == "tight":
        x /= 100
    return x


def check(found, fake, real, part):
    """Every figure of one part; `fake` and `real` are its rows."""
    both = found.shares(part)
    assert tuple(both.precision_recall) == pytest.approx(plain.precision_recall(fake, real, 3), rel=1e-12)
    assert tuple(both.density_coverage) == pytest.approx(plain.density_coverage(fake, real, 5), rel=1e-12)
    far = 1e4 if float(real.mean()) > 500 else 1  # covariances and the kernel lose digits to the shift anywhere
    assert found.kernel(part) == pytest.approx(plain.mmd(fake, real), rel=1e-6 * far, abs=1e-9)
    assert found.renyi(part) == pytest.approx(plain.vendi(fake, SIGMA, 2.0), rel=1e-6)
    assert found.frechet(part) == pytest.approx(plain.frechet(fake, real), rel=1e-6 * far, abs=1e-5)
    assert found.frechet(part) == pytest.approx(frechet_distance(real, fake), rel=1e-6 * far, abs=1e-5)
    assert found.sliced(part) == pytest.approx(mind(fake, real), rel=1e-9)


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize(("n", "m", "width"), [(150, 150, 96), (203, 130, 12)])
@pytest.mark.parametrize("kind", ["plain", "copies", "outlier", "far", "tight"])
def test_all_rows_and_every_part(n, m, width, kind, apart, monkeypatch):
    monkeypatch.setattr(shared, "APART", 1 if apart else 10**9)
    monkeypatch.setattr(squares, "TILE", (64, 48))  # several tiles, and neighbours that are merged
    monkeypatch.setattr(Squares.__init__, "__kwdefaults__", {"block": 64, "keep": False})
    monkeypatch.setattr(squares, "KEPT", 64 if apart else 2**22)
    fake, real = rows(n, 1, width, kind), rows(m, 2, width, "plain" if kind == "tight" else kind)
    chosen = list(zip(parts(n, 2, 1), parts(m, 2, 2), strict=True))
    found = Shared(fake, real, chosen, sigma=SIGMA)
    check(found, fake, real, 0)
    for place, (made, of_real) in enumerate(chosen, 1):
        check(found, fake[made], real[of_real], place)
    assert found.clipped.density == pytest.approx(plain.clipped_density(fake, real, 5), rel=1e-12)
    assert found.clipped.coverage == pytest.approx(plain.clipped_coverage(fake, real, 5)[0], rel=1e-9)
    near, where = found.nearest
    apart_by = plain.apart(fake, real)
    assert near.tolist() == pytest.approx(apart_by.min(1).tolist(), rel=1e-12)
    assert apart_by[range(n), where].tolist() == pytest.approx(apart_by.min(1).tolist(), rel=1e-12)
    assert found.nearest_real.tolist() == pytest.approx(plain.reach(real, 1).tolist(), rel=1e-12)


def test_a_part_with_few_of_the_listed_neighbours_is_looked_up_again():
    x = rows(60, 3)
    near = Nearby(Squares(x, x), 6)
    near.squares.visit(near)
    some = torch.arange(0, 60, 7)  # of 12 listed neighbours about one is in it
    found = near.radii_of_part(some, [3, 5])
    assert found[some].T.tolist() == [radii(x[some], k).tolist() for k in (3, 5)]
    assert int(found.isnan().all(1).sum()) == 60 - len(some)


def test_a_set_against_itself_has_pairs_of_a_row_with_itself_only_across():
    x = rows(120, 1)
    assert Shared(x, x).kernel() == pytest.approx(plain.mmd(x, x), rel=1e-9)
    assert squared_mmd(x, x) == pytest.approx(plain.mmd(x, x), rel=1e-9)


def test_only_what_is_wanted_is_computed(monkeypatch):
    fake, real = rows(120, 1), rows(120, 2)
    looked = []
    monkeypatch.setattr(Squares, "visit", lambda self, *visitors: looked.append(visitors) or 0)
    assert Shared(fake, real, wanted=frozenset({"coverage"}))._made and not looked
    assert Shared(fake, real, wanted=frozenset({"fd", "mind"}))._own and not looked


def test_what_is_known_of_the_same_real_rows_is_used_again(monkeypatch):
    fake, real = rows(120, 1), rows(110, 2)
    first = Shared(fake, real, sigma=SIGMA)
    again = Shared(rows(90, 4), real, sigma=SIGMA, known=first)
    assert again._own is first._own
    check(again, rows(90, 4), real, 0)
    assert Shared(fake, real.clone(), known=first)._known is None


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_rows_that_are_no_numbers_are_refused(wrong):
    real = rows(120, 2)
    real[17, 1] = wrong
    with pytest.raises(BadInput, match="row 17"):
        Shared(rows(120, 1), real, wanted=ALL)
