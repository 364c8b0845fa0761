"""Names on the command line: what `zeuxis list` shows, the named configurations, and the recipes of `zeuxis train`."""

import re

import pytest
from PIL import Image
from typer.testing import CliRunner

import zeuxis.lab.train
from zeuxis import configs
from zeuxis.cli.main import app
from zeuxis.config import RunConfig, TrainConfig
from zeuxis.errors import BadInput, UnknownName
from zeuxis.evaluation.metrics import METRICS
from zeuxis.lab import recipe_files
from zeuxis.scorers import SCORERS
from zeuxis.search import SEARCHES


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("generators", ["pocket", "toy"]),
        ("scorers", list(SCORERS)),
        ("judges", ["pocket", "toy"]),
        ("searches", [*SEARCHES, "pymoo:NAME"]),
        ("recipes", recipe_files.names()),
        ("configs", ["pocket-ga", "pocket-de", "pocket-ga-thesis", "toy-ga"]),
        ("templates", ["photo", "product", "plain"]),
        ("metrics", list(METRICS)),
    ],
)
def test_list_shows_every_name_and_what_it_is(what, names):
    rows = dict(line.split(maxsplit=1) for line in zeuxis_("list", what).output.splitlines())
    assert set(names) <= set(rows) and all(rows.values())


def test_list_suggests_what_can_be_listed():
    result = zeuxis_("list", "generator")
    assert result.exit_code == 2 and "Did you mean generators" in result.output


@pytest.mark.parametrize("name", configs.names())
def test_every_named_config_is_a_configuration(name):
    assert RunConfig(**configs.fields(name)).search in SEARCHES


def test_a_named_config_takes_any_search():
    assert configs.fields("toy-pymoo:GA")["search"] == "pymoo:GA"


# train


@pytest.fixture
def lab(tmp_path):
    """A recipe for a tiny classifier and eight pictures in two classes."""
    for split, kind, shade in [(s, k, 90 * i) for s in ("train", "test") for i, k in enumerate(("dark", "light"))]:
        (tmp_path / "data" / split / kind).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (32, 32), (shade + number,) * 3).save(tmp_path / "data" / split / kind / f"{number}.png")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'task = "classifier"\ndata = "folder"\nabout = "tiny"\nimages = 16\nbatch = 8\nprecision = "fp32"\n'
        "checkpoint_every = 8\nreport_every = 8\n[options]\nwidths = [4, 4, 4]\nlr = 1e-3\n"
    )
    return ["train", recipe, "--data", tmp_path / "data", "--out", tmp_path / "out", "--device", "cpu"]


def test_train_runs_a_recipe_and_the_same_command_goes_on(lab, tmp_path):
    first = zeuxis_(*lab)
    assert first.exit_code == 0, first.output
    assert str(tmp_path / "out/export/judge.safetensors") in first.output and "images         16" in first.output
    longer = zeuxis_(*lab, "--images", "24")
    assert longer.exit_code == 0 and re.findall(r"^images +(\d+)", longer.output, re.MULTILINE) == ["24"]


def test_an_interrupted_training_says_how_it_goes_on(lab, monkeypatch):
    def interrupted(*args, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(zeuxis.lab.train, "train", interrupted)
    result = zeuxis_(*lab)
    assert result.exit_code == 130 and "same command again" in result.output


def test_train_refuses_unknown_recipes_and_missing_data(tmp_path):
    unknown = zeuxis_("train", "pocket-gam", "--data", tmp_path)
    missing = zeuxis_("train", "pocket-gan", "--data", tmp_path / "nowhere")
    assert unknown.exit_code == 2 and "Did you mean pocket-gan" in unknown.output
    assert missing.exit_code == 2 and "--data" in missing.output


@pytest.mark.parametrize("name", recipe_files.names())
def test_every_recipe_can_be_read(name):
    assert isinstance(recipe_files.load(name), TrainConfig) and recipe_files.about()[name]


@pytest.mark.parametrize(
    "text", ["images = ", 'task = "gan"', 'task = "gan"\nimages = 5\nwings = 2', "\x00", "images = -1"]
)
def test_a_file_that_is_no_recipe_is_refused(text, tmp_path):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadInput, match=r"bad\.toml"):
        recipe_files.load(tmp_path / "bad.toml")


def test_a_recipe_is_a_name_or_a_path(tmp_path):
    with pytest.raises(BadInput, match=r"recipe in TOML that can be read, got '.*No such file"):
        recipe_files.load(tmp_path / "nowhere.toml")
    with pytest.raises(UnknownName, match=r"Known: .*pocket-gan"):
        recipe_files.load("nowhere")
