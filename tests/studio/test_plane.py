"""A plane of children: where its pictures lie, how long they are, zoom in and out, undo, and the way onto disk."""

import pytest
import torch
from studio_toys import GENES, ToyArtist, breeding

from zeuxis.config import make_config
from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.spaces import Normal, Product
from zeuxis.spaces.class_mix import ClassMix
from zeuxis.studio.genome import Variation
from zeuxis.studio.journal import NAME, Journal, read_family
from zeuxis.studio.plane import ACROSS, begin_plane, zoom


@pytest.fixture
def table():
    made = breeding(ToyArtist(1), seed=5)
    made.begin()
    return made


def test_the_three_pictures_lie_where_they_should():
    vary = Variation(Normal(64))
    a, b, c = vary.draws(3, stream(1))
    for (u, v), wanted in {(0.0, 0.0): a, (1.0, 0.0): b, (0.0, 1.0): c}.items():
        assert torch.allclose(vary.on_plane(a, b, c, u, v), wanted, atol=1e-5)
    half = vary.on_plane(a, b, c, 0.5, 0.0)[0]
    assert torch.allclose(torch.cosine_similarity(half, a[0], dim=0), torch.cosine_similarity(half, b[0], dim=0))


@pytest.mark.parametrize("u", [-2.0, -0.5, 0.3, 2.0])
@pytest.mark.parametrize("v", [-1.0, 0.7])
def test_lengths_stay_those_of_the_prior(u, v):
    vary = Variation(Normal(GENES))
    a, b, c = vary.draws(3, stream(2))
    lengths = [float(x.norm()) for x in (a, b, c)]
    assert min(lengths) - 1e-4 <= float(vary.on_plane(a, b, c, u, v).norm()) <= max(lengths) + 1e-4


def test_opposite_and_equal_pictures_span_nothing_and_break_nothing():
    vary = Variation(Normal(8))
    a = vary.draws(1, stream(3))[0]
    for other in (a, -a, 0 * a):
        assert bool(vary.on_plane(a, other, other, 0.5, -0.5).isfinite().all())


def test_a_locked_class_is_the_centres():
    classes = ClassMix(torch.randn(4, 5, generator=stream(6)), ("a", "b", "c", "d"))
    vary = Variation(Product(Normal(6), classes))
    a, b, c = vary.draws(3, stream(4))
    assert torch.equal(vary.on_plane(a, b, c, 0.5, 0.5, ("class",))[:, 6:], a[:, 6:])
    assert not torch.equal(vary.on_plane(a, b, c, 0.5, 0.5)[:, 6:], a[:, 6:])


def test_a_plane_lies_around_the_last_favourite_through_the_other_two(table):
    a, b, c = table.family.table.shown[3:6]
    for number in (a, b, c):
        table.favour(number)
    laid = begin_plane(table)
    assert laid.plane.through == (c, b, a) and len(laid.shown) == ACROSS**2 == len(set(laid.shown))
    assert laid.shown[12] == c and laid.shown[14] == b and laid.shown[22] == a and laid.favourites == (c, b, a)[::-1]
    one = table.family.pictures[laid.shown[0]]
    assert one.operator == "plane" and one.parents == (c, b, a) and table.family.gain(one.number) is not None
    assert table.family.ancestors(one.number)[0].number == one.number


def test_zoom_halves_around_the_pick_and_old_places_keep_their_pictures(table):
    laid = begin_plane(table)
    picked = laid.shown[8]  # row 1, column 3: (0.5, -0.5)
    table.favour(picked)
    closer = zoom(table, True)
    assert (closer.plane.u, closer.plane.v, closer.plane.span) == (0.5, -0.5, 0.5) and closer.shown[12] == picked
    assert len(set(closer.shown) & set(laid.shown)) == 9
    before = len(table.family.pictures)
    table.favour(picked)
    assert zoom(table, False).plane.span == 1.0
    again = set(table.family.table.shown) & {*laid.shown, *closer.shown}
    assert len(table.family.pictures) - before == 25 - len(again) and picked in again
    assert zoom(table, False).plane.span == 2.0
    with pytest.raises(BadInput, match="no wider"):
        zoom(table, False)


def test_undo_leads_back_and_children_leave_the_plane(table):
    first = table.family.table
    laid = begin_plane(table)
    zoom(table, True)
    assert table.family.undo() == laid and table.family.undo() == first and table.family.table.plane is None
    table.family.redo()
    table.favour(laid.shown[1])
    assert table.children(0.4).plane is None and len(table.family.table.shown) == table.size
    with pytest.raises(BadInput, match="plane first"):
        zoom(table, True)


def test_what_is_banned_keeps_its_place_and_is_not_picked(table):
    laid = begin_plane(table)
    number = laid.shown[7]
    banned = table.ban(number)
    assert banned.shown == laid.shown and banned.plane == laid.plane
    with pytest.raises(BadInput, match="not on the table"):
        table.favour(number)
    assert number not in table.pair()


def test_a_plane_is_read_again_as_it_was_laid(tmp_path):
    artist = ToyArtist(3)
    made = breeding(artist, seed=4)
    journal = Journal.new(tmp_path, make_config(prompt=("a red disc",), generator="toy", seed=4))
    made.family.heard = journal.heard
    made.begin()
    begin_plane(made)
    made.favour(made.family.table.shown[3])
    zoom(made, True)
    family = read_family(journal.folder, made.variation, artist.look)
    assert family.tables == made.family.tables
    assert all(torch.equal(a.genome, b.genome) for a, b in zip(family.pictures, made.family.pictures, strict=True))
    made.family = family
    assert zoom(made, False).plane.span == 1.0


@pytest.mark.parametrize(
    "plane",
    [
        {"centre": 99999, "first": 0, "second": 1, "u": 0, "v": 0, "span": 1},
        {"centre": 0, "first": 0, "second": 1, "u": 1e9, "v": 0, "span": 1},
        {"centre": 0, "first": 0, "second": 1, "u": 0, "v": 0, "span": 0},
        {"centre": 0, "first": 0, "second": 1, "u": 0, "v": 0, "span": 1},
    ],
)
def test_a_plane_that_no_breeding_wrote_is_not_believed(tmp_path, plane):
    from zeuxis.storage.checksummed import checked_line

    artist = ToyArtist(3)
    made = breeding(artist, seed=4)
    journal = Journal.new(tmp_path, make_config(prompt=("a red disc",), generator="toy", seed=4))
    made.family.heard = journal.heard
    made.begin()
    with (journal.folder / NAME).open("a") as file:
        file.write(checked_line({"table": {"shown": [0, 1], "before": 0, "plane": plane}, "pictures": []}))
    assert len(read_family(journal.folder, made.variation, artist.look).tables) == 1
