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
from zeuxis.data import READERS
from zeuxis.errors import BadInput
from zeuxis.lab.adversarial_options import Options, options_of
from zeuxis.lab.objectives import OBJECTIVES
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.gan import ARCHITECTURES

RECIPES = sorted((Path(zeuxis.lab.__file__).parent / "recipes").glob("*.toml"))


def read(path):
    return TrainConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def defaults(task):
    """Options of a task by name; of "adversarial" as its model has them, those that must be given as null."""
    if task == "adversarial":
        return Options.model_construct(architecture=None).model_dump(mode="json")
    return import_module(TASKS[task].__module__).DEFAULTS


def lab_of(config):
    return Lab(config, Path(), torch.device("cpu"), torch.float32)


def accepted(config):
    """The options as the task takes them."""
    return options_of(config.options) if config.task == "adversarial" else lab_of(config).options(defaults(config.task))


def test_the_pocket_set_has_its_recipes():
    assert {"pocket-trunk", "pocket-gan", "pocket-text", "pocket-scorer", "pocket-judge"} <= {p.stem for p in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_asks_its_task_for_what_it_knows(path):
    config = read(path)
    assert config.about and config.images >= config.checkpoint_every >= config.report_every
    assert accepted(config)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_options_of_a_recipe_have_the_types_of_the_defaults(path):
    config = read(path)
    known = defaults(config.task)
    if config.task == "adversarial":
        assert options_of(config.options)  # checked by its model
        return
    for name, value in config.options.items():
        kinds = (int, float) if isinstance(known[name], float) else type(known[name])
        assert isinstance(value, kinds), name


def test_the_judge_shares_no_seed_with_what_the_search_is_told():
    seeds = {path.stem: read(path).seed for path in RECIPES}
    judge = seeds.pop("pocket-judge")
    assert judge not in seeds.values()


def test_an_unknown_option_is_refused_with_the_known_ones():
    config = TrainConfig(task="distil", images=1, options={"learning_rate": 1})
    with pytest.raises(BadInput, match=r"Unknown option of task distil 'learning_rate'\. .*Known: width, layers"):
        lab_of(config).options(defaults("distil"))
    with pytest.raises(BadInput, match="no 'learning_rate'.* Known: architecture"):  # noqa: RUF043
        options_of({"architecture": "dcgan", "learning_rate": 1})


GANS = [path for path in RECIPES if read(path).task == "adversarial"]


@pytest.mark.parametrize("path", GANS, ids=lambda path: path.stem)
def test_the_networks_of_a_recipe_can_be_built(path):
    options = options_of(read(path).options)
    size, channels, *labels = {"cifar10": (32, 3, 10, 396), "mnist": (28, 1, 10), "products": (64, 3, 82, 45)}[
        read(path).data
    ]
    classes = labels if options.labels is None else labels[: len(options.labels)]
    facts = {"resolution": options.resolution or size, "channels": options.channels or channels, "classes": classes}
    generator, discriminator = ARCHITECTURES[options.architecture]()
    assert generator(**facts, **options.generator).z_dim
    assert discriminator(**facts, **options.discriminator).classes == tuple(classes)
    assert options.objective in OBJECTIVES and set(options.penalties) <= set(PENALTIES)


IN_WORDS = {  # defaults that the page does not write as JSON
    "architecture": "", "resolution": "the data's own", "channels": "the data's own", "labels": "all",
    "optimizers": "lr 2e-4, betas [0, 0.99]", "trunk": "none", "start": "none",
}  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
def test_the_recipes_of_the_page_can_be_started(text):
    if text.startswith("[options]"):  # a part of the recipe that it names
        named = re.search(r"# ([\w-]+)\.toml", text).group(1)
        assert tomllib.loads(text)["options"] == read(RECIPES[0].parent / f"{named}.toml").options
        return
    config = TrainConfig.model_validate(tomllib.loads(text))
    assert config.data in READERS and accepted(config)


@pytest.mark.parametrize("task", list(TASKS))
def test_the_page_has_every_option_with_its_default(task):
    section = PAGE.read_text(encoding="utf-8").split(f'`task = "{task}"`')[1].split("\n## ")[0]
    table = section.split("| option | default | |")[-1]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) ?\|", table, re.MULTILINE)
    found = {name: value.strip() for names, value in rows for name in re.findall(r"`(\w+)`", names)}
    known = defaults(task)
    assert found.keys() == known.keys()
    in_words = IN_WORDS if task == "adversarial" else {}
    assert {name: json.loads(value) for name, value in found.items() if name not in in_words} == {
        name: value for name, value in known.items() if name not in in_words
    }
    assert {name: value for name, value in found.items() if name in in_words} == in_words
