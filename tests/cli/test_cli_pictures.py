"""What sample, mix, interpolate, arithmetic and replay write."""

import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import COMMANDS, app
from zeuxis.generators.choose import make_generator
from zeuxis.pictures.metadata import read_metadata, read_picture
from zeuxis.tools import arithmetic as sums
from zeuxis.tools.sheets import latents_of

TOY = ("--generator", "toy")


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Pictures of three seeds."""
    folder = tmp_path_factory.mktemp("three")
    assert zeuxis_("sample", *TOY, "--seeds", "1-3", "--out", folder / "s.png", "--each").exit_code == 0
    return [folder / f"s/seed{k:04d}.png" for k in (1, 2, 3)]


def kind(path):
    with Image.open(path) as image:
        return image.format


def size(path):
    with Image.open(path) as image:
        return image.size


# sample


@pytest.mark.parametrize(("ending", "format"), [("png", "PNG"), ("jpg", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_ending_of_out_is_what_is_written(ending, format, here):
    assert zeuxis_("sample", *TOY, "--seeds", "0-3", "--out", f"a/x.{ending}", "--each").exit_code == 0
    assert kind(here / f"a/x.{ending}") == format
    assert kind(here / "a/x/seed0000.png") == "PNG" and read_metadata(here / "a/x/seed0003.png").seed == 3


def test_enlarging_changes_the_sheet_and_not_the_pictures_with_a_latent(here):
    assert zeuxis_("sample", *TOY, "--seeds", "5", "--out", "x.png", "--each", "--enlarge", "300").exit_code == 0
    assert size("x.png")[0] == 320 + 2 * 4 and size("x/seed0005.png") == (32, 32)
    assert zeuxis_("replay", "x/seed0005.png").exit_code == 0
    assert zeuxis_("sample", *TOY, "--enlarge", "huge").exit_code == 2


def test_auto_is_a_generator_without_a_phrase_and_that_is_said(here):
    result = zeuxis_("sample", "--generator", "auto", "--seeds", "0", "--out", "x.png")
    assert result.exit_code == 0 and "note: auto is chosen by a phrase" in result.output
    assert "the generator is pocket" in result.output


# mix


def test_mixing_works_without_a_download(here):
    result = zeuxis_("mix", "--rows", "0,1", "--columns", "5,6,7", "--styles", "fine")
    assert result.exit_code == 0, result.output
    assert size("mix.png")[0] == 4 * (128 + 4) + 4


def test_the_styles_of_a_trained_stylegan_draw_what_it_draws():
    generator = make_generator("pocket-products")
    x = latents_of(generator, [1, 2])
    ws = generator.styles(x)
    assert ws.shape[1] == len(generator.layer_sizes()) and generator.layer_sizes() == [4, 8, 8, 16, 16, 32, 32, 64, 64]
    assert (generator.draw(ws) == generator.render(x)).all()
    mixed = ws.clone()
    mixed[0, 5:] = ws[1, 5:]
    assert (generator.draw(mixed)[0] - generator.render(x)[0]).abs().max() > 0.01


def test_a_generator_without_styles_says_which_have_them():
    result = zeuxis_("mix", "--generator", "toy")
    assert result.exit_code == 2 and "no styles to mix" in result.output and "pocket-products" in result.output


# interpolate


def test_a_film_is_enlarged_and_plays_at_the_rate_that_is_asked_for(here):
    result = zeuxis_("interpolate", *TOY, "--seeds", "0,1", "--frames", "60", "--rate", "120")
    assert result.exit_code == 0 and "note: A GIF shows at most 50 pictures a second" in result.output
    with Image.open("animation.gif") as film:
        assert film.width == 256
        held = []
        for k in range(film.n_frames):
            film.seek(k)
            held.append(film.info["duration"])
    assert sum(held) == pytest.approx(500, abs=20) and min(held) >= 20


def test_a_film_may_keep_its_size_and_be_a_webp(here):
    result = zeuxis_("interpolate", *TOY, "--seeds", "0,1", "--frames", "5", "--out", "f.webp", "--enlarge", "1")
    assert result.exit_code == 0 and kind("f.webp") == "WEBP" and size("f.webp") == (32, 32)


def test_a_film_that_no_memory_holds_is_refused():
    result = zeuxis_("interpolate", *TOY, "--seeds", "0-9", "--frames", "2000", "--enlarge", "4096")
    assert result.exit_code == 2 and "frames between seeds at 4096 pixels" in result.output


# arithmetic and replay


def test_a_sum_has_a_large_copy_and_a_sheet_and_keeps_its_latent(three, here):
    a, b, c = three
    result = zeuxis_("arithmetic", f"{a} - {b} + 0.5*{c}")
    assert result.exit_code == 0 and result.output.split() == ["sum.png", "sum-large.png", "sum-sheet.png"]
    latents = [np.array(read_metadata(path).latent) for path in three]
    info, pixels = read_picture(here / "sum.png")
    generator = make_generator("toy")
    wanted = generator.space.clip(sums.torch.tensor(latents[0] - latents[1] + 0.5 * latents[2])[None])[0]
    assert np.allclose(info.latent, wanted, atol=1e-5)
    assert pixels.shape == (32, 32, 3) and size("sum-large.png") == (256, 256)
    assert size("sum-sheet.png")[0] == 4 * (256 + 4) + 4


def test_a_sum_as_jpeg_says_that_its_latent_is_gone(three):
    result = zeuxis_("arithmetic", f"{three[0]} + {three[1]}", "--out", "x.jpg")
    assert result.exit_code == 0 and "Only a PNG keeps the latent" in result.output
    assert kind("x.jpg") == kind("x-large.jpg") == kind("x-sheet.jpg") == "JPEG"


def test_pictures_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / folder / "images/best.png" for folder in ("one", "two", "three")]
    assert sums.labels(paths, ["a cat", "a dog", "a ship"]) == ["a cat", "a dog", "a ship"]
    assert sums.labels(paths, ["a cat", "a cat", "a ship"]) == ["one", "two", "three"]
    assert sums.labels([tmp_path / "a.png", tmp_path / "b.png"], ["x", "y"]) == ["a", "b"]
    assert sums.labels([tmp_path / "a.png"] * 2, ["x", "x"]) == ["a", "a"]


@pytest.mark.parametrize(
    "words", ["", "a.png b.png", "a.png +", "a.png - - b.png", "a.jpg + b.jpg", "+- a.png", "2 * a.png"]
)
def test_sums_that_cannot_be_read_are_refused(words):
    result = zeuxis_("arithmetic", "--", words)
    assert result.exit_code == 2 and "Error: Expected" in result.output


def test_a_name_with_a_space_is_quoted(three, here):
    shutil.copy(three[0], here / "a cat.png")
    assert zeuxis_("arithmetic", "'a cat.png' + 'a cat.png'").exit_code == 0


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_replay_saves_what_the_ending_says_into_a_new_folder(ending, three, here):
    result = zeuxis_("replay", three[0], "--save", f"new/x.{ending}")
    assert result.exit_code == 0 and ("Only a PNG keeps" in result.output) == (ending != "png")
    assert kind(here / f"new/x.{ending}") == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[ending]


# lists


def test_no_description_of_a_command_is_cut_at_80_columns():
    text = zeuxis_("--help").output
    listed = text.partition("Commands:")[2].splitlines()
    assert all(len(line) <= 80 and not line.endswith("...") for line in listed)
    assert all(any(line.split()[:1] == [name] for line in listed) for name in COMMANDS)


def test_searches_that_need_an_extra_say_which():
    rows = dict(line.split(maxsplit=1) for line in zeuxis_("list", "searches").output.splitlines())
    assert "pip install 'zeuxis[qd]'" in rows["map-elites"] and "pip install 'zeuxis[pymoo]'" in rows["pymoo:NAME"]
    assert "pip install" not in rows["cma-ga"]
