"""Leakage on pictures whose answer is known, and phrases with their colour word taken out."""

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.evaluation.hue_share import regions, shares
from zeuxis.lab.attributes import COLOURS, colour_map
from zeuxis.studies.leakage import WITH, WITHOUT, rise, without_colour

RED, GREY, WHITE, BLUE = (200, 20, 20), (120, 120, 125), (255, 255, 255), (30, 40, 210)


def picture(ground, thing, size=32, box=(8, 24)):
    """A square of one colour in the middle of another."""
    pixels = torch.tensor(ground, dtype=torch.uint8)[:, None, None].repeat(1, size, size)
    low, high = box
    pixels[:, low:high, low:high] = torch.tensor(thing, dtype=torch.uint8)[:, None, None]
    return pixels


def measured(*pictures, colour="red"):
    pixels = torch.stack(pictures)
    found = regions(pixels)
    return found, *shares(colour_map(pixels.permute(0, 2, 3, 1)), COLOURS.index(colour), found)


def test_a_product_on_a_flat_ground():
    found, inside, outside = measured(picture(WHITE, RED), picture(WHITE, GREY), picture(RED, GREY))
    assert found.flat.all() and torch.equal(found.inside, ~found.outside)
    assert inside.tolist() == [1, 0, 0] and outside.tolist() == [0, 0, 1]  # a red wall behind a grey thing


def test_a_scene_is_told_apart_by_place():
    noisy = picture(GREY, RED)
    noisy[:, ::2, :2] = torch.tensor(BLUE, dtype=torch.uint8)[:, None, None]
    noisy[:, :3, ::2] = torch.tensor(RED, dtype=torch.uint8)[:, None, None]
    noisy[:, -3:, 1::2] = torch.tensor(WHITE, dtype=torch.uint8)[:, None, None]
    found, inside, outside = measured(noisy)
    assert not found.flat.any() and inside.item() == 1 and 0.1 < outside.item() < 0.4
    assert not (found.inside & found.outside).any()


def test_a_picture_without_an_object_has_no_flat_ground():
    assert not regions(picture(WHITE, WHITE)[None]).flat.any()
    with pytest.raises(BadInput):
        regions(torch.zeros(1, 1, 32, 32, dtype=torch.uint8))


def test_the_leak_of_known_shares():
    def row(inside, outside):
        return {"inside": [inside] * 3, "outside": [outside] * 3, "flat": [True] * 3}

    rows = {}
    for seed in ("0", "1", "2"):
        rows["s", "a red shoe", WITH, seed] = row(0.9, 0.25)
        rows["s", "a red shoe", WITHOUT, seed] = row(0.1, 0.05)
    found = rise(rows, "s", "a red shoe")
    assert found["inside_rise"] == pytest.approx(0.8) and found["outside_rise"] == pytest.approx(0.2)
    assert found["leak"] == pytest.approx(0.25) and found["outside_low"] == pytest.approx(0.2) and found["seeds"] == 3
    rows = {cell: row(0.1, 0.3 if cell[2] == WITH else 0.1) for cell in rows}
    assert rise(rows, "s", "a red shoe")["leak"] is None


@pytest.mark.parametrize(
    ("phrase", "rest", "colour"),
    [
        ("a yellow car in the city", "a car in the city", "yellow"),
        ("a Kerry blue terrier", "a Kerry terrier", "blue"),
        ("an orange tractor", "a tractor", "orange"),
        ("a red apple", "an apple", "red"),
        ("Red, big shoes", "big shoes", "red"),
    ],
)
def test_the_word_is_taken_out(phrase, rest, colour):
    assert without_colour(phrase) == (rest, colour)


@pytest.mark.parametrize("phrase", ["a car", "a red and white car", "red", "a red"])
def test_a_phrase_without_one_colour_is_refused(phrase):
    with pytest.raises(BadInput):
        without_colour(phrase)
