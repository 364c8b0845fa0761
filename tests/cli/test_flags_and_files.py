"""Flags, configuration files and the phrases in them: what joins, what replaces, what would do nothing."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.config import make_config
from zeuxis.errors import BadInput
from zeuxis.report.commands import generate_command


def dry(*words):
    """The configuration that a command says it would run."""
    ended = CliRunner().invoke(app, ["generate", *map(str, words), "--dry-run"])
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_an_option_joins_those_of_the_configuration(tmp_path):
    assert dry("x", "--config", "aphantasia", "--option", "rate=0.01")["options"] == {"starts": 2, "rate": 0.01}
    file = tmp_path / "c.toml"
    file.write_text(
        '[search]\nsearch = "ga"\noptions = { elite = 3 }\n[generator]\ngenerator_options = { mixture = 4 }\n'
    )
    words = ("x", "--config", file, "--option", "tournament=4", "--generator-option", "mixture=6")
    told = dry(*words)
    assert (told["options"], told["generator_options"]) == ({"elite": 3, "tournament": 4}, {"mixture": 6})
    assert dry("x", "--config", file, "--search", "de", "--option", "F=0.5")["options"] == {"F": 0.5}


def test_braces_of_a_phrase_stay_text_in_commands_and_files(tmp_path):
    words = (r"a \{red|green\} frog", "--search", "ga", "--seed", 1)
    told, file = dry(*words), tmp_path / "c.toml"
    assert told["prompt"] == ["a {red|green} frog"]
    assert CliRunner().invoke(app, ["generate", *map(str, words), "--write-config", str(file)]).exit_code == 0
    assert dry("--config", file)["prompt"] == told["prompt"]
    command = generate_command(make_config(**told))
    assert dry(*shlex.split(command)[2:])["prompt"] == told["prompt"]


def test_a_configuration_of_one_phrase_serves_another(tmp_path):
    file = tmp_path / "frog.toml"
    words = ["generate", "a frog", "--seed", "1", "--population", "12", "--write-config", str(file)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert dry("--config", file)["classes"] == dry("a frog")["classes"] != []
    assert dry("a dog", "--config", file)["classes"] == dry("a dog")["classes"]
    assert dry("a red shoe", "--config", file)["generator"] == "pocket-products"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--option", "elite=1", "--option", "elite=7"), "each option once, got 'elite' twice"),
        (("--judge", "none", "--stop-on-exploitation", 1), "a judge for --stop-on-exploitation"),
        (("--collapse-below", 0.5), "--on-collapse beside --collapse-below"),
        (("--start", "sweep", "--start-images", 100), "--start sweep or --start-images"),
        (("--start-images", 2, "--population", 8), "at least the population of 8, got 2"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(words, said):
    ended = CliRunner().invoke(app, ["generate", "x", "--search", "ga", *map(str, words), "--dry-run"])
    assert ended.exit_code == 2 or isinstance(ended.exception, BadInput)
    assert said in ended.output + str(ended.exception)


@pytest.mark.parametrize("psi", ["nan", "inf", "1e30", "-5"])
@pytest.mark.parametrize("tool", [("sample",), ("mix",), ("interpolate",)])
def test_tools_take_the_truncations_of_a_run(tool, psi, tmp_path):
    out = tmp_path / ("x.gif" if tool == ("interpolate",) else "x.png")
    ended = CliRunner().invoke(app, [*tool, f"--truncation={psi}", "--out", str(out)])
    assert "--truncation from -4 to 4, got" in ended.output + str(ended.exception) and not out.exists()
