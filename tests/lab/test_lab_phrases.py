"""Colours, scenes and phrases: nothing false is ever said of a picture, and the words of the test stay unseen."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lab_helpers import CLASSES, TERM_CLASS, recipe

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput
from zeuxis.evaluation.zero_shot import SYNONYMS, with_article
from zeuxis.lab import sentences
from zeuxis.lab.attributes import COLOURS, SCENES, colour_map, main_colour, scenes
from zeuxis.lab.phrases import CLASS_WORDS, HELD_OUT, TEMPLATES, Caption, Captioner, article, read_nouned
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.tasks.contrastive import Contrastive, collect_nouns
from zeuxis.rng import stream

UNSEEN = {word for words in SYNONYMS.values() for word in words} | set(HELD_OUT)
PAINTS = {
    "red": (210, 20, 25), "orange": (245, 140, 20), "yellow": (240, 220, 40), "green": (30, 150, 50),
    "blue": (30, 70, 210), "purple": (130, 40, 180), "pink": (255, 150, 190), "brown": (110, 65, 25),
    "black": (8, 8, 8), "grey": (128, 128, 128), "white": (250, 250, 250),
}  # fmt: skip


def flat(colour, size=32):
    return torch.tensor(PAINTS[colour], dtype=torch.uint8).expand(1, size, size, 3).clone()


def object_on(ground, colour):
    picture = flat(ground)
    picture[:, 8:24, 8:24] = torch.tensor(PAINTS[colour], dtype=torch.uint8)
    return picture


@pytest.fixture(scope="module")
def task(data, weights):
    config = recipe("contrastive", batch=24, options={"foils": 40, "extra": 8})
    return Contrastive(Lab(config, data, torch.device("cpu"), torch.float32, weights))


def captions_of(task, step):
    rng = stream(0, "captions", step)
    rows = task._rows(rng)
    return rows, task._captions(rows.tolist(), rng)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_paint_has_its_name(colour):
    assert (colour_map(flat(colour)) == COLOURS.index(colour)).all()
    assert main_colour(flat(colour)).tolist() == [COLOURS.index(colour)]


@pytest.mark.parametrize("colour", [c for c in COLOURS if c not in ("white", "black", "grey")])
@pytest.mark.parametrize("ground", ["white", "grey", "black"])
def test_the_colour_is_that_of_what_stands_in_the_middle(colour, ground):
    assert main_colour(object_on(ground, colour)).tolist() == [COLOURS.index(colour)]


def test_a_picture_of_two_colours_has_none():
    halves = flat("red")
    halves[:, :, 16:] = flat("green")[:, :, 16:]
    assert main_colour(halves).tolist() == [-1]


def test_scenes_are_seen_where_they_are():
    sky = flat("green")
    sky[:, :10] = torch.tensor(PAINTS["blue"], dtype=torch.uint8)
    shown = torch.cat([sky, flat("white"), flat("black"), flat("red")])
    found = [{SCENES[i] for i in row.nonzero().flatten().tolist()} for row in scenes(shown)]
    assert found[0] == {"under a blue sky", "on grass"}
    assert found[1] == {"on a white background"}
    assert found[2] == {"on a black background", "at night"}
    assert found[3] == set()


def test_phrases_read_as_english():
    say = Captioner.text
    draw = {template: (i + 0.5) / len(TEMPLATES) for i, template in enumerate(TEMPLATES)}
    assert say("truck", COLOURS.index("red"), 0) == "a red truck under a blue sky"
    assert say("airplane", COLOURS.index("orange"), draw=draw["a photo of {}"]) == "a photo of an orange airplane"
    assert say("airplane", draw=draw["a photo of one {bare}"]) == "a photo of one airplane"
    assert article("emu") == with_article("emu") == "an emu"


@given(st.floats(0, 1, exclude_max=True))
def test_every_draw_picks_a_template(draw):
    assert "cat" in Captioner.text("cat", draw=draw)


def test_a_caption_says_only_what_was_measured():
    colours = torch.tensor([COLOURS.index("red"), -1])
    seen = torch.zeros(2, len(SCENES), dtype=torch.bool)
    seen[1, 1] = True
    captioner = Captioner([("cat", "house cat"), ("dog",)], colours, seen)
    rng = stream(0, "write")
    for _ in range(300):
        red, grassy = captioner.write(0, 0, rng), captioner.write(1, 1, rng)
        assert red.colour in (-1, 0) and red.scene == -1
        assert ("red" in red.text) == (red.colour == 0)
        assert grassy.colour == -1 and grassy.scene in (-1, 1)
        assert ("on grass" in grassy.text) == (grassy.scene == 1)


def test_each_picture_is_described_by_its_class_and_its_term(task):
    names = [{word for k in task.fitting[row] for word in task.nouns.words[k]} for row in range(7)]
    assert names[0] == {"cat", "house cat", "tabby cat"}
    assert names[1] == {"cat", "house cat"}  # siamese is kept out
    assert names[2] == {"dog"}  # puppy is kept out
    assert names[5] == {"truck", "fire truck"} and names[6] == {"truck", "minicab"}


def test_kept_out_words_leave_extra_pictures_nameless(task):
    shown = {" ".join(task.nouns.words[k][0] for k in numbers) for numbers in task.fitting[len(task.train) :]}
    assert shown == {"grand piano", "starfish", "thing", "fire engine siren truck", "hot face warm day sun"}


@settings(max_examples=60, deadline=None)
@given(step=st.integers(0, 10**6))
def test_no_training_caption_holds_a_word_kept_for_the_test(task, step):
    for caption in captions_of(task, step)[1]:
        found = [word for word in UNSEEN if re.search(rf"\b{re.escape(word)}s?\b", caption.text, re.IGNORECASE)]
        assert not found, caption.text


@pytest.mark.parametrize("term", ["sports_car", "Robin", "jumbo-jet", "old_dart_frog"])
def test_kept_out_words_are_found_inside_a_term(term):
    name = term.replace("_", " ")
    zero = torch.tensor([0])
    names = {"class": ("thing",), "term": (name,)}
    train = ImageSet(torch.zeros(1, 1, 1, 3), {"class": zero, "term": zero}, names)
    nouns, mine, others = collect_nouns(train, [(name,)])
    assert nouns.words == [("thing",)] and mine == [[0, 0]] and others == [[0]]


def true_of(task, row, caption):
    """What a person would say, read from the words of the caption."""
    bare = re.sub("|".join(SCENES), "", caption.text)
    colour = next((c for c in COLOURS if re.search(rf"\b{c}\b", bare)), None)
    measured = COLOURS[int(task.colours[row])] if task.colours[row] >= 0 else None
    scene_ok = all(task.scenes[row, i] for i, scene in enumerate(SCENES) if scene in caption.text)
    fits = any(re.search(rf"\b{w}\b", caption.text) for k in task.fitting[row] for w in task.nouns.words[k])
    return fits, colour in (None, measured), scene_ok


@settings(max_examples=25, deadline=None)
@given(step=st.integers(0, 10**6))
def test_a_phrase_with_a_wrong_colour_or_scene_is_never_true(task, step):
    rows, captions = captions_of(task, step)
    truth = task._truth(rows, captions)
    for i, row in enumerate(rows.tolist()):
        for j, caption in enumerate(captions):
            _, colour_ok, scene_ok = true_of(task, row, caption)
            assert truth[i, j] == 0 or (colour_ok and scene_ok), caption.text


@settings(max_examples=25, deadline=None)
@given(step=st.integers(0, 10**6))
def test_every_picture_has_a_true_phrase_and_every_true_phrase_its_picture(task, step):
    rows, captions = captions_of(task, step)
    truth = task._truth(rows, captions)
    assert truth.shape == (24, 24 + 40)
    assert (truth.diagonal() == 1).all()
    assert all(true_of(task, row, caption)[0] for row, caption in zip(rows.tolist(), captions, strict=False))


def test_another_term_of_the_same_class_is_a_little_true(task):
    noun = {words[0]: k for k, words in enumerate(task.nouns.words)}
    rows = torch.tensor([0, 1, 2, 5])  # tabby cat, siamese, puppy, fire truck
    says = [Caption("a tabby cat", noun["tabby cat"]), Caption("a dog", noun["dog"]), Caption("a thing", noun["thing"])]
    little = task.opt["same_class"]
    assert torch.allclose(task._truth(rows, says), torch.tensor([[1, 0, 0], [little, 0, 0], [0, 1, 0], [0, 0, 0]]))


def test_foils_name_a_noun_of_the_batch_with_a_random_colour_or_scene(task):
    rows, captions = captions_of(task, 0)
    foils = captions[len(rows) :]
    assert len(foils) == 40 and {c.noun for c in foils} <= {c.noun for c in captions[: len(rows)]}
    assert all((c.colour >= 0) != (c.scene >= 0) for c in foils)
    assert (task._truth(rows, foils).sum(0) == 0).float().mean() > 0.5  # most of them are wrong


def test_a_batch_mixes_in_extra_pictures(task):
    rows, _ = captions_of(task, 1)
    assert int((rows >= len(task.train)).sum()) == 8 and len(rows) == 24


def test_a_batch_smaller_than_its_extras_is_all_extras(data, weights):
    config = recipe("contrastive", batch=2, options={"extra": 8})
    small = Contrastive(Lab(config, data, torch.device("cpu"), torch.float32, weights))
    assert (small._rows(stream(0, "rows")) >= len(small.train)).all()


def test_the_classes_of_cifar_have_words():
    assert set(CLASS_WORDS) == set(SYNONYMS) and all(len(words) == 4 for words in SYNONYMS.values())
    assert not UNSEEN & {word for words in CLASS_WORDS.values() for word in words}
    assert len(CLASSES) == len(set(TERM_CLASS))


def test_sentences_to_distil_on_name_everything_that_lies_there(data):
    vocabulary = ["[PAD]", "quiet", "##ing", "of", "zebra"]
    found = sentences.training_sentences(data, vocabulary, stream(0, "sentences"))
    again = sentences.training_sentences(data, vocabulary, stream(0, "sentences"))
    assert found == again and len(found) == len(set(found))
    assert {"A cat sits on a red truck.", "quiet", "zebra", "grand piano", "hot face", "sun"} <= set(found)
    assert not {"of", "##ing", "[PAD]"} & set(found)
    assert any(re.search(r"\bred zebra\b", text) for text in found)
    assert any("minicab" in text for text in found) and not any("gypsy" in text for text in found)


def test_a_folder_without_nouns_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"cifar10\.npz"):
        sentences.training_sentences(tmp_path, ["zebra"], stream(0))


def test_extra_pictures_are_on_plain_grounds(data):
    pixels, words = read_nouned(data, "train")
    assert pixels.shape == (23, 32, 32, 3) and len(words) == 23
    assert words[0] == ("grand piano",) and words[20] == ("fire engine", "siren", "truck")
    corner = pixels[20:, 0, 0].float()
    expected = torch.tensor([[255.0, 255, 255], [200, 210, 220], [60, 60, 60]])
    assert torch.allclose(corner, expected, atol=6)


def test_a_folder_without_extra_pictures_gives_none(tmp_path):
    pixels, words = read_nouned(tmp_path, "train")
    assert pixels.shape == (0, 32, 32, 3) and words == []


def test_nouns_are_read_at_the_size_asked_for(data):
    pixels, words = read_nouned(data, "train", 16)
    assert pixels.shape == (23, 16, 16, 3) and words[0] == ("grand piano",)
