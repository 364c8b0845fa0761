"""Generators of the training lab from their files: names of labels, what is drawn, and headers that somebody forged."""

import inspect
import json

import pytest
import torch
from lab_helpers import GANS
from safetensors.torch import load_file, save_file

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.generators.lab import MOST_ROWS, LabGenerator, names_of_rows
from zeuxis.hub.model_file import Part, read_model, write_model
from zeuxis.nets import NETWORKS
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.rng import stream
from zeuxis.spaces import Normal

SHOP = {"type": ("casual shoes", "heels", "bag"), "colour": ("red", "navy blue", "Gold")}
ROWS = [[0, 0], [0, 1], [1, 0], [2, 1], [2, 2]]
NAMES = ("red casual shoes", "navy blue casual shoes", "red heels", "navy blue bag", "gold bag")
COUNTS = [4, 1, 2, 2, 1]


def model_file(folder, name="stylegan2", labels=SHOP, rows=ROWS, counts=COUNTS, channels=3, parts=("generator",)):
    """A file like those of the lab, of networks that were never trained."""
    size = 32 if name in ("pocket", "projected", "vision-aided") else 16
    facts = {"resolution": size, "classes": [len(words) for words in labels.values()], "channels": channels}
    torch.manual_seed(0)
    made = {}
    for kind, part in zip(ARCHITECTURES[name](), ("generator", "discriminator"), strict=True):
        own = facts | GANS[name][part]
        own |= {"normalised": False} if "normalised" in inspect.signature(kind).parameters else {}
        made[part] = Part(own, kind(**own).state_dict())
    about = {"labels": {kind: list(words) for kind, words in labels.items()}, "rows": rows, "counts": counts}
    made = {part: made[part] for part in parts}
    return write_model(folder / f"{name}.safetensors", f"gan-{name}", made, about=about, licence="public domain")


def forged(path, change):
    """The same file with another header."""
    header = json.loads(_facts(path))
    change(header)
    header.pop("header_sha256", None)
    save_file(load_file(path), path, {"facts": json.dumps(header)})
    return path


def _facts(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()["facts"]


@pytest.mark.parametrize(
    ("words", "rows", "expected"),
    [
        ({}, [[]], ("",)),
        ({"class": ("cat", "Dog")}, [[0], [1]], ("cat", "dog")),
        (SHOP, ROWS, NAMES),
        ({"class": ("truck", "dog"), "term": ("fire truck", "poodle")}, [[0, 0], [1, 1]], ("fire truck", "poodle")),
        (
            {"kind": ("animal", "device"), "word": tuple("abcdefghijk")},
            [*([0, k] for k in range(10)), [1, 0]],  # "a" is the name of two things: it says of which kind
            ("a animal", *"bcdefghij", "a device"),
        ),
        (
            {"kind": ("animal", "device"), "word": ("mouse", "cat")},
            [[0, 0], [1, 0], [0, 1]],  # two of three: the word does not imply its kind
            ("mouse animal", "mouse device", "cat animal"),
        ),
        (
            {"type": ("shoe",), "colour": ("red", "blue"), "size": ("small", "large")},
            [[0, a, b] for a in (0, 1) for b in (0, 1)],
            ("small red shoe", "large red shoe", "small blue shoe", "large blue shoe"),
        ),
    ],
)
def test_a_row_is_named_from_fine_to_coarse(words, rows, expected):
    assert names_of_rows(words, torch.tensor(rows, dtype=torch.long)) == expected


@pytest.mark.parametrize(
    ("classes", "ban", "left"),
    [
        ((), (), NAMES),
        (("red heels",), (), ("red heels",)),
        (("red",), (), ("red casual shoes", "red heels")),
        (("shoes red",), (), ("red casual shoes",)),
        (("RED", "bag"), (), ("red casual shoes", "red heels", "navy blue bag", "gold bag")),
        (("2",), (), ("navy blue bag", "gold bag")),
        (("0",), (), ("red casual shoes", "navy blue casual shoes")),
        ((), ("bag",), ("red casual shoes", "navy blue casual shoes", "red heels")),
        (("red",), ("heels",), ("red casual shoes",)),
        (("blue",), ("0",), ("navy blue bag",)),
    ],
)
def test_labels_are_chosen_by_name_word_or_number(classes, ban, left, tmp_path):
    generator = LabGenerator(model_file(tmp_path), classes=classes, ban=ban)
    assert generator.labels == left
    assert generator.rows.tolist() == [ROWS[NAMES.index(name)] for name in left]
    mix = generator.space.spaces[1]
    assert mix.labels == left and len(mix.embeddings) == len(left)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ("reed",)}, "Unknown class 'reed'. Did you mean red"),
        ({"classes": ("green heels",)}, "Unknown class 'green heels'. Did you mean red heels"),
        ({"classes": ("5",)}, "Unknown class '5'"),
        ({"classes": ("²",)}, "Unknown class '²'"),
        ({"classes": ("9" * 5000,)}, "Unknown class '999"),
        ({"classes": ("",)}, "Unknown class ''"),
        ({"ban": ("boots",)}, "class 'boots'. Known: casual shoes"),
        ({"classes": ("red",), "ban": ("shoes", "heels")}, "No label is left"),
    ],
)
def test_a_word_that_names_no_label_is_answered(options, said, tmp_path):
    with pytest.raises(BadInput, match=said) as refusal:
        make_generator(str(model_file(tmp_path)), **options)
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize(("options", "left"), [({"classes": ("heel",)}, "heels"), ({"classes": ("bags",)}, "bag")])
def test_a_label_may_be_asked_for_in_the_singular_or_plural(options, left, tmp_path):
    check_generator(str(model_file(tmp_path)), options)
    assert all(left in name for name in LabGenerator(model_file(tmp_path), **options).labels)


def test_a_label_that_others_are_kinds_of_is_all_of_them(tmp_path):
    labels = {"class": ["dog", "frog"], "term": ["beagle", "dog", "toad"]}
    path = model_file(tmp_path, labels=labels, rows=[[0, 0], [0, 1], [1, 2]], counts=[1, 1, 1])
    assert LabGenerator(path, classes=("dog",)).labels == ("beagle", "dog")
    assert LabGenerator(path, ban=("dog",)).labels == ("toad",)


@pytest.mark.parametrize("name", ["pocket", "toy", "file"])
def test_a_class_is_checked_before_a_network_is_loaded(name, tmp_path):
    name = str(model_file(tmp_path)) if name == "file" else name
    said = "'toy' has no classes to choose from" if name == "toy" else "Unknown class 'frogg'"
    with pytest.raises(BadInput, match=said):
        check_generator(name, {"classes": ("frogg",)})


def test_labels_are_drawn_as_often_as_they_occur(tmp_path):
    generator = LabGenerator(model_file(tmp_path))
    mix = generator.space.spaces[1]
    drawn = mix.sample(20_000, stream(0, "prior"))
    found = torch.bincount(torch.cdist(drawn, mix.places).argmin(1), minlength=5) / 20_000
    assert torch.allclose(found, torch.tensor(COUNTS) / 10, atol=0.015)
    assert torch.allclose(torch.cdist(drawn, mix.places).amin(1), torch.zeros(()), atol=1e-3)
    few = LabGenerator(generator.path, classes=("bag",)).space.spaces[1]  # 2 and 1 of 3
    share = (torch.cdist(few.sample(20_000, stream(0, "prior")), few.places).argmin(1) == 0).float().mean()
    assert share == pytest.approx(2 / 3, abs=0.015)


def test_a_latent_is_described_by_its_labels(tmp_path):
    generator = LabGenerator(model_file(tmp_path))
    z, mix = torch.zeros(5, 4), generator.space.spaces[1]
    for x, name in zip(torch.cat([z, mix.places], 1), NAMES, strict=True):
        assert generator.describe(x) == f"100 % {name}"
    half = torch.cat([z[0], (0.7 * mix.places[1] + 0.3 * mix.places[2])])
    assert generator.describe(half) == "70 % navy blue casual shoes, 30 % red heels"


def test_without_labels_there_is_nothing_but_noise(tmp_path):
    generator = LabGenerator(model_file(tmp_path, labels={}, rows=[[]], counts=[7]))
    assert isinstance(generator.space, Normal) and generator.labels == ("",) and generator.space.dim == 4
    x = generator.space.sample(3, stream(0, "x"))
    assert generator.render(x).shape == (3, 3, 16, 16) and generator.describe(x[0]) == ""
    with pytest.raises(BadInput, match="without classes: leave --class"):
        LabGenerator(generator.path, classes=("red",))


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp", "stylegan2"])
def test_grey_pictures_are_drawn_as_rgb(name, tmp_path):
    digits, both = {"class": tuple("0123456789")}, ("generator", "discriminator")
    rows = [[k] for k in range(10)]
    generator = LabGenerator(model_file(tmp_path, name, digits, rows, [1] * 10, channels=1, parts=both))
    images = generator.render(generator.space.sample(4, stream(0, "x")))
    assert images.shape == (4, 3, 16, 16) and torch.equal(images[:, 0], images[:, 1]) and images.std() > 0
    assert generator.realism(images).shape == (4,)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_bf16_draws_nearly_the_same(name, tmp_path):
    generator = LabGenerator(model_file(tmp_path, name, parts=("generator", "discriminator")))
    x = generator.space.sample(6, stream(0, "x"))
    full = generator.render(x)
    realism = generator.realism(full)
    generator.set_precision(torch.bfloat16)
    assert (generator.render(x) - full).abs().mean() < 0.02
    half = generator.realism(full)
    assert realism.dtype is half.dtype is torch.float32 and (half - realism).abs().max() < 0.1 + 0.1 * realism.std()
    assert bool(((full >= 0) & (full <= 1)).all()) and generator.licence == "public domain"


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_truncation_draws_styles_to_the_mean_of_their_condition(name, tmp_path):
    path = model_file(tmp_path, name)
    free = LabGenerator(path)
    x = free.space.sample(6, stream(0, "x"))
    x[:, 4:] = free.space.spaces[1].places[[0, 2, 4, 0, 2, 4]]  # three conditions twice, with other z
    if not free.layer_sizes():
        with pytest.raises(BadInput, match="from 1 to 1, got 0.7" if name == "biggan" else "leave truncation out"):
            LabGenerator(path, truncation=0.7)
        return
    assert torch.equal(LabGenerator(path, truncation=1).render(x), free.render(x))
    ends, middle = LabGenerator(path, truncation=0).styles(x), LabGenerator(path, truncation=0.25)
    assert torch.allclose(ends[:3], ends[3:], atol=1e-6) and (ends[0] - ends[1]).abs().max() > 1e-4
    many = free.space.sample(4000, stream(1, "x"))
    many[:, 4:] = x[0, 4:]
    mean, spread = free.styles(many).mean(0), free.styles(many).std(0)
    assert ((ends[0] - mean).abs() <= 0.5 * spread + 1e-6).all()  # 64 draws of z, half of them the other's negative
    assert torch.allclose(middle.styles(x), ends + 0.25 * (free.styles(x) - ends), atol=1e-5)
    assert torch.allclose(middle.render(x), free.draw(middle.styles(x)), atol=1e-5)


def test_truncation_of_a_biggan_is_a_factor_of_z(tmp_path, monkeypatch):
    monkeypatch.setitem(GANS["biggan"]["generator"], "n_stats", 11)
    free, near = (LabGenerator(model_file(tmp_path, "biggan"), truncation=psi) for psi in (None, 0.5))
    x = free.space.sample(4, stream(0, "x"))
    half = torch.cat([x[:, :4] * 0.5, x[:, 4:]], dim=1)  # statistics are the same everywhere: it was never trained
    assert torch.allclose(near.render(x), free.render(half), atol=1e-5) and not torch.allclose(
        near.render(x), free.render(x), atol=1e-3
    )
    with pytest.raises(BadInput, match=r"Expected truncation from 0\.1 to 1, got 1\.5"):
        LabGenerator(near.path, truncation=1.5)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_truncation_in_w_is_about_the_mean_of_all_styles(space, tmp_path):
    free, near = (LabGenerator(model_file(tmp_path), space=space, truncation=psi) for psi in (None, 0.5))
    x = free.space.sample(5, stream(0, "x"))
    centre = free.styles(torch.zeros(1, free.space.dim))
    assert torch.allclose(near.styles(x), centre + 0.5 * (free.styles(x) - centre), atol=1e-5)


def test_a_generator_without_a_discriminator_has_no_realism(tmp_path):
    generator = LabGenerator(model_file(tmp_path))
    with pytest.raises(WeightsRefused, match="holds generator of gan-stylegan2, no discriminator"):
        generator.realism(torch.zeros(1, 3, 16, 16))


def test_another_network_is_no_generator_of_the_lab(tmp_path):
    path = model_file(tmp_path, parts=("discriminator",))
    with pytest.raises(WeightsRefused, match="no generator"):
        LabGenerator(path)
    facts = {"classes": 3, "terms": 2, "widths": [4, 4, 4, 4]}
    trunk = Part(facts, NETWORKS["trunk/network"](**facts).state_dict())
    with pytest.raises(BadInput, match="draws no pictures"):
        make_generator(str(write_model(tmp_path / "trunk.safetensors", "trunk", {"network": trunk})))


HEADERS = {
    "no labels": lambda about: about.pop("labels"),
    "labels as a list": lambda about: about.update(labels=[["red"]]),
    "labels as a text": lambda about: about.update(labels="red"),
    "words as a number": lambda about: about["labels"].update(type=3),
    "too few words": lambda about: about["labels"].update(type=["heels"]),
    "one kind of label more": lambda about: about["labels"].update(size=["large"]),
    "no rows": lambda about: about.pop("rows"),
    "empty rows": lambda about: about.update(rows=[], counts=[]),
    "a row as a number": lambda about: about["rows"].__setitem__(0, 1),
    "a row too short": lambda about: about["rows"].__setitem__(0, [0]),
    "a row too long": lambda about: about["rows"].__setitem__(0, [0, 0, 0]),
    "a row out of range": lambda about: about["rows"].__setitem__(0, [3, 0]),
    "a huge row": lambda about: about["rows"].__setitem__(0, [2**70, 0]),
    "a negative row": lambda about: about["rows"].__setitem__(0, [-1, 0]),
    "a row of texts": lambda about: about["rows"].__setitem__(0, ["0", 0]),
    "a row of fractions": lambda about: about["rows"].__setitem__(0, [0.0, 0]),
    "a row of truths": lambda about: about["rows"].__setitem__(0, [True, 0]),
    "no counts": lambda about: about.pop("counts"),
    "fewer counts": lambda about: about["counts"].pop(),
    "counts of nothing": lambda about: about["counts"].__setitem__(0, 0),
    "negative counts": lambda about: about["counts"].__setitem__(0, -1),
    "huge counts": lambda about: about["counts"].__setitem__(0, 2**63),
    "counts as fractions": lambda about: about["counts"].__setitem__(0, 1.5),
    "counts as a number": lambda about: about.update(counts=5),
    "more rows than any": lambda about: about.update(rows=[[0, 0]] * (MOST_ROWS + 1), counts=[1] * (MOST_ROWS + 1)),
}


@pytest.mark.parametrize("change", list(HEADERS.values()), ids=list(HEADERS))
def test_a_forged_header_is_refused(change, tmp_path):
    path = forged(model_file(tmp_path), lambda header: change(header["about"]))
    with pytest.raises(WeightsRefused) as refusal:
        LabGenerator(path)
    assert len(str(refusal.value)) < 300 and "\n" not in str(refusal.value)


FACTS = [
    {"resolution": 2**30}, {"resolution": 24}, {"resolution": "16"}, {"classes": [3, 4]}, {"classes": [10**9, 3]},
    {"classes": "ab"}, {"classes": None}, {"channels": 1}, {"channels": 2}, {"channels": 10**9}, {"z_dim": 0},
    {"z_dim": -4}, {"z_dim": 10**12}, {"z_dim": "4"}, {"embed_dim": 7}, {"w_dim": 0}, {"mapping_layers": 0},
    {"mapping_layers": 10**9}, {"widths": [6, 6]}, {"widths": [6, 6, -4]}, {"widths": "664"}, {"widths": [[6], 6, 4]},
    {"depth": 3},
]  # fmt: skip


@pytest.mark.parametrize("facts", FACTS, ids=[str(facts) for facts in FACTS])
def test_forged_facts_are_refused(facts, tmp_path):
    path = forged(model_file(tmp_path), lambda header: header["parts"]["generator"].update(facts))
    with pytest.raises(WeightsRefused) as refusal:
        LabGenerator(path)
    assert len(str(refusal.value)) < 400


def test_a_file_may_leave_out_what_is_the_default(tmp_path):
    path = model_file(tmp_path, "pocket", parts=("generator", "discriminator"))
    forged(path, lambda header: [part.pop("resolution") for part in header["parts"].values()])
    assert "resolution" not in read_model(path).parts["generator"]
    generator = LabGenerator(path)
    assert generator.resolution == 32
    assert generator.render(generator.space.sample(2, stream(0, "x"))).shape == (2, 3, 32, 32)
