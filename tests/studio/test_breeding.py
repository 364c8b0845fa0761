"""Breeding by hand without a page: picks, children, bans, undo and redo, branches, the family tree."""

import pytest
import torch
from studio_toys import ToyArtist, breeding
from torch.nn.functional import normalize

from zeuxis.errors import BadInput
from zeuxis.studio.breeding import BANNED


@pytest.fixture
def table():
    made = breeding(ToyArtist(1), seed=5)
    made.begin()
    return made


def test_the_first_table_is_full_and_best_first(table):
    shown = table.family.table.shown
    scores = [table.family.pictures[number].score for number in shown]
    assert len(shown) == 12 and scores == sorted(scores, reverse=True)


def test_given_pictures_come_before_draws():
    made = breeding(ToyArtist(1))
    given = made.variation.draws(3, torch.Generator().manual_seed(0))
    made.begin(given, "search")
    first = [made.family.pictures[number] for number in made.family.table.shown[:3]]
    assert {one.operator for one in first} == {"search"}
    assert {one.operator for one in made.family.pictures[3:]} == {"draw"}


def test_children_name_their_parents_and_lie_beside_them(table):
    a, b = table.family.table.shown[:2]
    table.favour(a)
    table.favour(b)
    laid = table.children(0.4)
    assert laid.shown[:2] == (a, b) and len(laid.shown) == 12 and laid.generation == 1 and not laid.favourites
    made = [table.family.pictures[number] for number in laid.shown[2:]]
    assert all(set(one.parents) <= {a, b} and one.parents for one in made)
    assert {one.operator for one in made} <= {"cross", "mutate"}
    best = max(table.family.pictures[parent].score for parent in made[0].parents)
    assert table.family.gain(made[0].number) == pytest.approx(made[0].score - best)
    assert table.family.gain(a) is None


def test_operators_need_what_they_need(table):
    with pytest.raises(BadInput, match="at least one"):
        table.children(0.4)
    table.favour(table.family.table.shown[0])
    with pytest.raises(BadInput, match="two pictures to cross"):
        table.children(0.4, "cross")
    with pytest.raises(BadInput, match="not on the table"):
        table.favour(999)
    with pytest.raises(BadInput, match="no part 'colour'"):
        table.lock("colour")


def test_a_banned_look_does_not_come_back(table):
    family = table.family
    never = family.table.shown[3]
    table.ban(never)
    assert never not in family.table.shown and len(family.table.shown) == 11
    table.favour(family.table.shown[0])
    for _ in range(3):
        table.children(0.9)
        table.favour(family.table.shown[0])
    shown = normalize(torch.stack([family.features[n] for n in family.table.shown]), dim=1)
    assert float((shown @ normalize(family.features[never], dim=0)).max()) <= BANNED


def test_undo_redo_and_branches(table):
    family = table.family
    first = family.table
    a = first.shown[0]
    table.favour(a)
    table.children(0.3)
    grown = family.table
    assert family.undo().favourites == (a,) and family.undo() == first
    with pytest.raises(BadInput, match="nothing to undo"):
        family.undo()
    assert family.redo().favourites == (a,) and family.redo() == grown
    with pytest.raises(BadInput, match="nothing to redo"):
        family.redo()
    steps = family.generations()
    family.branch(steps[0])
    table.favour(first.shown[1])
    other = table.children(0.3)
    assert other.before != grown.before and grown in family.tables and not family.can_redo
    assert family.generations() == [*steps, family.at]


def test_a_favourite_taken_back_teaches_nothing(table):
    number = table.family.table.shown[4]
    table.favour(number)
    assert table.taste().picks == 1
    table.favour(number)
    assert table.taste().picks == 0 and table.family.table.favourites == ()
    table.favour(number)
    table.forget()
    assert table.taste().picks == 0 and table.family.table.favourites == (number,)


def test_the_same_clicks_give_the_same_family():
    def clicks():
        made = breeding(ToyArtist(2), seed=9)
        made.begin()
        made.favour(made.family.table.shown[2])
        made.children(0.5)
        made.favour(made.family.table.shown[5])
        made.suggest(0.5)
        return made.family

    one, other = clicks(), clicks()
    assert one.tables == other.tables
    assert all(torch.equal(a.genome, b.genome) for a, b in zip(one.pictures, other.pictures, strict=True))


def test_ancestors_end_at_the_first_table(table):
    for _ in range(3):
        table.favour(table.family.table.shown[-1])
        table.children(0.4)
    line = table.family.ancestors(table.family.table.shown[-1])
    assert line[-1].parents == () and len({one.number for one in line}) == len(line) >= 3


def test_a_pair_is_of_two_pictures_of_the_table(table):
    a, b = table.pair()
    assert a != b and {a, b} <= set(table.family.table.shown)
    table.prefer(b, a)
    assert table.family.table.choices[-1] == (b, (a,))
