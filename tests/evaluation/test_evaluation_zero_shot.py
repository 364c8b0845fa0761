"""Zero-shot figures on embeddings made by hand: the right answer is known."""

import pytest
import torch

from zeuxis.evaluation import zero_shot

CLASSES = ("cat", "dog", "truck")


def embedder(*words):
    """A phrase is the sum of the unit vectors of the words in it, length 1; other words say nothing."""

    def embed(texts):
        rows = [[float(word in text.split()) for word in words] for text in texts]
        return torch.nn.functional.normalize(torch.tensor(rows), dim=1)

    return embed


def test_articles():
    assert [zero_shot.with_article(noun) for noun in ("truck", "airplane")] == ["a truck", "an airplane"]


def test_class_accuracy_is_the_share_nearest_to_their_own_class():
    images = torch.eye(3)[[0, 1, 2, 2]]
    assert zero_shot.class_accuracy(images, torch.tensor([0, 1, 2, 0]), CLASSES, embedder(*CLASSES)) == 0.75


def test_term_retrieval_looks_at_the_first_and_the_first_five():
    names = ("one", "two", "three", "four", "five", "six")
    images = torch.tensor([[6.0, 5, 4, 3, 2, 1]] * 3)  # nearest to "one", then to "two", ...
    found = zero_shot.term_retrieval(images, torch.tensor([0, 4, 5]), names, embedder(*names))
    assert found == pytest.approx((1 / 3, 2 / 3))


def test_term_retrieval_with_few_terms():
    assert zero_shot.term_retrieval(torch.eye(2), torch.tensor([0, 1]), ("cat", "dog"), embedder("cat", "dog")) == (
        1,
        1,
    )


def synonyms_of(*names):
    return {word for name in names for word in zero_shot.SYNONYMS[name]}


def as_class(texts):
    """Phrases of a synonym land on their class."""
    rows = []
    for text in texts:
        noun = text.removeprefix("a photo of ").partition(" ")[2]
        rows.append([float(noun in zero_shot.SYNONYMS[name]) for name in CLASSES])
    return torch.tensor(rows)


def test_every_synonym_of_a_perfect_encoder_finds_its_class():
    labels = torch.arange(3).repeat_interleave(100)
    assert zero_shot.synonym_accuracy(torch.eye(3)[labels], labels, CLASSES, as_class) == (1, 1)


def test_an_encoder_that_mixes_up_two_classes_is_seen():
    labels = torch.arange(3).repeat_interleave(100)
    seen = torch.eye(3)[torch.tensor([1, 0, 2])[labels]]  # cats look like dogs and dogs like cats
    assert zero_shot.synonym_accuracy(seen, labels, CLASSES, as_class) == pytest.approx((1 / 3, 1 / 3))


def test_few_images_and_an_empty_class_are_no_problem():
    labels = torch.tensor([0, 0, 1])
    found, precision = zero_shot.synonym_accuracy(torch.eye(3)[labels], labels, CLASSES, as_class)
    assert found == pytest.approx(2 / 3)  # no truck to find
    assert precision == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)


def test_classes_without_synonyms_are_left_out():
    assert zero_shot.synonym_accuracy(torch.eye(2), torch.tensor([0, 1]), ("zero", "one"), as_class) == (0, 0)


def test_colours_are_asked_of_images_with_a_clear_one():
    names = ("red", "blue")
    embed = embedder(*names, "cat", "dog")
    images = embed(["red cat", "blue cat", "red dog", "blue dog"])
    colours = torch.tensor([0, 0, 0, -1])  # the second is taken for the wrong colour, the last has none
    found = zero_shot.colour_accuracy(images, ["cat", "cat", "dog", "dog"], colours, names, embed)
    assert found == pytest.approx(2 / 3)


def test_no_clear_colour_gives_zero():
    embed = embedder("red", "cat")
    assert zero_shot.colour_accuracy(embed(["cat"]), ["cat"], torch.tensor([-1]), ("red",), embed) == 0


def test_the_synonyms_are_four_other_words_for_each_class_of_cifar():
    words = [word for name in zero_shot.SYNONYMS for word in zero_shot.SYNONYMS[name]]
    assert len(words) == len(set(words)) == 40
    assert not set(words) & set(zero_shot.SYNONYMS)
    assert synonyms_of("truck") == {"lorry", "eighteen-wheeler", "heavy goods vehicle", "flatbed"}
