"""The 64 px pocket scorer that ships: what it sees in drawn pictures, its gradient, its sizes, its words."""

import shutil

import pytest
import torch
import torch.nn.functional as F

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.model_file import Part, read_model, tensors_of, write_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.picture_features import BLOCKS, PictureFeatures, colour_histogram, resized
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.choose import check_scorer, make_scorer
from zeuxis.scorers.pocket64 import AlignedScorer, PocketScorer64
from zeuxis.scorers.pocket_features import features_sha256, pocket_features
from zeuxis.scorers.prompts import parse_prompt

COLOURS = {"red": (0.85, 0.1, 0.1), "green": (0.1, 0.6, 0.15), "blue": (0.1, 0.2, 0.85), "yellow": (0.95, 0.85, 0.1)}


@pytest.fixture(scope="module")
def scorer():
    return PocketScorer64()


def square(colour, size=64):
    """A plain square on white: (1, 3, size, size)."""
    picture = torch.ones(1, 3, size, size)
    edge = size // 4
    picture[:, :, edge:-edge, edge:-edge] = torch.tensor(COLOURS[colour])[None, :, None, None]
    return picture


def scores(scorer, picture, phrases):
    return {phrase: float(scorer.score(picture, scorer.prepare(parse_prompt([phrase])))) for phrase in phrases}


@pytest.mark.parametrize("colour", COLOURS)
def test_a_square_is_of_its_colour(scorer, colour):
    found = scores(scorer, square(colour), [f"a {name} bag" for name in COLOURS])
    assert max(found, key=found.get) == f"a {colour} bag"


def test_the_score_is_a_cosine_and_alike_at_every_size(scorer):
    prompt = scorer.prepare(parse_prompt(["a red handbag"]))
    small, large = (scorer.score(square("red", size), prompt) for size in (64, 128))
    assert -1 <= float(small) <= 1 and float(small) == pytest.approx(float(large), abs=0.12)


def test_a_picture_does_not_depend_on_its_batch(scorer):
    pictures = torch.cat([square(name) for name in COLOURS])
    alone = torch.cat([scorer.embed_images(picture[None]) for picture in pictures])
    torch.testing.assert_close(scorer.embed_images(pictures), alone, atol=1e-5, rtol=0)


def test_the_gradient_reaches_every_part_of_the_picture(scorer):
    picture = (square("blue") * 0.9 + 0.03).requires_grad_()
    scorer.score(picture, scorer.prepare(parse_prompt(["a red shoe"]))).sum().backward()
    blocks = torch.nn.functional.avg_pool2d(picture.grad.abs(), 16)
    assert bool(torch.isfinite(picture.grad).all()) and bool((blocks > 0).all())


def test_an_image_prompt_finds_itself(scorer):
    prompt = scorer.prepare(Prompt((Phrase(image=square("green")[0]),)))
    found = [float(scorer.score(square(name), prompt)) for name in COLOURS]
    assert found.index(max(found)) == 1 and max(found) == pytest.approx(1, abs=1e-5)


def test_bfloat16_moves_the_score_little(scorer):
    prompt = scorer.prepare(parse_prompt(["a red shoe"]))
    plain = float(scorer.score(square("red"), prompt))
    try:
        scorer.set_precision(torch.bfloat16)
        assert float(scorer.score(square("red"), prompt)) == pytest.approx(plain, abs=0.1)
    finally:
        scorer.set_precision(torch.float32)


def test_unknown_words_are_named_and_nonsense_is_refused(scorer):
    assert any("does not know" in note for note in scorer.prepare(parse_prompt(["a red ☃ shoe"])).notes)
    with pytest.raises(BadInput, match="knows no word"):
        scorer.prepare(parse_prompt(["красный"]))


def test_it_is_a_row_of_the_table_and_a_file(tmp_path, scorer):
    path = tmp_path / "mine.safetensors"
    shutil.copyfile(pocket_path("scorer64"), path)
    check_scorer(str(path))
    made = make_scorer(str(path))
    assert isinstance(made, AlignedScorer) and made.name == "mine.safetensors" and made.sha256 == scorer.sha256
    assert make_scorer("pocket-64").sha256 == scorer.sha256


@pytest.mark.parametrize("changes", [{"features_sha256": "0" * 64}, {"text_sha256": "0" * 64}, {"size": 7}])
def test_heads_of_other_towers_are_refused(tmp_path, changes):
    path = pocket_path("scorer64")
    model = read_model(path)
    part = Part(model.parts["heads"], tensors_of(path, "heads"))
    other = write_model(tmp_path / "other.safetensors", "aligned", {"heads": part}, about=model.about | changes)
    with pytest.raises(WeightsRefused):
        AlignedScorer(other)


def test_the_frozen_features_are_those_of_the_header():
    net = pocket_features()
    assert isinstance(net, PictureFeatures) and net.width == sum(BLOCKS.values()) + 384 == 2856
    assert read_model(pocket_path("scorer64")).about["features_sha256"] == features_sha256(net)


def test_a_colour_histogram_counts_every_pixel_once():
    counts = colour_histogram(torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert counts.shape == (3, 128)
    torch.testing.assert_close(counts.view(3, 2, 64).sum(2), torch.ones(3, 2))


@pytest.mark.parametrize(("shape", "size"), [((64, 64), 96), ((64, 64), 32), ((50, 40), 96), ((9, 130), 32)])
def test_pictures_are_resized_as_torch_does(shape, size):
    x = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    wanted = F.interpolate(x, (size, size), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    torch.testing.assert_close(resized(x, size), wanted, rtol=0, atol=1e-6)
