"""Axes of a plot: lists and ranges of every kind of field, and one sentence for what is neither."""

import pytest

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.studio.axes import DOTTED, MOST_VALUES, Axis, field_names, known_field, put, read_axis


def read(field, values, prompt=("a red disc on red",)):
    return read_axis(Axis(field=field, values=values), prompt)


@pytest.mark.parametrize(
    ("field", "values", "found"),
    [
        ("search", "cma-ga, ga,de", ("cma-ga", "ga", "de")),
        ("realism", "0..1 step 0.25", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("realism", "0..0.3 step 0.1, 5", (0.0, 0.1, 0.2, 0.3, 5.0)),
        ("truncation", "-1..1 step 0.8", (-1.0, -0.2, 0.6)),
        ("population", "8, 16, 32..128 step 48", (8, 16, 32, 80, 128)),
        ("seed", "0..4", (0, 1, 2, 3, 4)),
        ("options.F", "0.4, 0.8", (0.4, 0.8)),
        ("options.tournament", "2..4", (2, 3, 4)),
        ("options.strategy", "rand/1/bin, 'best/1, bin'", ("rand/1/bin", "best/1, bin")),
        ("scorer", "pocket, pocket+pocket-64:0.5", (["pocket"], ["pocket", "pocket-64:0.5"])),
        ("templates", "true, no", (True, False)),
        ("judge", "none, pocket", ("none", "pocket")),
        ("prompt", "'a cat, wet', \"a dog's\"", (["a cat, wet"], ["a dog's"])),
        ("words", "red, blue, 'light, green', ''", ("red", "blue", "light, green", "")),
    ],
)
def test_lists_and_ranges(field, values, found):
    axis = read(field, values)
    assert axis.values == found and len(axis.shown) == len(found) and all(axis.shown)


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("sed", "1", "Did you mean seed"),
        ("options", "F=1", "Expected a setting"),
        ("realism", "0..1", "Expected a step for realism, e.g. 0..1 step 0.25"),
        ("population", "0, 8", "--population to be at least 1, got '0'"),
        ("population", "1.5..3 step 0.5", "--population to be a whole number"),
        ("start", "auto, benk", "Did you mean bank"),
        ("seed", "1,,2", "an empty one"),
        ("seed", "1,", "an empty one"),
        ("seed", " ", "an empty one"),
        ("seed", '"1', "--seed"),
        ("seed", "3..1", "LOW below HIGH"),
        ("seed", "1..3 step 0", "STEP above 0"),
        ("seed", "0..1e9", f"at most {MOST_VALUES} values"),
        ("realism", "0..1 step 1e-999", f"at most {MOST_VALUES} values"),
        ("seed", "0..60, 100..110", f"at most {MOST_VALUES} values"),
        ("search", "ga, de, ga", "each value of search once"),
        ("words", "red", "2 to 64 words"),
        ("words", "pink, red", "stand in the prompt 'a red disc on red', got 'pink'"),
        ("words", "red, blue, blue", "each of the words once"),
        ("judge", "a\nb", "on one line"),
    ],
)
def test_what_is_neither_is_said_in_one_sentence(field, values, said):
    with pytest.raises(BadInput, match=said.replace("(", r"\(")) as caught:
        read(field, values)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_every_field_can_be_an_axis():
    assert set(field_names()) == {"words", *RunConfig.model_fields} - set(DOTTED)
    assert [known_field(name) for name in ("view every", "--view-every", "options.x")] == [
        "view_every", "view_every", "options.x",
    ]  # fmt: skip


def test_values_of_tables_are_put_beside_the_others():
    assert put({"options": {"a": 1}}, "options.b", 2) == {"options": {"a": 1, "b": 2}}
    assert put({"seed": 1}, "seed", 2) == {"seed": 2}
