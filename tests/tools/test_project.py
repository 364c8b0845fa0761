"""Projection: a generator's own picture is found again, and what was found is a picture like any other of a run."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput
from zeuxis.generators.choose import make_generator
from zeuxis.generators.toy import ToyGenerator
from zeuxis.pictures.metadata import read_metadata
from zeuxis.rng import stream
from zeuxis.spaces import ClassMix, Normal, Product, Whitened
from zeuxis.tools import project as projection


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_likeness_is_zero_for_the_same_and_grows_with_the_difference():
    picture = torch.rand(3, 32, 32, generator=stream(0, "p"))
    likeness = projection.Likeness(picture)
    noisy = torch.stack([(picture + s * torch.randn(3, 32, 32, generator=stream(1))).clamp(0, 1) for s in (0, 0.05, 1)])
    found = likeness(noisy)
    assert float(found[0]) < 1e-6 and float(found[0]) < float(found[1]) < float(found[2])


def test_a_picture_of_the_generator_itself_is_found_again():
    generator = ToyGenerator()
    own = generator.space.sample(1, stream(3, "own"))
    target = generator.render(own)[0]
    found = projection.find(target, generator, steps=50, starts=2, draws=24, seed=1)
    assert found.distance < 0.05
    assert math.sqrt(float((generator.render(found.latent[None])[0] - target).square().mean())) < 0.04
    images = 24 + 3 * 2 * 51  # a gradient step counts three
    x = generator.space.sample(images, stream(9, "draws"))
    likeness = projection.Likeness(target)
    with torch.no_grad():
        best = min(float(likeness(generator.render(piece)).min()) for piece in x.split(64))
    assert found.distance < best / 2 and found.distance < found.best_draw
    again = projection.find(target, generator, steps=50, starts=2, draws=24, seed=1)
    assert torch.equal(found.latent, again.latent)


def test_styles_per_layer_find_a_picture_and_keep_to_the_prior():
    generator = make_generator("pocket-products", space="w+")
    assert isinstance(generator.space, Whitened) and generator.space.dim == 9 * 128
    target = generator.render(generator.space.sample(1, stream(3, "own")))[0]
    found = projection.find(target, generator, steps=40, starts=1, draws=16)
    assert found.distance < 0.5 * found.best_draw and 0.9 < found.norm < 1.1


def test_one_style_is_a_space_as_well_and_others_are_refused():
    generator = make_generator("pocket-products", space="w")
    x = generator.space.sample(2, stream(4))
    assert generator.space.dim == 128 and generator.styles(x).shape == (2, 9, 128)
    assert torch.equal(generator.render(x), generator.draw(generator.styles(x)))
    with pytest.raises(BadInput, match=r"Expected space z, w, w\+"):
        make_generator("pocket-products", space="v")


def test_the_norm_of_normal_blocks_is_one_on_the_prior_and_classes_have_none():
    space = Product(Normal(400), ClassMix(torch.randn(5, 3, generator=stream(0)), tuple("abcde")))
    x = space.sample(200, stream(1))
    assert projection.norms(space, x).shape == (200, 1)
    assert float(projection.norms(space, x).mean()) == pytest.approx(1, abs=0.02)
    assert float(projection.norms(space, 2 * x).mean()) == pytest.approx(2, abs=0.04)
    styles = Whitened(torch.randn(100, 30, generator=stream(2)), layers=4)
    assert projection.norms(styles, styles.sample(3, stream(3))).shape == (3, 4)


def test_a_generator_without_a_gradient_is_refused():
    class Flat(ToyGenerator):
        def render(self, x):
            return super().render(x.detach())

    with pytest.raises(BadInput, match="passes no gradient"):
        projection.find(torch.rand(3, 32, 32), Flat(), steps=1, starts=1, draws=2)


@pytest.fixture
def photo(here):
    y, x = np.mgrid[:50, :80]
    disc = ((x - 40) ** 2 + (y - 25) ** 2 < 150)[..., None]
    Image.fromarray(np.where(disc, (230, 30, 30), (30, 30, 230)).astype(np.uint8)).save("photo.jpg")
    return here / "photo.jpg"


FEW = ("--generator", "toy", "--steps", "20", "--draws", "16", "--starts", "2")


def test_the_command_writes_a_picture_to_replay_and_one_to_compare(photo):
    result = zeuxis_("project", photo, *FEW, "--out", "new/found")
    assert result.exit_code == 0, result.output
    assert "distance 0." in result.output and "random draws has" in result.output
    info = read_metadata("new/found/projected.png")
    assert info.prompt == "projection of photo.jpg" and info.generator == "toy" and info.score is None
    with Image.open("new/found/beside.png") as sheet:
        assert sheet.width == 3 * (256 + 4) + 4
    assert "identical" in zeuxis_("replay", "new/found/projected.png").output
    result = zeuxis_("project", photo, *FEW, "--out", "one.png", "--quiet")
    assert result.output.split() == ["one.png", "one-beside.png"]


def test_a_picture_with_an_ending_that_keeps_no_latent_is_refused(photo):
    result = zeuxis_("project", photo, *FEW, "--out", "x.jpg")
    assert result.exit_code == 2 and "only a PNG keeps the latent" in result.output


def test_styles_are_searched_where_there_are_any_and_said_in_the_metadata(photo):
    words = ("--generator", "pocket-products", "--steps", "1", "--draws", "8", "--starts", "1")
    assert "in its space w+" in zeuxis_("project", photo, *words, "--out", "a.png").output
    info = read_metadata("a.png")
    assert info.options == {"space": "w+", "truncation": 1.0} and len(info.latent) == 1152
    assert zeuxis_("replay", "a.png").exit_code == 0
    assert zeuxis_("project", photo, *words, "--space", "z", "--out", "b.png").exit_code == 0
    assert len(read_metadata("b.png").latent) == 128
    result = zeuxis_("project", photo, "--generator", "toy", "--space", "w+")
    assert result.exit_code == 2 and "no option 'space'" in result.output
