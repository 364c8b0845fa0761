"""Tables of names: importing on use, and helpful when a name is not there."""

import importlib
import pkgutil
import sys

import pytest

import zeuxis
from zeuxis import plugins
from zeuxis.errors import BadInput, UnknownName
from zeuxis.registry import Entry, Table

TABLE = Table(
    "ornament",
    {"cap": Entry("string:capwords", "first letters"), "absent": Entry("zeuxis_no_such_module:x", "not there")},
    prefixes={"json": Entry("json:loads", "any value")},
)


def tables():
    """Every table of every family."""
    families = [name for _, name, package in pkgutil.iter_modules(zeuxis.__path__, "zeuxis.") if package]
    modules = [importlib.import_module(name) for name in families]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Table)]


def test_a_name_gives_its_factory():
    assert TABLE["cap"]("a cat") == "A Cat"


def test_a_prefix_hands_the_rest_to_its_factory():
    assert TABLE["json:[1]"]() == [1]
    assert "json:anything" in TABLE and "xml:anything" not in TABLE


def test_listing_imports_nothing():
    assert list(TABLE) == ["cap", "absent"]
    assert TABLE.about() == {"cap": "first letters", "absent": "not there", "json:NAME": "any value"}
    assert "zeuxis_no_such_module" not in sys.modules


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        UnknownName, match=r"Unknown ornament 'cat'\. Did you mean cap\? Known: cap, absent, json:NAME\."
    ):
        TABLE["cat"]


@pytest.mark.parametrize("name", ["", "jso", "\0", "x" * 1_000_000, "../cap", "string:capwords", "CAP"])
def test_any_other_name_is_refused_briefly(name):
    with pytest.raises(BadInput) as refusal:
        TABLE[name]
    assert len(str(refusal.value)) < 400


def test_every_row_points_at_this_package_and_says_what_it_is():
    rows = [row for table in tables() for row in (*table.rows.values(), *table.prefixes.values())]
    assert rows
    for row in rows:
        module, _, attribute = row.target.partition(":")
        assert module.startswith("zeuxis.") and attribute.isidentifier()
        assert row.about and len(row.about) < 120 and "\n" not in row.about


def own_table():
    return Table("ornament", {"cap": Entry("string:capwords", "first letters")}, group="zeuxis.no_such_group")


def test_a_member_of_ones_own_is_added_by_factory_or_by_name():
    table = own_table()
    table.add("mine", str.upper, "capitals", traits=("loud",))
    table.add("other", "string:capwords")
    assert table["mine"]("a") == "A" and table["other"]("a cat") == "A Cat"
    assert list(table) == ["cap", "mine", "other"] and table.about()["mine"] == "capitals"
    assert table.has_trait("mine", "loud") and not table.has_trait("cap", "loud")


@pytest.mark.parametrize("name", ["cap", "", "a:b", "string:capwords", "../x", "x" * 200])
def test_a_name_that_is_taken_or_no_name_cannot_be_added(name):
    with pytest.raises(BadInput, match="Expected a new name"):
        own_table().add(name, str.upper)


def test_code_is_imported_only_when_the_user_has_named_it(monkeypatch):
    monkeypatch.setattr(plugins, "_trusted", set())
    table = own_table()
    assert "colorsys:rgb_to_hsv" in table and not table.known("colorsys:rgb_to_hsv")
    for ask in (table.check, table.__getitem__, lambda name: table.has_trait(name, "loud")):
        with pytest.raises(BadInput, match="repeat it on the command line: --ornament colorsys:rgb_to_hsv"):
            ask("colorsys:rgb_to_hsv")
    plugins.trust("colorsys:rgb_to_hsv")
    assert table["colorsys:rgb_to_hsv"](0, 0, 0) == (0, 0, 0)


def test_a_table_without_a_group_takes_no_code(monkeypatch):
    monkeypatch.setattr(plugins, "_trusted", {"string:capwords"})
    with pytest.raises(UnknownName):
        TABLE["string:capwords"]


def test_only_the_four_families_take_plugins():
    groups = sorted(table.group for table in tables() if table.group)
    assert groups == ["zeuxis.generators", "zeuxis.judges", "zeuxis.scorers", "zeuxis.searches"]
