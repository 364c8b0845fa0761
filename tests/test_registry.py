"""Tables of names: importing on use, and helpful when a name is not there."""

import importlib
import pkgutil
import sys

import pytest

import zeuxis
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
