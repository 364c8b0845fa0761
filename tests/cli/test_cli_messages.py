"""What the command line answers to words that are nearly right."""

import json

import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.registry import nearest


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def said(result):
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["a red fire truck"], "Did you mean: zeuxis generate 'a red fire truck'"),
        (["a frog", "--search", "ga"], "Did you mean: zeuxis generate 'a frog' --search ga"),
        (["frog"], "Did you mean: zeuxis generate frog"),
        (["genrate"], "Did you mean 'generate'?"),
    ],
)
def test_a_phrase_in_place_of_a_command(words, answer):
    result = zeuxis_(*words)
    assert result.exit_code == 2 and answer in said(result)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--scorer", "clip"], "Did you mean clip-vit-b-32"),
        (["--search", "pso"], "Did you mean pymoo:PSO?"),
        (["--search", "map-elite"], "Did you mean map-elites"),
        (["--judge", "pocet"], "Did you mean pocket?"),
        (["--view-every", "0"], "--view-every"),
        (["--class", "frogg"], "Did you mean frog"),
        (["--generator", "pocket-products", "--class", "hels"], "Did you mean heels"),
        (["--generator", "toy", "--class", "dog"], "'toy' has no classes to choose from: leave --class and --ban out"),
        (["--negative", "a frog:0,3"], "Write 'a frog:0.3'"),
        (["--negative", "A frog"], "Leave one out"),
    ],
)
def test_a_value_that_is_nearly_right(words, answer):
    result = zeuxis_("generate", "a frog", "--dry-run", *words)
    assert result.exit_code == 2 and answer in said(result)
    assert "view_every" not in said(result) and "norm_prior" not in said(result)


def test_a_dry_run_says_what_the_run_would():
    result = zeuxis_("generate", "a", "snowy", "mountain", "--dry-run", "--generator", "pocket")
    assert result.exit_code == 0 and "Read 3 phrases of one word each" in said(result)
    result = CliRunner().invoke(app, ["generate", "a snowy mountain", "--dry-run", "--generator", "pocket"])
    assert "'a snowy mountain' is not among them (nearest: " in said(result)
    assert json.loads(result.stdout)["generator"] == "pocket"


def test_a_class_that_others_are_kinds_of_is_kept():
    result = zeuxis_("generate", "a dog", "--dry-run", "--class", "dog")
    assert result.exit_code == 0 and '"generator": "pocket"' in result.output


def test_names_that_are_near():
    known = ["clip-vit-b-32", "open-clip-b-32", "pocket", "siglip-b-16-224"]
    assert nearest("clip", known) == ["clip-vit-b-32", "open-clip-b-32"]
    assert nearest("pocet", known) == ["pocket"] and nearest("xyzzy", known) == []


def _with(failure, monkeypatch):
    """`zeuxis doctor` whose work is interrupted, and whose unwinding fails with `failure`."""

    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        finally:
            raise failure

    monkeypatch.setattr("zeuxis.tools.doctor.examine", interrupted, raising=True)
    return CliRunner().invoke(app, ["doctor"])


def test_a_block_that_cannot_be_left_after_an_interrupt_is_an_interrupt(monkeypatch):
    result = _with(RuntimeError("trying to pop from empty mode stack"), monkeypatch)
    assert result.exit_code == 130 and "Interrupted." in result.output and "Error" not in result.output


def test_what_could_not_be_saved_after_an_interrupt_is_said(monkeypatch):
    result = _with(OSError(28, "No space left on device"), monkeypatch)
    assert result.exit_code == 2 and "No space left" in result.output
