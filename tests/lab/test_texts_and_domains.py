"""Conditions that are made from data: captions as vectors (StackGAN), a second domain (CoGAN), labels as domains."""

import pytest
import torch
from lab_helpers import recipe, write_products

from zeuxis.config import RunConfig
from zeuxis.data import ImageSet, read_images
from zeuxis.errors import BadInput, UnknownName, WeightsRefused
from zeuxis.generators.lab import LabGenerator
from zeuxis.hub.model_file import build, checksum, read_model, tensors_of
from zeuxis.hub.pocket import pocket_path
from zeuxis.hub.sentences import Sentences
from zeuxis.lab import exports
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.domains import captioned, chosen, edges, negative, read_texts, second_domain, selected, text_vectors
from zeuxis.lab.penalties import Conditioning
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.gan import dcgan
from zeuxis.prompts.auto import settle
from zeuxis.prompts.start import near_labels
from zeuxis.rng import stream
from zeuxis.scorers.base import Phrase, Prompt

CPU = torch.device("cpu")
TEXTS = {"texts": True, "labels": None, "resolution": 16}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return write_products(tmp_path_factory.mktemp("shop"))


def task_of(name, folder, **options):
    data = "mnist" if name == "cogan" else "products"
    return Adversarial(Lab(recipe(name, data=data, options=options), folder, CPU, torch.float32))


def test_edges_and_negatives_by_hand():
    picture = torch.zeros(1, 5, 5, 1, dtype=torch.uint8)
    picture[0, 2, 2] = 200
    found = edges(picture)
    ring = torch.zeros(5, 5, dtype=torch.uint8)
    ring[1:4, 1:4], ring[2, 2] = 200, 0
    assert torch.equal(found[0, :, :, 0], ring)
    assert not edges(torch.full((1, 4, 4, 3), 7, dtype=torch.uint8)).any()
    assert negative(picture)[0, 2, 2] == 55 and negative(negative(picture)).equal(picture)


def test_where_keeps_the_kinds_that_it_names_numbered_alike(data):
    both = tuple(read_images("cifar10", data, split) for split in ("train", "test"))
    wanted = both[0].names["class"][2], both[0].names["class"][0]
    for before, after in zip(both, selected(*both, {"class": wanted}), strict=True):
        old = [before.names["class"][k] for k in before.labels["class"].tolist()]
        rows = [row for row, word in enumerate(old) if word in wanted]
        assert 0 < len(rows) < len(before) and torch.equal(after.pixels, before.pixels[rows])
        assert after.names["class"] == wanted
        assert [wanted[k] for k in after.labels["class"].tolist()] == [old[row] for row in rows]
        terms = [before.names["term"][k] for k in before.labels["term"][rows].tolist()]
        assert [after.names["term"][k] for k in after.labels["term"].tolist()] == terms
        assert set(after.names["term"]) == set(terms)  # no word is left of which there is no picture
    task = task_of_class(data, where={"class": list(wanted)})
    assert task.words["class"] == wanted and task.facts["classes"][0] == 2


def test_where_names_what_the_data_lack(data):
    with pytest.raises(UnknownName, match="zebra"):
        task_of_class(data, where={"class": ["zebra"]})
    with pytest.raises(UnknownName, match="colour"):
        task_of_class(data, where={"colour": ["red"]})
    with pytest.raises(BadInput, match="found none"):
        task_of_class(data, where={"class": []})
    both = tuple(read_images("cifar10", data, split) for split in ("train", "test"))
    first = both[0].labels["class"] == 0
    term = both[0].names["term"][int(both[0].labels["term"][~first][0])]
    with pytest.raises(BadInput, match="found none"):
        selected(*both, {"class": [both[0].names["class"][0]], "term": [term]})


def test_renamed_labels_are_exported_under_the_new_word(data):
    plain = read_images("cifar10", data)
    first, second = plain.names["class"][:2]
    task = task_of_class(data, where={"class": [second, first]}, rename={"class": {first: "kitten"}})
    assert task.words["class"] == (second, "kitten") and plain.names["class"][0] == first
    with pytest.raises(UnknownName, match="zebra"):
        task_of_class(data, rename={"class": {"zebra": "horse"}})
    with pytest.raises(UnknownName, match="label of the data"):
        task_of_class(data, rename={"colour": {"red": "pink"}})
    with pytest.raises(BadInput, match="got an empty one"):
        task_of_class(data, rename={"class": {first: " "}})
    with pytest.raises(BadInput, match="start beside transfer"):
        task_of_class(data, transfer=True)
    with pytest.raises(BadInput, match="twice"):
        task_of_class(data, rename={"class": {first: second}})


def task_of_class(data, **options):
    return Adversarial(Lab(recipe("stylegan2", options=options), data, CPU, torch.float32))


def test_every_other_picture_is_of_the_second_domain(data):
    plain = read_images("mnist", data)
    both = second_domain(plain, "negative")
    assert torch.equal(both.pixels[::2], plain.pixels[::2]) and torch.equal(both.pixels[1::2], 255 - plain.pixels[1::2])
    assert list(both.labels) == ["class", "domain"] and both.names["domain"] == ("picture", "negative")
    assert both.labels["domain"][:4].tolist() == [0, 1, 0, 1] and "domain" not in plain.labels
    with pytest.raises(UnknownName, match="edges"):
        recipe_options = {"second_domain": "edge", "labels": ["domain"]}
        task_of("cogan", data, **recipe_options)


def test_the_sample_sheet_shows_each_latent_in_both_domains(data):
    task = task_of("cogan", data)
    z, y = task.watch.grid(task)
    one, two = (y[:, 0] == k for k in (0, 1))
    assert int(one.sum()) == int(two.sum()) == task.columns and torch.equal(z[one], z[two])


def test_captions_are_labels_and_data_without_are_refused(shop, data):
    images = captioned(read_images("products", shop))
    assert list(images.labels) == ["caption"]
    assert all(images.names["caption"][k] == c for k, c in zip(images.labels["caption"], images.captions, strict=True))
    with pytest.raises(BadInput, match="captions for the option texts"):
        captioned(read_images("cifar10", data))
    with pytest.raises(BadInput, match='architecture = "stackgan"'):
        read_texts(["a"], dcgan.Generator(16), dcgan.Discriminator(16))


def test_vectors_of_texts_keep_what_is_near():
    texts = ["red shoes", "crimson shoes", "a green bag", "a blue watch", "red shoes"]
    found, mean, axes = text_vectors(texts, 3)
    assert found.shape == (5, 3) and torch.allclose(found.mean(0), torch.zeros(3), atol=1e-5)
    assert float(found.square().mean()) == pytest.approx(1, abs=1e-4) and torch.allclose(found[0], found[4], atol=1e-5)
    apart = torch.cdist(found, found)
    assert apart[0, 1] < apart[0, 2] and apart[0, 1] < apart[0, 3]
    path = pocket_path("scorer")
    assert Sentences(CPU).sha256 == checksum(tensors_of(path, "text")) == read_model(path).tensors_sha256["text"]
    again = (Sentences(CPU)(texts) - mean) @ axes
    assert torch.allclose(again, found, atol=1e-4)
    assert text_vectors(texts[:2], 400)[0].shape == (2, 400)


def test_the_vector_of_a_text_is_the_same_to_the_bit_in_any_company():
    colours, things = ("red", "green", "blue", "grey"), ("shoe", "wrist watch", "hat", "flower pot", "owl")
    texts = [f"{start}{colour} {thing}" for start in ("", "a ") for colour in colours for thing in things]
    together = Sentences(CPU)(texts)
    in_turn, backwards = Sentences(CPU), Sentences(CPU)
    assert torch.equal(torch.cat([in_turn([text]) for text in texts]), together)
    assert torch.equal(backwards(texts[::-1]).flip(0), together)


def test_a_stackgan_of_titles_is_searched_by_phrases(shop, tmp_path, monkeypatch):
    task = task_of("stackgan", shop, **TEXTS)
    titles = task.words["caption"]
    wanted, _, _ = text_vectors(titles, 6)
    for net in task.nets.values():
        assert torch.equal(net.labels(torch.arange(len(titles))[:, None]), wanted)
    lines = [task.step(step, progress) for step, progress in enumerate((0.0, 0.4, 0.6, 0.8))]
    assert all(line["conditioning"] > 0 for line in lines) and len({frozenset(line) for line in lines}) == 1
    task.export(task.nets, tmp_path)
    generator = LabGenerator(tmp_path / "stackgan.safetensors")
    assert set(generator.labels) == {title.lower() for title in titles}
    assert read_model(generator.path).parts["generator"]["progress"] == 0.8
    x, near = near_labels(generator.space, Prompt((Phrase("red shoes"),)), 4, stream(0, "near"))
    assert near[0] == "red shoes" and generator.render(x).shape == (4, 3, 16, 16)
    settled = settle(RunConfig(prompt=("red shoes",), generator=str(generator.path), start="labels"))[0]
    assert settled.start == "labels" and "text" not in settled.generator_options
    monkeypatch.setattr(exports, "MOST_ROWS", 3)
    task.export(task.nets, tmp_path)
    assert len(LabGenerator(tmp_path / "stackgan.safetensors").labels) == 3


def test_a_stackgan_draws_an_own_phrase(shop, tmp_path):
    task = task_of("stackgan", shop, **TEXTS)
    task.step(0, 0.9)
    task.export(task.nets, tmp_path)
    path = tmp_path / "stackgan.safetensors"
    settled = settle(RunConfig(prompt=("a crimson shoe",), negative=("a bag",), generator=str(path)))[0]
    assert settled.generator_options == {"text": "a crimson shoe"} and settled.start != "labels"
    generator, mixing = LabGenerator(path, text="a crimson shoe"), LabGenerator(path)
    assert generator.space.dim == task.generator.z_dim < mixing.space.dim
    told = build(path).labels.of(Sentences(CPU)(["a crimson shoe"]))
    assert torch.equal(generator.told, told)
    x = generator.space.sample(3, stream(0, "x"))
    with torch.no_grad():
        wanted = (build(path)(x, told.expand(3, -1)) / 2 + 0.5).clamp(0, 1)
    assert torch.allclose(generator.render(x), wanted, atol=1e-5)
    title = mixing.labels[0]
    captions = [word.lower() for word in mixing.words["caption"]]
    own = LabGenerator(path, text=mixing.words["caption"][captions.index(title)]).told
    assert torch.allclose(own, task.generator.labels.get_buffer("table0")[captions.index(title)], atol=1e-3)
    with pytest.raises(BadInput, match="either a text or captions"):
        LabGenerator(path, text="a shoe", classes=[title])
    of_labels = task_of("cgan", shop)
    of_labels.export(of_labels.nets, tmp_path)
    with pytest.raises(BadInput, match="trained on labels, not captions"):
        LabGenerator(tmp_path / "cgan.safetensors", text="a seven")


def test_a_stackgan_of_another_text_tower_is_refused(shop, tmp_path, monkeypatch):
    task = task_of("stackgan", shop, **TEXTS)
    task.export(task.nets, tmp_path)
    monkeypatch.setattr(Sentences, "__init__", with_other_sha256(Sentences.__init__))
    with pytest.raises(WeightsRefused, match="another text tower"):
        LabGenerator(tmp_path / "stackgan.safetensors", text="a shoe")


def with_other_sha256(made):
    def init(self, device):
        made(self, device)
        self.sha256 = "0" * 64

    return init


def test_stage_one_is_trained_first_and_then_stage_two_alone(shop):
    task = task_of("stackgan", shop, **TEXTS)

    def moved(step, progress):
        before = {name: p.clone() for net in task.nets.values() for name, p in net.named_parameters()}
        task.step(step, progress)
        after = {name: p for net in task.nets.values() for name, p in net.named_parameters()}
        return {name.split(".")[0] for name, p in after.items() if not torch.equal(p, before[name])}

    assert moved(0, 0.1) == {"first"} and moved(1, 0.9) == {"second"} and moved(2, 0.9) == {"second"}


def test_the_discriminator_is_shown_wrong_texts(shop, monkeypatch):
    """Real, generated and mismatched pictures weigh 1, 1/2 and 1/2; without the option nothing is mismatched."""
    asked = []
    for on in (True, False):
        task = task_of("stackgan", shop, mismatched=on, **TEXTS)
        seen = []
        inner = task._judge
        monkeypatch.setattr(
            task, "_judge", lambda x, y, seen=seen, inner=inner, **k: seen.append(y) or inner(x, y, **k)
        )
        task.step(0, 0.0)
        asked.append(seen)
    (real, _, wrong, _), plain = asked
    assert torch.equal(wrong, real.roll(1, 0)) and len(plain) == 3


def test_the_penalty_on_conditions_reaches_the_weights_and_needs_them(shop, data):
    task = task_of("stackgan", shop, **TEXTS)
    z, y = task.latents(stream(0, "z"), 4)
    value = Conditioning()(task.generator, z, y, stream(0, "p"))
    assert torch.allclose(value, task.generator.divergence(y).mean())
    value.backward()
    assert bool(task.generator.second.augment.linear.weight.grad.any())
    with pytest.raises(BadInput, match='architecture = "stackgan"'):
        task_of("cogan", data, generator_penalties={"conditioning": {"weight": 1.0}})


def test_domains_are_numbered_in_the_order_asked_for():
    pixels = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 2, 2, 3)
    labels = {"type": torch.tensor([0, 0, 1, 1, 0, 0]), "colour": torch.tensor([0, 1, 2, 0, 1, 2])}
    names = {"type": ("Shoes", "Bags"), "colour": ("Red", "Blue", "Grey")}
    images = ImageSet(pixels, labels, names, tuple("abcdef"))
    found, domains = chosen(images, "colour", ("Grey", "Red"), {"type": ("Shoes",)})
    assert domains == ("Grey", "Red") and found.labels["colour"].tolist() == [1, 0]
    assert found.pixels[:, 0, 0, 0].tolist() == [0, 5] and found.captions == ("a", "f")
    every, domains = chosen(images, "colour", (), {})
    assert domains == ("Red", "Blue", "Grey") and len(every) == 6


def test_exports_of_both_are_whole(data, tmp_path):
    task = task_of("cogan", data)
    task.export(task.nets, tmp_path)
    digits = build(tmp_path / "cogan.safetensors")
    assert digits.shares_latents and read_model(tmp_path / "cogan.safetensors").about["labels"] == {
        "domain": ["picture", "edges"]
    }


@pytest.mark.long
def test_both_stages_come_nearer_to_eight_pictures(data, monkeypatch):
    """At some time each: an adversarial training of eight pictures goes to and fro."""
    monkeypatch.setattr(ImageSet, "__len__", lambda images: min(8, images.pixels.shape[0]))
    adam = {part: {"lr": 2e-3, "betas": [0.0, 0.99]} for part in ("generator", "discriminator")}
    small = {"text_dim": 6, "condition": 4, "width": 8}
    nets = {"generator": small | {"z_dim": 8, "second_width": 32, "blocks": 1}, "discriminator": small}
    options = nets | {"optimizers": adam, "flip": False}
    task = Adversarial(Lab(recipe("stackgan", batch=16, options=options), data, CPU, torch.float32))
    real = task.train.batch(torch.arange(8))

    def apart(progress):
        task.progress = progress
        z, y = task.latents(stream(0, "look"), 64)
        drawn = task.draw(task.generator.train(), z, y) * 2 - 1
        return float(torch.cdist(drawn.flatten(1), real.flatten(1)).min(1).values.mean())

    before, found = (apart(0.0), apart(1.0)), []
    for step in range(120):
        task.step(step, step / 120)
        if step % 15 == 14:
            found.append((apart(0.0), apart(1.0)))
    assert all(min(stage) < 0.8 * first for stage, first in zip(zip(*found, strict=True), before, strict=True))
