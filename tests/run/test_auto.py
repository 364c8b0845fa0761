"""Which generator, scorer, judge and start "auto" becomes, and what the user is told."""

import pytest
import torch
from run_helpers import generate, resume

from zeuxis.config import RunConfig
from zeuxis.generators.pocket import Pocket, PocketProducts
from zeuxis.prompts.auto import settle
from zeuxis.prompts.members import MEMBERS
from zeuxis.prompts.start import near_labels
from zeuxis.rng import stream
from zeuxis.run import RunFolder
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.spaces import Normal

PHRASES = {
    "pocket-products": (
        "a red high heel",
        "a black wrist watch",
        "a pair of blue sneakers",
        "gold earrings",
        "a handbag",
    ),
    "pocket": (
        "a frog",
        "a red fire truck",
        "a white horse on grass",
        "a ship on blue water",
        "a kitten",
        "a yellow car",
    ),
    "pocket-things": (
        "a lemon",
        "a lighthouse by the sea",
        "a snowy mountain",
        "a yellow school bus",  # other generators draw a bus, this one a school bus
        "a red sports car",  # a word of two generators: the larger pictures
        "a penguin",
    ),
}

JEWELS = ("bangle", "bracelet", "earrings", "jewellery set", "necklace and chains", "pendant", "ring")


@pytest.mark.parametrize(("name", "phrase"), [(name, phrase) for name, of in PHRASES.items() for phrase in of])
def test_the_generator_is_the_one_whose_labels_are_nearest(name, phrase):
    config, notes = settle(RunConfig(prompt=(phrase,)))
    member = MEMBERS[name]
    assert (config.generator, config.scorer, config.judge) == (name, (member.scorer,), member.judge)
    assert config.start == "prior" and notes[0].startswith(f"The generator is {name}: ")
    assert (config.search, config.generations, bool(config.classes)) == ("samples", 10, True)
    assert "--search cma-ga breeds" in notes[1]


@pytest.mark.parametrize(
    ("phrases", "kinds"),
    [
        (["a yellow car"], ("automobile",)),
        (["a taxi in the rain"], ("automobile",)),
        (["a white horse on grass"], ("horse",)),
        (["a cat and a dog"], ("cat", "dog")),
        (["a jet", "a ship"], ("airplane", "ship")),
        (["a castle"], ()),  # none of them: the nearest thing of all kinds
        (["a cat", "a castle"], ()),
        (["a white horse on grass", "at night:0.5"], ("horse",)),  # what is no thing, or weighs less, chooses nothing
        (["a foal"], ("horse",)),  # the same class of ImageNet; the nearest word is "fawn"
    ],
)
def test_only_kinds_that_the_phrases_ask_for_are_drawn(phrases, kinds):
    config, notes = settle(RunConfig(prompt=tuple(phrases), generator="pocket"))
    assert config.classes == kinds and config.generations == (10 if kinds else 25)
    assert (", of " in notes[-1]) == bool(kinds) and all(kind in notes[-1] for kind in kinds)


def test_a_generator_with_one_kind_of_label_draws_those_that_are_asked_for():
    config, _ = settle(RunConfig(prompt=("a lemon", "an orange")))
    assert (config.generator, config.classes, config.generations) == ("pocket-things", ("lemon", "orange"), 10)


def test_products_are_drawn_of_the_kind_and_colour(tmp_path):
    config, notes = settle(RunConfig(prompt=("a pair of blue sneakers",)))
    assert (config.classes, config.start, config.truncation) == (
        ("blue casual shoes", "blue sports shoes"),
        "prior",
        0.6,
    )
    assert "of blue casual shoes and blue sports shoes alone" in notes[-1]
    bred, _ = settle(RunConfig(prompt=("a pair of blue sneakers",), search="cma-ga"))
    assert (bred.classes, bred.start, bred.truncation) == ((), "labels", None)
    run = tmp_path / "run"
    generate("a pair of blue sneakers", generations=0, population=4, augment=0, judge=None, seed=1, out=run)
    words = {row["description"] for row in RunFolder(run).summary()["population"]}
    assert words <= {"100 % blue casual shoes", "100 % blue sports shoes"}


@pytest.mark.parametrize(
    "fields", [{"ban": ("siamese cat",)}, {"start": "prior"}, {"search": "samples"}, {"generator": "pocket-products"}]
)
def test_kinds_are_drawn_as_told(fields):
    assert settle(RunConfig(**{"prompt": ("a cat",), "generator": "pocket"} | fields))[0].classes == ()
    said = settle(RunConfig(**{"prompt": ("a cat",), "generator": "pocket", "classes": ("dog",)}))[0]
    assert said.classes == ("dog",)


def test_draws_asked_for_by_name_are_of_all_kinds_and_that_is_said():
    said = settle(RunConfig(prompt=("a red car",), search="samples"))[1]
    assert said[-1] == (
        "The draws are of all kinds that pocket has. Without --search they are of automobile alone, at truncation 0.6."
    )
    for fields in ({"prompt": ("a castle",)}, {"classes": ("ship",)}, {"start": "prior"}, {"search": "ga"}):
        asked = RunConfig(**{"prompt": ("a red car",), "search": "samples", "generator": "pocket"} | fields)
        assert not any("all kinds" in note for note in settle(asked)[1])


def test_a_run_of_some_kinds_is_gone_on_with(tmp_path):
    few = {"population": 8, "augment": 0, "judge": None, "precision": "fp32", "seed": 1}
    generate("a red car", out=tmp_path / "run", generations=1, **few)
    resume(tmp_path / "run", generations=2)
    generate("a red car", out=tmp_path / "run", generations=3, **few)  # the same command, longer
    config = RunFolder(tmp_path / "run").config
    assert (config.classes, config.generations) == (("automobile",), 3)
    labels = RunFolder(tmp_path / "run").entry(2)
    assert labels.batch.x.shape[0] == 8


@pytest.mark.parametrize(
    ("fields", "search", "generations"),
    [
        ({"generations": 7}, "samples", 7),
        ({"search": "ga"}, "ga", 160),
        ({"options": {"sigma": 0.3}}, "cma-ga", 160),
        ({"unique": True}, "cma-ga", 160),
        ({"generator": "toy"}, "cma-ga", 160),
        ({"start": "prior"}, "samples", 25),
        ({"start": "bank"}, "cma-ga", 160),  # of which draws would use the first generation only
        ({"start": "sweep"}, "cma-ga", 160),
        ({"start": "labels"}, "cma-ga", 160),
        ({"warm": "warm.safetensors"}, "cma-ga", 160),
    ],
)
def test_the_search_is_the_generators_own_unless_more_is_told(fields, search, generations):
    config, _ = settle(RunConfig(prompt=("a red frog",), **fields))
    assert (config.search, config.generations) == (search, generations)


@pytest.mark.parametrize(
    ("fields", "truncation", "augment"),
    [
        ({}, 0.6, 8),
        ({"truncation": 0.9, "augment": 2}, 0.9, 2),
        ({"space": "w"}, None, 8),
        ({"start": "bank"}, None, RunConfig().augment),
        ({"search": "ga"}, None, RunConfig().augment),
        ({"generator": "pocket-products"}, 0.6, 8),
    ],
)
def test_the_draws_of_pocket_have_a_truncation_and_views_of_their_own(fields, truncation, augment):
    config, _ = settle(RunConfig(prompt=("a red frog",), **fields))
    assert (config.truncation, config.augment) == (truncation, augment)


def test_a_run_that_was_settled_is_found_again():
    settled, _ = settle(RunConfig(prompt=("a frog",), seed=1))
    again, notes = settle(RunConfig(prompt=("a frog",), seed=1), settled.model_dump(mode="json"))
    assert again == settled and notes == []
    old = {"truncation": None, "augment": 2}  # of a version before, whose draws were as trained
    again, _ = settle(RunConfig(prompt=("a frog",), seed=1), settled.model_dump(mode="json") | old)
    assert again == settled.model_copy(update=old)


def test_a_phrase_that_none_can_draw_is_told_so():
    config, notes = settle(RunConfig(prompt=("a castle",)))
    assert config.generator in MEMBERS and notes[0] == (
        f"None of the generators here was trained on such pictures; {config.generator} comes nearest."
    )


@pytest.mark.parametrize(
    ("phrases", "negative", "classes"),
    [
        (("an animal",), (), ("bird", "cat", "deer", "dog", "frog", "horse")),
        (("an animal",), ("a dog",), ("bird", "cat", "deer", "frog", "horse")),
        (("an animal but not a dog",), (), ("bird", "cat", "deer", "frog", "horse")),
        (("a gold piece of jewelry",), (), tuple(f"gold {one}" for one in JEWELS)),
        (("a shoe",), ("a sports shoe",), ("Casual Shoes", "Formal Shoes")),
        (("a jewellery set",), (), ("Jewellery Set",)),
        (("a sea animal",), (), ()),
        (("a stuffed animal",), (), ()),
    ],
)
def test_words_for_many_kinds_and_those_to_avoid(phrases, negative, classes):
    assert settle(RunConfig(prompt=phrases, negative=negative))[0].classes == classes


def test_the_label_that_chose_is_of_the_main_phrase():
    notes = settle(RunConfig(prompt=("a cat:1.5", "a dog:0.5")))[1]
    assert notes[0] == "The generator is pocket: its 'cat' is nearest to the phrase."


def test_what_is_named_is_left_alone():
    named = RunConfig(
        prompt=("a frog",),
        generator="pocket-products",
        scorer=("toy", "auto:0.5"),
        judge=None,
        start="prior",
        search="ga",
    )
    config, notes = settle(named)
    assert (config.generator, config.scorer, config.judge) == ("pocket-products", ("toy", "pocket-64:0.5"), None)
    assert config.start == "prior" and notes == []
    assert settle(config) == (config, [])


def test_only_positive_words_choose():
    assert settle(RunConfig(prompt=("a frog",), negative=("a red high heel",)))[0].generator == "pocket"


def test_weights_count_in_the_choice():
    assert settle(RunConfig(prompt=("a cat:0.1", "a red heel:2")))[0].generator == "pocket-products"
    assert settle(RunConfig(prompt=("a cat:2", "a red heel:0.1")))[0].generator == "pocket"


def test_the_classes_asked_for_choose_the_generator_that_has_them():
    assert settle(RunConfig(prompt=("a cat",), classes=("Heels",)))[0].generator == "pocket-products"
    assert settle(RunConfig(prompt=("a red heel",), classes=("dog",)))[0].generator == "pocket"


def test_a_resumed_run_keeps_what_was_chosen(tmp_path):
    generate("a brown handbag", generations=1, population=4, augment=0, seed=1, out=tmp_path / "run")
    record = RunFolder(tmp_path / "run").record
    assert record["config"]["generator"] == "pocket-products" and record["config"]["classes"] == ["brown handbags"]
    assert any(note.startswith("The generator is pocket-products") for note in record["notes"])
    assert resume(tmp_path / "run", generations=2).images > 4
    again = {**record["config"], "generator": "pocket"}
    assert settle(RunConfig(prompt=("a brown handbag",)), again)[0].generator == "pocket"


def test_a_start_at_labels_draws_from_the_nearest_ones():
    generator = PocketProducts(torch.device("cpu"))
    x, names = near_labels(generator.space, parse_prompt(("a green backpack",)), 16, stream(0))
    assert names[0] == "green backpacks" and x.shape == (16, generator.space.dim)
    mix = generator.space.spaces[1]
    found = torch.cdist(generator.space.split(x)[1], mix.places).argmin(1)
    assert {mix.labels[k] for k in found.tolist()} == set(names)
    assert torch.equal(generator.space.clip(x), x)


def test_a_start_at_labels_without_words_or_labels_is_the_prior():
    space, rng = Normal(4), stream(0)
    x, names = near_labels(space, parse_prompt(("a frog",)), 8, rng)
    assert x.shape == (8, 4) and names == []


def test_every_member_is_there_and_draws():
    for kind in (Pocket, PocketProducts):
        generator = kind(torch.device("cpu"))
        images = generator.render(generator.space.sample(2, stream(0)))
        assert images.shape == (2, 3, generator.resolution, generator.resolution)
        assert generator.realism(images).shape == (2,) and generator.describe(generator.space.sample(1, stream(0))[0])
