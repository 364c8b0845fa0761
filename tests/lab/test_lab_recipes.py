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
from zeuxis.errors import BadInput, UnknownName
from zeuxis.lab import recipe_files, translation_parts
from zeuxis.lab.adversarial_options import Options, idle, options_of
from zeuxis.lab.adversarial_setup import build_networks, build_objective
from zeuxis.lab.objectives import OBJECTIVES
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab

CHECKED = {"adversarial": options_of, "translation": translation_parts.options_of}
MODELS = {"adversarial": Options, "translation": translation_parts.Options}
RECIPES = sorted((Path(zeuxis.lab.__file__).parent / "recipes").glob("*.toml"))


def read(path, variant="cpu"):
    return recipe_files.load(path.stem, variant=variant)


def every():
    """Each recipe in each of its variants."""
    cases = [(path, variant) for path in RECIPES for variant in recipe_files.variants(path.stem)]
    return [pytest.param(path, variant, id=f"{path.stem}-{variant}") for path, variant in cases]


def defaults(task):
    """Options of a task by name; of those with a model as it has them, those that must be given as null."""
    if task in CHECKED:
        return MODELS[task].model_construct(architecture=None).model_dump(mode="json")
    return import_module(TASKS[task].__module__).DEFAULTS


def lab_of(config):
    return Lab(config, Path(), torch.device("cpu"), torch.float32)


def accepted(config):
    """The options as the task takes them."""
    check = CHECKED.get(config.task)
    return check(config.options) if check else lab_of(config).options(defaults(config.task))


def test_the_pocket_set_has_its_recipes():
    assert {"pocket-trunk", "pocket-gan", "pocket-text", "pocket-scorer", "pocket-judge"} <= {p.stem for p in RECIPES}


@pytest.mark.parametrize(("path", "variant"), every())
def test_a_recipe_asks_its_task_for_what_it_knows(path, variant):
    config = read(path, variant)
    assert len(path.read_text(encoding="utf-8").splitlines()) < 30
    assert config.about and config.images >= config.checkpoint_every >= config.report_every
    assert accepted(config)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_options_of_a_recipe_have_the_types_of_the_defaults(path):
    config = read(path)
    known = defaults(config.task)
    if config.task in CHECKED:
        assert accepted(config)  # by its model
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


SHAPES = {
    "cifar10": (32, 3, 10, 396),
    "mnist": (28, 1, 10),
    "fashion-mnist": (28, 1, 10),
    "folder": (64, 3, 7),
    "products": (64, 3, 82, 45),
    "tiny-imagenet": (64, 3, 160),
    "afhq-cat": (128, 3),
}
GANS = [case for case in every() if read(case.values[0]).task == "adversarial"]


@pytest.mark.parametrize(("path", "variant"), GANS)
def test_the_networks_of_a_recipe_can_be_built(path, variant):
    config = read(path, variant)
    options = options_of(config.options)
    size, channels, *labels = SHAPES[config.data]
    classes = labels if options.labels is None else labels[: len(options.labels)]
    facts = {"resolution": options.resolution or size, "channels": options.channels or channels, "classes": classes}
    generator, discriminator = build_networks(options, facts)
    assert generator.z_dim and discriminator.classes == tuple(classes)
    assert build_objective(options, discriminator, len(classes))
    assert options.objective in OBJECTIVES and set(options.penalties) <= set(PENALTIES)
    assert idle(options, labelled=bool(classes)) == []


def test_options_that_change_nothing_are_told():
    of = {"architecture": "dcgan", "balance": 0.3, "burn_in": 0.5, "adaptive": {"target": 0.4}}
    told = idle(options_of(of), labelled=False)
    assert [note.split()[2] for note in told] == ["balance", "adaptive", "burn_in"]
    assert told[0] == "The option balance has no effect: the pictures have no labels."
    some = of | {"augmentation": ["adaptive"], "penalties": {"r1": {"weight": 1, "weight_end": 0.1}}}
    assert idle(options_of(some), labelled=True) == []


def test_a_variant_changes_what_it_names_and_nothing_else():
    plain, gpu = (recipe_files.load("r3gan-cifar10", variant=name).model_dump() for name in ("cpu", "gpu"))
    options, of_gpu = plain.pop("options"), gpu.pop("options")
    assert {k for k in plain if plain[k] != gpu[k]} == {"images", "batch", "checkpoint_every"}
    assert {k for k in options if options[k] != of_gpu[k]} == {"generator", "discriminator"}
    assert of_gpu["generator"] == options["generator"] | {"widths": [192] * 4}


def test_what_is_no_variant_is_refused(tmp_path):
    with pytest.raises(UnknownName, match=r"variant of r3gan-cifar10 'gpus'\. Did you mean gpu"):
        recipe_files.load("r3gan-cifar10", variant="gpus")
    path = tmp_path / "mine.toml"
    path.write_text('task = "adversarial"\nimages = 1\nvariants = 3\n')
    with pytest.raises(BadInput, match="variants to be tables"):
        recipe_files.load(path)


def test_recipes_that_were_renamed_are_still_found():
    for old, new in recipe_files.RENAMED.items():
        assert recipe_files.load(old) == recipe_files.load(new)


def test_each_variant_has_a_folder_of_its_own():
    folders = {str(recipe_files.default_folder("a.toml", variant)) for variant in ("cpu", "gpu")}
    assert folders == {"runs/recipe-a", "runs/recipe-a-gpu"}


IN_WORDS = {  # defaults that the page does not write as JSON
    "architecture": "", "resolution": "the data's own", "channels": "the data's own", "labels": "all",
    "optimizers": "lr 2e-4, betas [0, 0.99]", "adaptive": "target 0.6, length 500,000", "trunk": "none",
    "start": "none", "second_domain": "none",
}  # fmt: skip
OTHER = {"translation": {"optimizers": "lr 2e-4, betas [0.5, 0.999]"}}
PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
def test_the_recipes_of_the_page_can_be_started(text):
    if text.startswith("[options]"):  # a part of the recipe that it names
        named = re.search(r"# ([\w-]+)\.toml", text).group(1)
        assert tomllib.loads(text)["options"] == recipe_files.load(named).options
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
    in_words = IN_WORDS | OTHER.get(task, {}) if task in CHECKED else {}
    assert {name: json.loads(value) for name, value in found.items() if name not in in_words} == {
        name: value for name, value in known.items() if name not in in_words
    }
    assert {k: v for k, v in found.items() if k in in_words} == {k: v for k, v in in_words.items() if k in known}
