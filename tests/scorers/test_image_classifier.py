"""Published classifiers as judges: which class a prompt names, and what they say of a picture."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.convert import convert
from zeuxis.nets import imagenet_classes
from zeuxis.nets.resnet import ResNet
from zeuxis.scorers.base import Judge, Phrase, Prompt
from zeuxis.scorers.image_classifier import ImageClassifier

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def converted(net, folder, name="network"):
    torch.save(net.state_dict(), folder / f"{name}.pth")
    return convert(folder / f"{name}.pth", folder / f"{name}.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("classifiers")


@pytest.fixture(scope="module")
def cifar(folder):
    return ImageClassifier(convert(FIXTURES / "resnet20_cifar10" / "resnet20.pt", folder / "cifar.safetensors"))


@pytest.fixture(scope="module")
def imagenet(folder):
    torch.manual_seed(0)
    return ImageClassifier(converted(ResNet("basic", [1], [4], [4], 4, 7, 1000), folder, "imagenet"))


@pytest.fixture(scope="module")
def nameless(folder):
    return ImageClassifier(convert(FIXTURES / "resnet18_narrow" / "pytorch_model.bin", folder / "no.safetensors"))


def asked(judge, *texts):
    prepared = judge.prepare(Prompt(tuple(Phrase(text) for text in texts)))
    return [judge.classes[k] for k in prepared.labels]


def pictures(count, side=40):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_it_is_a_judge_and_says_who_it_is(cifar, folder):
    assert isinstance(cifar, Judge) and cifar.sha256 == file_sha256(folder / "cifar.safetensors")


def test_probabilities_are_the_softmax_of_the_references_logits(cifar):
    folder = FIXTURES / "resnet20_cifar10"
    images = load_file(folder / "inputs.safetensors")["image"].float() / 255
    expected = load_file(folder / "outputs.safetensors")["logits"].softmax(1)
    assert (cifar.probabilities(images) - expected).abs().max() < 1e-4
    verdict = cifar.verdict(images, cifar.prepare(Prompt((Phrase("a frog"),))))
    assert torch.allclose(verdict.score, expected[:, 6], atol=1e-4)
    assert verdict.label == tuple(cifar.classes[k] for k in expected.argmax(1).tolist())
    assert torch.allclose(verdict.confidence, expected.max(1).values, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a photo of a Ship, at sea", "ship"),
        ("two dogs", "dog"),
        ("a fire truck", "truck"),
        ("a red car", "automobile"),
        ("an aeroplane", "airplane"),
        ("ponies", None),
        ("a cattle fence", None),  # whole words only
        ("a cat and a dog", None),
        ("", None),
    ],
)
def test_words_name_the_classes_of_cifar(cifar, text, label):
    assert asked(cifar, text) == ([label] if label else [])


def test_negative_phrases_ask_for_nothing(cifar):
    prepared = cifar.prepare(Prompt((Phrase("a cat"), Phrase("a dog", -1.0))))
    assert prepared.labels == (3,) and not prepared.notes


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a tiger shark in the sea", ["tiger shark"]),  # and no tiger
        ("goldfish", ["goldfish"]),
        ("Tinca tinca", ["tench"]),
        ("an American black bear", ["American black bear"]),
        ("tabby cats", ["tabby"]),
        ("strawberries on a plate", ["strawberry"]),
        ("wolves", ["timber wolf", "white wolf", "red wolf"]),  # a group: zeuxis.scorers.imagenet_words
        ("a crane", ["crane (134)", "crane (517)"]),
        ("a yawl and a schooner", []),  # which of them?
        ("on a plate", ["plate"]),
        ("qwxzy", []),
    ],
)
def test_words_name_the_classes_of_imagenet(imagenet, text, labels):
    assert asked(imagenet, text) == labels
    if len(labels) > 1:
        images = pictures(2)
        prepared = imagenet.prepare(Prompt((Phrase(text),)))
        both = imagenet.probabilities(images)[:, list(prepared.labels)].sum(1)
        assert torch.allclose(imagenet.score(images, prepared), both) and "or" in prepared.notes[0]


def test_no_verdict_is_said_and_is_nan(cifar):
    prepared = cifar.prepare(Prompt((Phrase("a sofa"),)))
    assert "10 classes" in prepared.notes[0] and "no verdict" in prepared.notes[0]
    assert bool(cifar.score(pictures(3), prepared).isnan().all())


def test_a_phrase_may_be_a_picture(cifar):
    assert cifar.prepare(Prompt((Phrase(image=pictures(1)[0]),))).labels == ()


def test_any_size_is_read_and_neighbours_do_not_matter(imagenet, cifar):
    for judge in (imagenet, cifar):
        for shape in ((2, 3, 8, 8), (2, 3, 300, 256)):
            assert bool(judge.probabilities(torch.rand(shape)).isfinite().all())
        images, others = pictures(3), pictures(3).flip(0)
        others[1] = images[1]
        assert torch.equal(judge.probabilities(images)[1], judge.probabilities(others)[1])


def test_a_broken_picture_has_no_score(cifar):
    images = pictures(3)
    images[1] = torch.nan
    score = cifar.score(images, cifar.prepare(Prompt((Phrase("cat"),))))
    assert score.isnan().tolist() == [False, True, False]


def test_classes_without_names_have_numbers(nameless, folder):
    assert nameless.classes[3] == "class 3" and asked(nameless, "a class 3 storm") == []
    named = ImageClassifier(folder / "no.safetensors", labels=[f"thing{i}, stuff{i}" for i in range(12)])
    assert asked(named, "one stuff7") == ["thing7"]
    with pytest.raises(BadInput, match="Expected 12 names"):
        ImageClassifier(folder / "no.safetensors", labels=["cat"])


@pytest.mark.parametrize(
    "about",
    [{"mean": [0.5, 0.5]}, {"std": [0.0, 0.1, 0.1]}, {"std": "x"}, {"size": 10**6}, {"size": "9"}, {"crop": 0.0}],
)
def test_a_header_with_nonsense_is_refused(folder, tmp_path, cifar, about):
    path = folder / "cifar.safetensors"
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
    facts["about"] |= about
    del facts["header_sha256"]
    save_file(load_file(path), tmp_path / "bad.safetensors", {"facts": json.dumps(facts)})
    with pytest.raises(WeightsRefused, match="Convert it again"):
        ImageClassifier(tmp_path / "bad.safetensors")


def test_every_name_of_a_class_leads_to_it_or_to_one_of_the_same_name(imagenet):
    for number, row in enumerate(imagenet_classes.names()):
        if row[0] == "plane":  # in a prompt an aeroplane, in ImageNet a carpenter's tool
            continue
        assert imagenet.prepare(Prompt((Phrase(f"a {row[0]}"),))).labels in [
            labels for labels in imagenet.nouns.by_words.values() if number in labels
        ], row[0]


def test_the_list_of_imagenet_classes():
    names, labels = imagenet_classes.names(), imagenet_classes.labels()
    assert len(names) == 1000 == len(set(labels)) and names[0][0] == "tench" and names[999][0] == "toilet tissue"
    assert imagenet_classes.find(["goldfish", "281", "Crane"], labels) == [1, 134, 281, 517]
    with pytest.raises(BadInput, match="tabby"):
        imagenet_classes.find(["tabbby"], labels)
