"""Code of the user's own by `module:factory`: used where he says it, never imported because a file says it."""

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis import plugins
from zeuxis.cli.main import app
from zeuxis.errors import BadInput
from zeuxis.experiments import worker
from zeuxis.pictures.metadata import PictureInfo
from zeuxis.run import RunFolder
from zeuxis.search import SEARCHES
from zeuxis.storage.checksummed import checksummed_json, verified_json
from zeuxis.workflows import generate

TOY = ("--config", "toy-ga", "--population", "4", "--generations", "1", "--seed", "7", "--precision", "fp32")
CODE = """
from pathlib import Path

Path("imported").touch()

from zeuxis.generators.toy import ToyGenerator
from zeuxis.scorers.toy import ToyJudge, ToyScorer
from zeuxis.search.random import RandomSearch, random


class Half:
    def __init__(self, device=None):
        pass
"""


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module in the current folder that no other test has imported; `imported` appears when it is."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CODE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(plugins, "_trusted", set())
    yield name
    sys.modules.pop(name, None)


def imported():
    return Path("imported").exists()


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished run of the toy models."""
    folder = tmp_path_factory.mktemp("plugins") / "run"
    assert zeuxis_("generate", "a red disc", *TOY, "--out", folder, "--quiet").exit_code == 0
    return folder


def received(run, module, field, factory):
    """A run folder whose run.json names code: as if it came from somebody else."""
    shutil.copytree(run, "run")
    path = RunFolder("run").record_path
    record = {name: value for name, value in verified_json(path).items() if name != "sha256"}
    value = f"{module}:{factory}"
    record["config"][field] = [value] if field == "scorer" else value
    path.write_bytes(checksummed_json(record))
    return value


FIELDS = [("search", "random"), ("generator", "ToyGenerator"), ("scorer", "ToyScorer"), ("judge", "ToyJudge")]


@pytest.mark.parametrize(("field", "factory"), FIELDS)
def test_a_received_run_imports_nothing_until_the_user_repeats_its_name(run, module, field, factory):
    value = received(run, module, field, factory)
    for words in (("resume", "run"), ("generate", "a red disc", "--out", "run"), ("show", "run")):
        result = zeuxis_(*words)
        assert result.exit_code == (0 if words[0] == "show" else 2) and not imported(), words
    refused = zeuxis_("resume", "run", "--generations", 2)
    assert f"repeat it on the command line: --{field} {value}" in " ".join(refused.output.split())
    other = zeuxis_("resume", "run", f"--{field}", f"{module}:Half")  # what is repeated must be what the run names
    assert other.exit_code == 2 and "The folder holds a run with" in other.output and not imported()
    zeuxis_("resume", "run", f"--{field}", value)
    assert imported()


@pytest.mark.parametrize("name", ["os:system", "subprocess:Popen", "zeuxis.plugins:trust"])
def test_a_received_run_calls_nothing_of_python(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    received(run, *name.split(":")[:1], "search", name.split(":")[1])
    result = zeuxis_("resume", "run", "--generations", 2)
    assert result.exit_code == 2 and f"--search {name}" in result.output


def test_a_received_picture_imports_nothing(module):
    info = PictureInfo("a", (0.0,) * 8, f"{module}:ToyGenerator", "0" * 64, 1, 1, None, 4, "fp32", "cpu")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save("p.png", pnginfo=info.to_png_info())
    for words in (("replay", "p.png"), ("arithmetic", "p.png + p.png")):
        result = zeuxis_(*words)
        assert result.exit_code == 2 and "--generator" in result.output and not imported(), words
    zeuxis_("replay", "p.png", "--generator", f"{module}:ToyGenerator")
    assert imported()


def test_a_received_recipe_imports_nothing(module, tmp_path):
    (tmp_path / "r.toml").write_text(f'task = "{module}:Half"\nimages = 8\n', encoding="utf-8")
    (tmp_path / "data").mkdir()
    assert zeuxis_("train", "r.toml", "--data", "data").exit_code == 2 and not imported()


def test_a_received_experiment_imports_nothing(module, tmp_path):
    small = ("--phrase", "red", "--seeds", 1, "--population", 4, "--generations", 2, "--generator", "toy")
    small = (*small, "--scorer", "toy", "--judge", "none", "--precision", "fp32", "--out", "all")
    assert zeuxis_("compare", "--search", "random", "--baseline", "random", *small).exit_code == 0
    design = json.loads((tmp_path / "all/design.json").read_text(encoding="utf-8"))
    design["variants"].append(f"{module}:random")
    design["held_out"] = [f"{module}:ToyScorer"]
    (tmp_path / "all/design.json").write_text(json.dumps(design), encoding="utf-8")
    zeuxis_("compare", "--search", "random", "--baseline", "random", *small)
    assert not imported()
    shutil.rmtree("all")
    result = zeuxis_("compare", "--search", f"{module}:random", "--baseline", "random", *small)
    assert result.exit_code == 0 and imported(), result.output


def test_a_search_of_ones_own_is_used_from_python_and_resumed(module):
    summary = generate(
        "red",
        generator="toy",
        scorer="toy",
        judge=None,
        search=f"{module}:random",
        population=4,
        generations=1,
        out="o",
    )
    assert imported() and RunFolder("o").config.search == f"{module}:random" and summary.generations == 2
    report = (summary.folder / "report.html").read_text(encoding="utf-8")
    assert f"--search {module}:random" in report.partition("resume")[2]


@pytest.mark.parametrize(
    ("flag", "name", "said"),
    [
        ("--search", "no_such_module:Walk", "No module named 'no_such_module'"),
        ("--search", "MODULE:Missing", "has no class or function 'Missing'"),
        ("--search", "MODULE:Half", "lacks ask, batch, best"),
        ("--generator", "MODULE:Half", "lacks describe, device, name, render"),
        ("--scorer", "MODULE:Half", "lacks device, name, prepare, score"),
        ("--judge", "MODULE:Half", "lacks device, name, prepare, score"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(module, flag, name, said):
    if flag == "--search" and name.endswith("Half"):
        code = "class Half:\n    def __init__(self, space, population=4, device=None):\n        pass\n"
        Path(f"{module}.py").write_text(code, encoding="utf-8")
    result = zeuxis_("generate", "red", *TOY, flag, name.replace("MODULE", module), "--out", "x")
    assert result.exit_code == 2 and said in " ".join(result.output.split()), result.output
    assert not Path("x").exists()


def test_worker_processes_are_told_what_the_user_said(module):
    plugins.trust([f"{module}:random step=1", "ga", None])
    name, threads = plugins.trusted(), torch.get_num_threads()
    plugins._trusted.clear()
    worker.begin(worker.Setup(threads, name))
    assert plugins.trusted() == (f"{module}:random",)


def test_trust_is_given_to_names_only():
    found = [
        plugins.reference_in(said) for said in ("a.b:C", "a:C:0.5", "a:C step=1", "a:C-x", "pocket", "1:2", "a:", "")
    ]
    assert found == ["a.b:C", "a:C", "a:C", "", "", "", "", ""]


def test_a_plugin_of_an_installed_package_is_listed_with_its_origin(module, tmp_path):
    info = tmp_path / "walks-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walks\nVersion: 1.2\nSummary: Walks about\n")
    (info / "entry_points.txt").write_text(
        f"[zeuxis.searches]\nwalks = {module}:random\nga = os:system\nbad:name = os:x\n"
    )
    sys.path.append(str(tmp_path))
    importlib.invalidate_caches()
    plugins.installed.cache_clear()
    try:
        listed = dict(line.split(maxsplit=1) for line in zeuxis_("list", "searches").output.splitlines())
        assert listed["walks"] == "Walks about  [plugin of walks 1.2]" and not imported()
        assert "genetic" in listed["ga"] and "bad:name" not in listed  # a plugin stands in for nothing of the program
        assert zeuxis_("generate", "a red disc", *TOY, "--search", "walks", "--out", "run", "--quiet").exit_code == 0
        assert imported() and zeuxis_("resume", "run", "--generations", 2).exit_code == 0  # it was installed on purpose
        with pytest.raises(BadInput, match="Did you mean walks"):
            SEARCHES.check("walk")
    finally:
        plugins.installed.cache_clear()
