"""A folder holds one thing: no command writes into what another command has made."""

import numpy as np
import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput
from zeuxis.experiments.jobs import make_plan
from zeuxis.experiments.results import Results
from zeuxis.pictures.writing import sheet_png
from zeuxis.storage.places import KINDS, check_folder_place

GROUP = {"name": "a", "kind": "run", "config": {"prompt": ["a"], "generator": "toy", "scorer": ["toy"]}}
COMMANDS = {
    "run.json": ["generate", "a red disc", "--generator", "toy", "--scorer", "toy", "--judge", "toy"],
    "train.json": ["train", "dcgan-mnist", "--data", "."],
    "evaluation.json": ["evaluate", "similarity", "--phrase", "a disc", "--generator", "toy", "--scorer", "toy"],
    "experiment.json": ["experiment", "jobs.toml"],
    "design.json": ["compare", "--phrase", "a disc", "--generator", "toy", "--scorer", "toy", "--judge", "none"],
    "project": ["project", "a.png"],
    "demo": ["demo", "saturation"],
    "metrics.json": ["metrics", "pictures", "pictures"],
    "prompts": ["generate", "--prompts", "phrases.txt"],
    "panel": ["train", "dcgan-mnist", "--data", ".", "--seeds", "2"],
}
CASES = [(mark, name) for name in COMMANDS for mark in KINDS if mark != name]
CASES.remove(("run.json", "prompts"))  # its seed is read first, and the file here is no real one


@pytest.mark.parametrize(("mark", "name"), CASES)
def test_what_another_command_made_is_refused_and_stays(mark, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = '[[jobs]]\nname = "a"\nkind = "run"\nconfig = { prompt = "a", generator = "toy", scorer = "toy" }\n'
    for path, content in (("jobs.toml", jobs), ("phrases.txt", "a disc\na square\n")):
        (tmp_path / path).write_text(content)
    (tmp_path / "a.png").write_bytes(sheet_png(np.zeros((8, 8, 3), np.uint8)))
    there = tmp_path / "there"
    there.mkdir()
    (there / mark).write_text("{}")
    (there / "report.html").write_text("mine")
    ended = CliRunner().invoke(app, [*COMMANDS[name], "--out", "there"])
    assert (ended.exit_code and ended.exception is None) or isinstance(ended.exception, SystemExit)
    assert "--out" in ended.output and KINDS[mark] in ended.output
    assert sorted(path.name for path in there.iterdir()) == sorted([mark, "report.html"])
    assert (there / "report.html").read_text() == "mine"


def test_ones_own_folder_stays_ones_own(tmp_path):
    (tmp_path / "run.json").touch()
    check_folder_place(tmp_path, own="run.json")
    with pytest.raises(BadInput, match="holds a run"):
        check_folder_place(tmp_path)


@pytest.mark.parametrize("words", [["demo", "saturation"], ["metrics", "pictures", "pictures"]])
def test_files_of_somebody_else_are_not_replaced(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    for name in ("index.html", "metrics.csv"):
        (tmp_path / "site" / name).write_text("mine")
    ended = CliRunner().invoke(app, [*words, "--out", "site"])
    assert "Expected a new or empty folder" in ended.output + str(ended.exception)
    assert all(path.read_text() == "mine" for path in (tmp_path / "site").iterdir())


def test_an_experiment_of_another_name_keeps_its_tables(tmp_path):
    plans = [make_plan({"name": name, "jobs": [GROUP]}) for name in ("one", "two")]
    results = Results(tmp_path / "e")
    results.open(plans[0], {})
    results.open(plans[0], {})
    with pytest.raises(BadInput, match="holds the experiment 'one', got 'two'"):
        results.open(plans[1], {})
    assert results.plan().name == "one"
