"""The pocket judge of a thousand classes: which classes everyday words name, what it sees, and its features."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from zeuxis.errors import BadInput
from zeuxis.nets import imagenet_classes
from zeuxis.nets.mobilenet import POCKET, load_pocket
from zeuxis.scorers import imagenet_words
from zeuxis.scorers.base import Judge, Phrase, Prompt
from zeuxis.scorers.choose import make_judge
from zeuxis.scorers.image_classifier import ImageClassifier
from zeuxis.scorers.imagenet_judge import MobileNetJudge

THESIS = {
    "a banana": 954, "a cash machine": 480, "a hammer": 587, "ice cream": 928, "a llama": 355, "a miniskirt": 655,
    "a pirate": 724, "a shopping cart": 791, "a wall clock": 892, "a Kerry blue terrier": 183,
}  # fmt: skip


@pytest.fixture(scope="module")
def judge():
    return MobileNetJudge()


def asked(judge, text):
    return judge.prepare(Prompt((Phrase(text),)))


def names(judge, text):
    return [judge.classes[k] for k in asked(judge, text).labels]


def pictures(count, height=64, width=64, seed=0):
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, (height, width), mode="bilinear")


def clock():
    """A drawn dial: (1, 3, 64, 64)."""
    picture = Image.new("RGB", (64, 64), "white")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((6, 6, 58, 58), outline="black", width=3)
    for hour in range(12):
        x, y = 32 + 21 * math.sin(hour * math.pi / 6), 32 - 21 * math.cos(hour * math.pi / 6)
        pen.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill="black")
    pen.line((32, 32, 32, 14), fill="black", width=2)
    pen.line((32, 32, 44, 38), fill="black", width=2)
    return torch.tensor(list(picture.tobytes())).view(1, 64, 64, 3).permute(0, 3, 1, 2) / 255


def test_it_is_in_the_table_and_says_who_it_is(judge):
    made = make_judge("mobilenet-v1")
    assert isinstance(made, MobileNetJudge) and isinstance(made, Judge) and made.name == "mobilenet-v1"
    assert len(judge.classes) == 1000 and judge.size == 160 and made.sha256 == judge.sha256


@pytest.mark.parametrize(("text", "label"), THESIS.items())
def test_the_ten_classes_of_the_thesis_are_known(judge, text, label):
    assert asked(judge, text).labels == (label,)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a cat", range(281, 286)),
        ("kittens on a sofa", range(281, 286)),
        ("two dogs", range(151, 269)),
        ("a bird", [*range(7, 25), *range(80, 101), *range(127, 147)]),
        ("a frog", range(30, 33)),
        ("a red car", [436, 468, 511, 609, 627, 656, 661, 751, 817]),
        ("an automobile", [436, 468, 511, 609, 627, 656, 661, 751, 817]),
        ("a truck", [555, 569, 675, 717, 864, 867]),
        ("an airplane", [404, 895]),
        ("a plane in the sky", [404, 895]),  # and no carpenter's plane
        ("a boat", [403, 472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914]),
        ("brown shoes", [502, 514, 630, 770, 774]),
        ("a wrist watch", [531, 826]),
        ("a leather handbag", [636, 748]),
        ("sunglasses", [836, 837]),
        ("wolves", [269, 270, 271]),
    ],
)
def test_everyday_words_name_groups(judge, text, labels):
    prepared = asked(judge, text)
    assert list(prepared.labels) == list(labels) and prepared.notes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a deer", ["hartebeest", "impala", "gazelle"]),
        ("a white horse", ["sorrel"]),
        ("red sneakers", ["running shoe"]),
        ("high heels", ["clog", "Loafer", "sandal"]),
        ("a cowboy boot", ["cowboy boot"]),
    ],
)
def test_the_nearest_classes_are_taken_and_that_is_said(judge, text, found):
    assert names(judge, text) == found
    said = " ".join(asked(judge, text).notes)
    assert ("nearest" in said) == (text != "a cowboy boot") and all(name in said or len(found) == 1 for name in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a hot dog", ["hotdog"]),
        ("a tiger cat", ["tiger cat"]),
        ("a beagle dog", ["beagle"]),  # the more exact of two
        ("an orange cat", 5),  # no fruit
        ("an orange", ["orange"]),
        ("a black cat, soft light", 5),  # no lighter
        ("a fire truck", ["fire engine"]),
        ("a zebra", ["zebra"]),
        ("a concatenated doggedness", []),  # whole words only
        ("a cat, a dog", []),
        ("a cat and a dog", []),
        ("a belt", []),
        ("", []),
    ],
)
def test_what_words_do_not_mean(judge, text, found):
    got = names(judge, text)
    assert len(got) == found if isinstance(found, int) else got == found
    assert bool(got) != any("no verdict" in note for note in asked(judge, text).notes)


def test_the_tables_name_existing_classes_and_no_class_of_another_name():
    groups, first = imagenet_words.groups(), {row[0].lower(): i for i, row in enumerate(imagenet_classes.names())}
    assert all(labels and len(set(labels)) == len(labels) and max(labels) < 1000 for labels in groups.values())
    hidden = {word for word, labels in groups.items() if word in first and first[word] not in labels}
    assert hidden == {"plane"}
    assert len(groups["dog"]) == 118 and len(groups["bird"]) == 59
    assert not set(imagenet_words.NOT_MEANT) & set(first) and imagenet_words.approximate() <= set(groups)


def test_long_groups_are_said_in_short(judge):
    (note,) = asked(judge, "a dog").notes
    assert note.startswith("The judge looks for Chihuahua, ") and note.endswith(" or 112 more.")


def test_the_score_is_the_sum_over_the_group(judge):
    images = torch.cat([clock(), pictures(2)])
    prepared, probability = asked(judge, "a clock"), judge.probabilities(images)
    assert names(judge, "a clock") == ["analog clock", "digital clock", "wall clock"]
    torch.testing.assert_close(judge.score(images, prepared), probability[:, [409, 530, 892]].sum(1))
    assert judge.score(images, asked(judge, "qwxzy")).isnan().all()


def test_a_drawn_clock_is_seen(judge):
    verdict = judge.verdict(clock(), asked(judge, "a clock"))
    assert verdict.label == ("analog clock",) and verdict.score > 0.9 and verdict.confidence > 0.7


def test_probabilities_are_those_of_the_network_at_160_pixels(judge):
    large = F.interpolate(clock(), (160, 160), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    with torch.no_grad():
        expected = load_pocket("v1")(large * 2 - 1).softmax(1)
    torch.testing.assert_close(judge.probabilities(clock()), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(8, 8), (64, 48), (200, 200)])
def test_features_of_any_size(judge, size):
    features = judge.embed(pictures(3, *size))
    assert features.shape == (3, 512) and features.dtype == torch.float32 and features.min() >= 0
    torch.testing.assert_close(judge.embed(pictures(3, *size)[1:2]), features[1:2], atol=1e-4, rtol=0)


def test_features_are_those_the_verdict_is_made_of(judge):
    images = pictures(40)
    logits = judge.net.head(judge.embed(images)[:, :, None, None]).flatten(1)
    torch.testing.assert_close(logits.softmax(1), judge.probabilities(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (0, 3, 64, 64), (1, 3, 0, 64)])
def test_other_shapes_are_refused(judge, shape):
    prepared = asked(judge, "a cat")
    for call in (judge.embed, judge.probabilities, lambda x: judge.verdict(x, prepared)):
        with pytest.raises(BadInput, match=r"\(N, 3, H, W\)"):
            call(torch.zeros(shape))


def test_the_second_network_can_be_asked_by_its_file():
    second = ImageClassifier(POCKET / "mobilenet_v2.safetensors")
    assert second.size == 224 and second.verdict(clock(), asked(second, "a clock")).score > 0.5


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_has_a_model_card(version):
    card = Path(POCKET / f"mobilenet_{version}.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("Apache-2.0", "google-coral/test_data", "benchmarks/mobilenet.py"))
