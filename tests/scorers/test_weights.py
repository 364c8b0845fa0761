"""Weights behind a colon: right ones, and what only looks like one. Phrases that stand against one another."""

import re

import pytest

from zeuxis.errors import BadInput
from zeuxis.scorers.combine import parse_weighted
from zeuxis.scorers.measures import parse_measure
from zeuxis.scorers.prompts import parse_prompt


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a cat:1,5", "a cat:1.5"),
        ("a cat:-0,5", "a cat:-0.5"),
        ("a cat:", "a cat:1"),
        ("a cat::2", "a cat:2"),
        ("(a cat:1.5)", "a cat:1.5"),
        ("((a cat:1.5))", "a cat:1.5"),
    ],
)
def test_a_misspelt_weight_is_refused_with_the_right_spelling(typed, meant):
    for prompt, negative in (([typed], []), ([f"a dog | {typed}"], []), (["a dog"], [typed])):
        with pytest.raises(BadInput, match=re.escape(f"Write {meant!r}")):
            parse_prompt(prompt, negative)


def test_a_scorer_with_a_decimal_comma_is_refused_alike():
    with pytest.raises(BadInput, match=re.escape("Write 'pocket:0.5'")):
        parse_weighted("pocket:0,5")


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("a cat:abc", "'a cat:abc' was read as words: a weight is a plain number, as in 'a cat:1.5'."),
        ("a cat:50%", "was read as words"),
        ("a cat: 1.5", "a weight follows its colon without a space"),
        ("cat:1 dog:2", "a weight stands at its end, and '|' separates phrases"),
        ("a cat | a dog:0", "'a dog' has weight 0"),
        ("a cat | A Cat", "'A Cat' stands in the prompt twice"),
        ("a cat | the cat:2", "'the cat' stands in the prompt twice"),
    ],
)
def test_what_may_be_meant_otherwise_is_noted(typed, note):
    (said,) = parse_prompt([typed]).notes
    assert note in said


@pytest.mark.parametrize(
    "typed", ["a cat", "a cat:1.5", "Blade Runner: 2049", r"half past 10\:30", "a cat | a dog", "(a cat)"]
)
def test_what_is_plain_is_not_noted(typed):
    assert parse_prompt([typed]).notes == ()


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("a frog", "a frog"),
        ("a frog", "Frog:0.3"),
        ("the frog", "a frog"),
        ("a frog | a frog:-1", ""),
        ("a cat | a dog:2", "a dog"),
    ],
)
def test_a_phrase_that_is_wanted_and_avoided_is_refused(prompt, negative):
    with pytest.raises(BadInput, match="as both"):
        parse_prompt([prompt], [negative] if negative else [])


def test_weights_that_leave_nothing_to_move_towards_are_refused():
    with pytest.raises(BadInput, match="only weights of 0"):
        parse_prompt(["a cat:0"])


def test_an_unquoted_phrase_is_noted():
    (note,) = parse_prompt(["a", "red", "fire", "truck"]).notes
    assert note == (
        "Read 4 phrases of one word each: 'a', 'red', 'fire', 'truck'. Put quotes around them to make it one."
    )
    for prompt in (["a frog", "grass"], ["frog"], ["frog:1", "toad:2"], ["frog | toad"]):
        assert parse_prompt(prompt).notes == ()


@pytest.mark.parametrize("text", ["a|a", "A cat|a cat", " young | young "])
def test_a_measure_between_a_phrase_and_itself_is_refused(text):
    with pytest.raises(BadInput, match="two different phrases"):
        parse_measure(text)
