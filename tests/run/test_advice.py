"""What a user is told before a run: what the generator can draw, and what pulls against what."""

import pytest
from run_helpers import generate

from zeuxis.config import RunConfig
from zeuxis.hub.header import Model
from zeuxis.prompts.advice import advise, preview
from zeuxis.prompts.auto import settle
from zeuxis.prompts.coverage import closeness, draws, model_vocabulary, pocket_vocabulary
from zeuxis.prompts.kinds import Asked, kinds_near
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
    ("phrase", "drawn", "avoided"),
    [
        ("a cat without a hat", ("cat",), ("hat",)),
        ("a shoe, not red", ("Casual Shoes", "Formal Shoes", "Sports Shoes"), ("red",)),
        ("a white horse and no cat", ("horse",), ("cat",)),
        ("a watch with no numbers on a table", ("Watches",), ("numbers",)),
        ("no cats", (), ("cats",)),
        ("a no entry sign", (), ()),  # the name of a thing
        ("a pair of no show socks", ("Socks",), ()),
        ("a forget-me-not necklace", ("Necklace and Chains",), ()),
        ("a knotted scarf", ("Scarves",), ()),
    ],
)
def test_what_is_to_be_absent_is_not_drawn_and_is_said(phrase, drawn, avoided):
    config, _ = settle(RunConfig(prompt=(phrase,)))
    assert config.classes == drawn
    assert [note for note in advise(config) if "--negative" in note] == [
        'Scorers do not understand "no", "not" and "without": pictures with what '
        f"'{phrase}' is to be without score as well. Leave it out and avoid it by --negative '{what}'."
        for what in avoided
    ]


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
        ("a crimson heel", ("red heels",)),
        ("a red panda", ()),
        ("blue shoes, white background", ("blue casual shoes", "blue formal shoes", "blue sports shoes")),
        ("a red shoe isolated on white", ("red casual shoes", "red sports shoes")),
        ("a shoe that is red", ("red casual shoes", "red sports shoes")),
        ("red shoes and blue socks", ("red casual shoes", "red sports shoes", "blue socks")),
        ("a gold watch and a silver ring", ("gold watches", "silver ring")),  # each with its own colour
        ("a black and white scarf", ("black scarves", "white scarves")),
        ("a sneaker", ("Casual Shoes", "Sports Shoes")),
        ("a running shoe", ("Sports Shoes",)),
        ("a basketball shoe", ("Sports Shoes",)),  # and no ball
        ("an eye cream", ("Eye Cream",)),  # its cream is no colour
        ("a woman with a red handbag", ("red handbags",)),
        ("a scarf in red", ("red scarves",)),
        ("a navy tie", ("navy blue ties",)),
        ("off white socks", ("white socks",)),  # there are none of that shade
        ("a red handbag made of leather, 4k", ("red handbags",)),
        ("a glove compartment", ()),
        ("shoe polish", ()),
        ("hand bag", ("Handbags",)),
    ],
)
def test_kinds_and_colours_of_products_that_a_phrase_asks_for(products, phrase, kinds):
    assert kinds_near([phrase], products).kinds == kinds
    known = set(products.kinds) | {f"{colour} {kind}".lower() for kind, of in products.colours.items() for colour in of}
    assert {kind.lower() for kind in kinds} <= known


def test_what_a_phrase_asks_for_beside_what_can_be_drawn(products):
    assert kinds_near(["a red umbrella"], products) == Asked(("Umbrellas",), ("red umbrellas",), True)
    assert kinds_near(["a shoe", "red"], products) == kinds_near(["a red shoe"], products)
    assert kinds_near(["a shoe and a sock"], products).whole and not kinds_near(["a shoe and a castle"], products).whole
    assert kinds_near(["a shoe", "a castle"], products) == Asked()
    assert advise(RunConfig(prompt=("a red shoe and a blue bag",), generator="pocket-products")) == []


def test_classes_that_are_none_of_those_asked_for_are_noted():
    def notes(phrase, generator, *classes):
        return advise(RunConfig(prompt=(phrase,), generator=generator, classes=classes))

    assert notes("a blue bag", "pocket-products", "red sports shoes", "Heels") == [
        "Only red sports shoes and Heels (--class) is drawn, not blue duffel bag and blue messenger bag."
    ]
    assert notes("a taxi", "pocket", "truck") == ["Only truck (--class) is drawn, not automobile."]
    assert notes("a taxi", "pocket", "taxi") == notes("a taxi", "pocket", "1") == []
    assert notes("a blue heel", "pocket-products", "red heels") == []


def test_words_that_no_picture_has_are_none_of_a_vocabulary(pocket):
    assert not {"bus", "toy", "machine"} & set(pocket.labels) and {"truck", "taxi"} <= set(pocket.labels)
    assert settle(RunConfig(prompt=("a yellow bus",)))[0].generator == "pocket-things"


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
        "pocket was trained on 382 kinds of animal and vehicle; 'ein rotes Haus' is not known to be among them.",
        "'ein rotes Haus' does not look like English, which the scorer was trained on: say it in English.",
    ]
    config, why = settle(RunConfig(prompt=("a dragon",), generations=0, population=4, augment=0))
    said = preview(config, check_config(config))
    assert len(said) == 1 and "'a dragon' is not among them" in said[0]
    generate("a dragon", generations=0, population=4, augment=0, out=tmp_path / "run")
    assert {*why, *said} <= set(RunFolder(tmp_path / "run").notes)
