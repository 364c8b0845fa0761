"""What a user is told before a run: what the generator can draw, and what pulls against what."""

import pytest
from run_helpers import generate

from zeuxis.config import RunConfig
from zeuxis.hub.header import Model
from zeuxis.prompts.auto import advise, preview, settle
from zeuxis.prompts.coverage import closeness, draws, kinds_near, model_vocabulary, pocket_vocabulary
from zeuxis.run import RunFolder, check_config

POCKET = (
    *("a frog", "a red fire truck", "a taxi", "a golden retriever", "a parrot", "two horses on grass", "a cruise ship"),
)
PRODUCTS = (
    *("sneakers", "a red high heel", "a leather handbag", "gold earrings", "a necktie", "running shoes", "a purse"),
)
NEITHER = (
    *("a snowy mountain", "a dragon", "a pizza", "a laptop", "an elephant", "a house", "a tree", "a helicopter"),
    *("a sea horse", "a bicycle", "a castle", "a portrait of a woman", "a city skyline at night", "love", "a hot dog"),
    "the dog house",
)


@pytest.fixture(scope="module")
def pocket():
    return pocket_vocabulary("generator", "kinds of animal and vehicle")


@pytest.fixture(scope="module")
def products():
    return pocket_vocabulary("products", "kinds of product")


@pytest.fixture(scope="module")
def imagenet():
    return model_vocabulary(Model("file", "biggan-deep", {"generator": {"num_classes": 1000}}))


def test_what_a_generator_was_trained_on(pocket, products):
    for known, own, others in ((pocket, POCKET, PRODUCTS), (products, PRODUCTS, POCKET)):
        assert [text for text in own if not draws(text, known)] == []
        assert [text for text in (*others, *NEITHER) if draws(text, known)] == []


@pytest.mark.parametrize(
    ("phrase", "kinds"),
    [
        ("a black wrist watch", ("black watches",)),
        ("a pair of sunglasses", ("Sunglasses",)),  # no colour is named
        ("a red shoe", ("red casual shoes", "red sports shoes")),  # there are no red formal shoes
        ("a shoe", ("Casual Shoes", "Formal Shoes", "Sports Shoes")),
        ("a navy blue and white sports shoe", ("navy blue sports shoes", "white sports shoes")),  # and not blue ones
        ("a gray scarf on a red chair", ("grey scarves",)),
        ("a purple clutch bag", ("purple clutches",)),  # of "a laptop bag" and others the last word
        ("a bottle of perfume", ("Perfume and Body Mist",)),
        ("a crimson heel", ("Heels",)),
        ("a red panda", ()),
    ],
)
def test_kinds_and_colours_of_products_that_a_phrase_asks_for(products, phrase, kinds):
    assert kinds_near([phrase], products) == kinds
    known = set(products.kinds) | {f"{colour} {kind}".lower() for kind, of in products.colours.items() for colour in of}
    assert {kind.lower() for kind in kinds} <= known


def test_imagenet_is_known_by_its_names_and_everyday_words(imagenet):
    assert imagenet.what == "the 1,000 classes of ImageNet"
    assert all(
        draws(text, imagenet) for text in ("a goldfish", "a cat", "a pizza", "a green sports car", "two castles")
    )
    assert not any(draws(text, imagenet) for text in ("a dragon", "a unicorn", "a robot", "happiness"))


def test_the_labels_of_a_trained_generator_are_read_from_its_file():
    def known(labels):
        return model_vocabulary(Model("file", "gan-dcgan", {"generator": {}}, about={"labels": labels}))

    flowers = known({"class": ["Red_Rose", "Tulips", "daisy"], "colour": ["red"]})
    assert flowers.labels == ("daisy", "red rose", "tulips") and flowers.what == "3 labels"
    assert draws("a yellow tulip", flowers) and not draws("a truck", flowers)
    assert closeness("a truck", flowers)[0] < 0.65
    for nameless in ({}, {"digit": list("0123456789")}, {"class": ["n01440764", "n01443537"]}):
        assert known(nameless) is None
    assert model_vocabulary(Model("file", "stylegan2", {"generator": {"c_dim": 0}})) is None


def test_a_phrase_that_the_named_generator_cannot_draw_is_noted_once():
    (note,) = advise(RunConfig(prompt=("a snowy mountain",), generator="pocket-products"))
    assert note.startswith(
        "pocket-products was trained on 82 kinds of product; 'a snowy mountain' is not among them (nea"
    )
    for prompt in (("a handbag",), ("a handbag", "at night:0.5"), ("a handbag:2", "snow"), ("on grass", "a purse")):
        assert advise(RunConfig(prompt=prompt, generator="pocket-products")) == []
    assert advise(RunConfig(prompt=("a snowy mountain",), generator="toy")) == []  # it has no labels
    assert advise(RunConfig(image_prompt=("a.png",), generator="pocket")) == []


def test_a_negative_that_is_nearly_the_phrase_is_noted():
    (note,) = advise(RunConfig(prompt=("a frog",), negative=("frogs",), generator="pocket"))
    assert note == "'frogs' is to be avoided and is nearly the same as 'a frog': the two pull against each other."
    for away in ("a dog", "a toad", "grass"):
        assert advise(RunConfig(prompt=("a frog",), negative=(away,), generator="pocket")) == []


def test_a_preview_says_what_the_run_will(tmp_path):
    config, _ = settle(RunConfig(prompt=("ein rotes Haus",), generator="pocket"))
    assert preview(config, check_config(config)) == [
        "pocket was trained on 395 kinds of animal and vehicle; 'ein rotes Haus' is not known to be among them.",
        "'ein rotes Haus' does not look like English, which the scorer was trained on: say it in English.",
    ]
    config, why = settle(RunConfig(prompt=("a dragon",), generations=0, population=4, augment=0))
    said = preview(config, check_config(config))
    assert len(said) == 1 and "'a dragon' is not among them" in said[0]
    generate("a dragon", generations=0, population=4, augment=0, out=tmp_path / "run")
    assert {*why, *said} <= set(RunFolder(tmp_path / "run").notes)
