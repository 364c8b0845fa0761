"""Pictures and animations as files: what the ending decides, how large they are shown, how long each frame is held."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from zeuxis.errors import BadInput, RunUnwritable
from zeuxis.pictures.animation import CLOCKS, check_animation_place, rate_note, timed, write_timed
from zeuxis.pictures.enlarge import Enlarge, enlarged, parse_enlarge
from zeuxis.pictures.grid import grid
from zeuxis.pictures.metadata import PictureInfo, read_metadata
from zeuxis.pictures.writing import check_picture_place, encoded, metadata_note, sheet_png

PIXELS = np.random.default_rng(0).integers(0, 255, (2, 24, 32, 3), dtype=np.uint8)
INFO = PictureInfo("a cat", (0.5, -1.0), "toy", "0" * 64, 1, 0, None, 8, "fp32", "cpu")


# how large


def test_pictures_are_enlarged_by_whole_factors_to_at_least_so_many_pixels():
    assert enlarged(PIXELS, Enlarge(100)).shape == (2, 96, 128, 3)
    assert enlarged(PIXELS[0], Enlarge(256)).shape == (192, 256, 3)
    assert enlarged(PIXELS, Enlarge(32)) is PIXELS and enlarged(PIXELS, Enlarge(1)) is PIXELS


def test_enlarging_is_lanczos_and_nearest_where_that_is_asked_for():
    smooth = np.asarray(Image.fromarray(PIXELS[1]).resize((64, 48), Image.Resampling.LANCZOS))
    assert (enlarged(PIXELS, Enlarge(64))[1] == smooth).all()
    assert (enlarged(PIXELS, Enlarge(64, "nearest"))[:, ::2, 1::2] == PIXELS).all()


def test_what_enlarge_may_be_told():
    assert parse_enlarge("256") == Enlarge(256) and parse_enlarge("nearest:64") == Enlarge(64, "nearest")
    for text in ("", "0", "-3", "4097", "1e3", "bicubic:8", "256px", "9" * 30):
        with pytest.raises(BadInput, match="Expected --enlarge"):
            parse_enlarge(text)


def test_a_grid_is_as_large_as_asked_and_its_labels_stay_under_their_pictures():
    sheet = grid(PIXELS, ["x", "y"], 2, Enlarge(200))
    assert sheet.shape[1] == 2 * (224 + 4) + 4
    short, long = grid(PIXELS, ["", ""], 2), grid(PIXELS, ["a very long label " * 10, ""], 2)
    assert (short[:, 136:] == long[:, 136:]).all() and (short != long).any()


def test_a_grid_that_no_memory_holds_is_refused():
    with pytest.raises(BadInput, match="--enlarge"):
        grid(np.zeros((64, 32, 32, 3), np.uint8), [""] * 64, 8, Enlarge(4096))


# which kind


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP")]
)
def test_the_ending_decides_the_kind(name, kind, tmp_path):
    path = tmp_path / name
    for info in (None, INFO):
        data = encoded(PIXELS[0], path, info)
        image = Image.open(io.BytesIO(data))
        assert image.format == kind and image.size == (32, 24)
        gap = np.abs(np.asarray(image.convert("RGB"), dtype=int) - PIXELS[0])
        assert gap.max() == 0 if kind != "JPEG" else gap.mean() < 10
    check_picture_place(path)


def test_only_a_png_keeps_the_latent_and_the_others_say_so(tmp_path):
    for name in ("a.png", "a.jpg", "a.webp"):
        (tmp_path / name).write_bytes(encoded(PIXELS[0], tmp_path / name, INFO))
    assert read_metadata(tmp_path / "a.png") == INFO and metadata_note(tmp_path / "a.png") == ""
    assert "Only a PNG keeps the latent" in metadata_note(tmp_path / "a.jpg")
    assert b"zeuxis" not in (tmp_path / "a.jpg").read_bytes() + (tmp_path / "a.webp").read_bytes()


@pytest.mark.parametrize("name", ["a", "a.gif", "a.bmp", "a.png.txt", ".png"])
def test_other_endings_are_refused_by_name(name, tmp_path):
    for ask in (lambda path: check_picture_place(path), lambda path: encoded(PIXELS[0], path)):
        with pytest.raises(BadInput, match=r"\.png, \.jpg, \.jpeg, \.webp"):
            ask(tmp_path / name)


def test_a_picture_too_large_for_its_kind_is_refused():
    with pytest.raises(BadInput, match="at most 16,383 pixels a side"):
        encoded(np.zeros((2, 17_000, 3), np.uint8), Path("a.webp"))


# how long


@pytest.mark.parametrize("rate", [1, 7, 24, 25, 30, 45, 50, 60, 100, 120])
@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_a_film_lasts_as_long_as_its_pictures_at_the_rate_asked_for(rate, ending):
    clock, count = CLOCKS[ending], 240
    shown, ticks = timed(count, rate, clock)
    assert len(shown) == len(ticks) == len(set(shown)) and min(ticks) >= clock.least
    assert sum(ticks) / clock.ticks == pytest.approx(count / rate, abs=0.02)
    assert shown == sorted(shown) and shown[0] >= 0 and shown[-1] < count
    assert max(ticks) - min(ticks) <= 1
    if rate <= clock.fastest:
        assert shown == list(range(count)) and len(ticks) / (sum(ticks) / clock.ticks) == pytest.approx(rate, rel=0.01)
    else:
        assert len(shown) == pytest.approx(count * clock.fastest / rate, abs=1)


def test_short_films_have_at_least_one_picture():
    assert timed(1, 120, CLOCKS[".gif"]) == ([0], [2]) and timed(3, 120, CLOCKS[".gif"]) == ([1], [2])


def test_a_rate_that_a_format_cannot_keep_is_said(tmp_path):
    told = {rate: rate_note(tmp_path / "a.gif", rate) for rate in (25, 30, 50, 60, 120)}
    assert told[25] == told[50] == "" and "3 or 4 hundredths" in told[30]
    assert "at most 50 pictures a second" in told[60] and "of 120 a second" in told[120]
    assert rate_note(tmp_path / "a.mp4", 120) == "" and "at most 90" in rate_note(tmp_path / "a.webp", 120)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_a_file_holds_each_picture_for_its_time(ending, tmp_path):
    pages = [np.full((16, 16, 3), 50 * k, np.uint8) for k in range(4)]
    ticks = [3, 4, 20, 250] if ending == ".gif" else [33, 34, 200, 2500]
    with Image.open(write_timed(pages, ticks, tmp_path / f"a{ending}")) as film:
        held = []
        for k in range(film.n_frames):
            film.seek(k)
            film.load()
            held.append(film.info["duration"])
    assert held == [30, 40, 200, 2500] if ending == ".gif" else held == ticks
    assert [path.name for path in tmp_path.iterdir()] == [f"a{ending}"]


def test_a_film_in_a_place_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"\.gif, \.webp, \.mp4"):
        check_animation_place(tmp_path / "a.avi")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunUnwritable, match="is a file, not a folder"):
        check_animation_place(tmp_path / "file/a.gif")


def test_numbers_are_written_as_any_other_text():
    pixels = np.zeros((4, 32, 32, 3), dtype=np.uint8)
    labels = ["-0.1234", "987.65", "-20.0000", "1" * 40]
    sheet = grid(pixels, labels, 2)
    image = Image.fromarray(grid(pixels, [""] * 4, 2))
    for k, label in enumerate([*labels[:3], "1" * 20 + "…"]):
        place = (4 + (k % 2) * 132 + 2, 4 + (k // 2) * 148 + 130)
        ImageDraw.Draw(image).text(place, label, (230, 230, 230), ImageFont.load_default())
    assert (sheet == np.asarray(image)).all()


def test_a_quick_sheet_is_the_same_picture():
    pixels = np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    slow, quick = (Image.open(io.BytesIO(sheet_png(pixels, quick=quick))) for quick in (False, True))
    assert (np.asarray(slow) == pixels).all() and (np.asarray(quick) == pixels).all()
