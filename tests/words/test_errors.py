"""The tree drawn at the top of errors.py is the tree of the classes."""

import inspect
import re

import pytest

from zeuxis import errors
from zeuxis.errors import MissingExtra, ZeuxisError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, ZeuxisError)]


def drawn():
    """Name -> (parent's name, exit code), read off the drawing by its columns."""
    tree, path = {}, [("", -1)]
    for line in errors.__doc__.splitlines():
        if not (row := re.match(r"    ([ |`-]*)([A-Z]\w+)\s+(\d)?", line)):
            continue
        depth = len(row[1])
        path = [step for step in path if step[1] < depth]
        tree[row[2]] = (path[-1][0], int(row[3] or 2))
        path.append((row[2], depth))
    return tree


def test_the_drawing_shows_every_class_under_its_parent_with_its_exit_code():
    assert drawn() == {
        c.__name__: (c.__bases__[0].__name__ if c is not ZeuxisError else "", c.exit_code) for c in CLASSES
    }


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_documented_and_not_a_success(error):
    assert error.__doc__ and error.exit_code in (2, 3)


@pytest.mark.parametrize(
    ("error", "builtin"), [("BadInput", ValueError), ("MissingExtra", ImportError), ("RunUnwritable", OSError)]
)
def test_errors_can_be_caught_by_their_builtin_kind(error, builtin):
    assert issubclass(getattr(errors, error), builtin)


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    assert "pip install 'zeuxis[pymoo]'" in str(MissingExtra("pymoo", "pymoo", "The search nsga2"))
