"""Every recipe of the package can be started, and says what it does."""

import json
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import torch

import zeuxis.lab
from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput
from zeuxis.lab.data import READERS
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab

RECIPES = sorted((Path(zeuxis.lab.__file__).parent / "recipes").glob("*.toml"))


def read(path):
    return TrainConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def defaults(task):
    return import_module(TASKS[task].__module__).DEFAULTS


def lab_of(config):
    return Lab(config, Path(), torch.device("cpu"), torch.float32)


def test_the_pocket_set_has_its_recipes():
    assert {"pocket-trunk", "pocket-gan", "pocket-text", "pocket-scorer", "pocket-judge"} <= {p.stem for p in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_asks_its_task_for_what_it_knows(path):
    config = read(path)
    assert config.about and config.images >= config.checkpoint_every >= config.report_every
    options = lab_of(config).options(defaults(config.task))
    assert options | config.options == options


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_options_of_a_recipe_have_the_types_of_the_defaults(path):
    config = read(path)
    known = defaults(config.task)
    for name, value in config.options.items():
        kinds = (int, float) if isinstance(known[name], float) else type(known[name])
        assert isinstance(value, kinds), name


def test_the_judge_shares_no_seed_with_what_the_search_is_told():
    seeds = {path.stem: read(path).seed for path in RECIPES}
    judge = seeds.pop("pocket-judge")
    assert judge not in seeds.values()


def test_an_unknown_option_is_refused_with_the_known_ones():
    config = TrainConfig(task="gan", images=1, options={"learning_rate": 1})
    with pytest.raises(BadInput, match="Unknown option learning_rate of task gan. Known: trunk, z_dim"):  # noqa: RUF043
        lab_of(config).options(defaults("gan"))


PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
def test_the_recipes_of_the_page_can_be_started(text):
    config = TrainConfig.model_validate(tomllib.loads(text))
    assert config.data in READERS and lab_of(config).options(defaults(config.task))


@pytest.mark.parametrize("task", list(TASKS))
def test_the_page_has_every_option_with_its_default(task):
    section = PAGE.read_text(encoding="utf-8").split(f'`task = "{task}"`')[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", section, re.MULTILINE)
    assert {name: json.loads(value) for name, value in rows} == defaults(task)
