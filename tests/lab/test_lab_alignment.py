"""Phrases, truth, imagined classes and figures of the alignment task. Its loop is tested with all tasks' loops."""

import pytest
import torch

from zeuxis.data import ImageSet
from zeuxis.evaluation.retrieval import against, hard_foils, hits, random_foils, vote, word_hits
from zeuxis.lab.captions import Writer, joined, phrase, plural, truth
from zeuxis.lab.features import cached_features
from zeuxis.lab.imagined import Imagined, pooled_span
from zeuxis.lab.pair_losses import mixed, pairwise_sigmoid, soft_infonce
from zeuxis.lab.pairs import (
    KEPT_OUT,
    SOLE_NAMES,
    SOURCES,
    UNSEEN,
    class_nouns,
    class_number,
    collect,
    short_title,
    with_classes,
)
from zeuxis.lab.shop_words import COLOUR_WORDS
from zeuxis.rng import stream
from zeuxis.scorers.pocket_features import pocket_features

TYPES, SHADES = ("Heels", "Watches"), ("Navy Blue", "Red")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Four products: every type in both colours."""
    labels = {"type": torch.tensor([0, 0, 1, 1]), "colour": torch.tensor([0, 1, 0, 1])}
    titles = ("Catwalk Women Navy Heels", "Catwalk Women Red Heels", "Puma Men Navy Watch", "Puma Men Red Timepiece")
    pixels = torch.full((4, 32, 32, 3), 255, dtype=torch.uint8)
    images = ImageSet(pixels, labels, {"type": TYPES, "colour": SHADES}, titles)
    return collect([("products", images)], tmp_path_factory.mktemp("none"))


def test_what_is_true_of_a_product(pairs):
    nouns = [pairs.nouns[k] for k in pairs.fits[0].tolist() if k >= 0]
    assert {"heel", "high heel", "footwear"} <= set(nouns) and "watch" not in nouns
    assert [COLOUR_WORDS[k] for k in pairs.colours[0].nonzero().flatten().tolist()] == [
        "blue",
        "dark blue",
        "navy blue",
    ]
    assert pairs.titles == ["navy heels", "red heels", "navy watch", "red"]  # no brand, and no word kept for testing


def test_a_true_phrase_is_true_and_a_title_of_its_own_picture_alone(pairs):
    rng, writer, rows = stream(0, "t"), Writer(pairs), [0, 1, 2, 3] * 30
    true = writer.true(rows, rng)
    fits, _ = truth(pairs, torch.tensor(rows), true)
    assert bool((fits.diag() == 1).all())
    titled = (true.title == 1).nonzero().flatten()
    assert len(titled) and fits[0, titled].max() == 0 and fits[1, titled].min() == 1


def test_foils_are_mostly_false(pairs):
    writer, rows = Writer(pairs), [0, 1, 2, 3]
    true = writer.true(rows, stream(0, "t"))
    both = joined(true, writer.foils(rows, true, 200, stream(1, "t")))
    fits, _ = truth(pairs, torch.tensor(rows), both)
    assert len(both.texts) == 204 and float(fits[:, 4:].mean()) < 0.4 and float(fits[:, :4].diag().min()) == 1


def test_phrases_in_words():
    blue = COLOUR_WORDS.index("blue")
    assert phrase("sneaker", blue) == "a blue sneaker"
    assert phrase("sneaker", blue, draws=(0.0, 0.05, 1.0)) == "a pair of blue sneakers"
    assert phrase("orange", draws=(0.0, 1.0, 1.0)) == "an orange"
    assert [plural(w) for w in ("watch", "berry", "toy", "heels", "bottle of perfume")] == [
        "watches", "berries", "toys", "heels", "bottle of perfume",
    ]  # fmt: skip


def test_names_of_imagenet_classes():
    assert class_number("goldfish") == 1 and class_number("crane") == 517 and class_number("no such") == -1
    nouns = class_nouns(207)
    assert nouns[0] == "golden retriever" and {"dog", "animal"} <= set(nouns)
    assert not any(KEPT_OUT.search(noun) for noun in class_nouns(301)) and "ladybug" in class_nouns(301)
    assert short_title("Nike Women Air Rift Grey Shoes") == "air rift grey shoes"


def test_classes_without_pictures_get_rows(pairs):
    more = with_classes(pairs)
    assert len(more.fits) == 1004 and more.nouns[: len(pairs.nouns)] == pairs.nouns and "tench" in more.nouns
    assert more.nouns[int(more.fits[4, 0])] == "tench" and not bool(more.colours[4:].any())
    assert set(more.source.tolist()) == {SOURCES.index("products"), -1}


def test_an_imagined_class_is_taken_for_itself():
    """Features drawn from the model of linear discriminant analysis: the means of unseen classes are found."""
    net, rng = pocket_features(32), stream(0, "lda")
    start, stop = pooled_span()
    numbers = torch.arange(600) % 20
    noise = torch.randn(600, net.width, generator=rng)
    weight = net.mobilenet.head.kernel.flatten(1)
    weight = weight - weight.mean(0)
    features = noise.clone()
    features[:, start:stop] += 3 * weight[numbers]
    imagined = Imagined(net, features, numbers)
    made = imagined.draw(features[:50], numbers[:50], torch.arange(500, 550), torch.ones(50))
    found = (made[:, start:stop] @ weight.T).argmax(1)
    assert imagined.agreement > 0.3 and float((found == torch.arange(500, 550)).float().mean()) > 0.2  # chance: 0.001


def test_features_are_kept_and_views_differ(tmp_path):
    pixels = torch.randint(0, 256, (300, 8, 8, 3), dtype=torch.uint8, generator=stream(0, "pixels"))
    calls = []

    def features(x):
        calls.append(len(x))
        return x.flatten(1)

    one = cached_features(pixels, features, "net", 0, tmp_path)
    count = len(calls)
    two = cached_features(pixels, features, "net", 0, tmp_path)
    assert torch.equal(one, two) and len(calls) == count and len(list(tmp_path.glob("*.npy"))) == 1
    assert not torch.equal(one, cached_features(pixels, features, "net", 1, tmp_path))
    assert len(cached_features(pixels, features, "other", 0, tmp_path)) == 300 and one.dtype == torch.float16


def test_figures_of_retrieval():
    scores = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.2, 0.6]])
    assert hits(scores, torch.tensor([0, 1]), 1) == 1 and hits(scores, torch.tensor([0, 1]), 3) == 2
    assert against(torch.tensor([0.5, 0.5]), torch.tensor([[0.4, 0.1], [0.6, 0.0]])) == 1
    kinds = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)]
    hard = hard_foils(kinds, 2, stream(0, "foils"))
    assert sorted(hard[0].tolist()) == [1, 2] and hard[4].tolist() == [-1, -1]
    assert all(kinds[j] != kinds[i] for i, row in enumerate(random_foils(kinds, 9, stream(0, "f"))) for j in row)
    train = torch.eye(3)
    assert vote(train, torch.tensor([0, 1, 2]), train, 3, neighbours=1).argmax(1).tolist() == [0, 1, 2]
    found = word_hits({"a": torch.tensor([1.0, 0.0])}, torch.tensor([0, 1]), {"a": {0}})
    assert found == (1, 1.0)


def test_losses_of_pairs():
    fits = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    right, wrong = 20 * fits, 20 * (1 - fits)
    for loss, low in ((soft_infonce, 0.6), (pairwise_sigmoid, 3.0)):
        assert float(loss(right - 10, fits)) < low < float(loss(wrong - 10, fits))
    assert float(soft_infonce(right, fits)) == pytest.approx(torch.tensor(2.0).log().item() / 4, abs=1e-3)


def test_mixup_mixes_both_sides_alike():
    x, s = torch.eye(4), torch.cat([torch.eye(4), torch.ones(2, 4)])
    mixed_x, mixed_s, fits = mixed(x, s, torch.eye(4, 6), stream(3, "mix"))
    torch.testing.assert_close(mixed_x, mixed_s)
    torch.testing.assert_close(fits, mixed_x @ mixed_s.T)


def test_test_words_are_in_no_name_of_a_class():
    names = [noun for number in range(1000) for noun in class_nouns(number)]
    known = {word for word in UNSEEN for name in names if word.lower() in name.split()} - set(SOLE_NAMES)
    assert not known
