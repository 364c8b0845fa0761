"""What a file shows is what a training sees: turned, in 8 bits, on white, the first frame; one table of formats."""

import numpy as np
import pytest
from PIL import Image

from zeuxis.data import read_images

RAMP = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)  # mean 0.5 of white
ORIENTATION = 0x0112


def palette():
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    return picture


CLEAR = {  # the hidden colour is red or black: only white is right
    "png": (Image.new("RGBA", (8, 8), (255, 0, 0, 0)), {}),
    "tiff": (Image.new("RGBA", (8, 8), (255, 0, 0, 0)), {}),
    "webp": (Image.new("RGBA", (8, 8), (255, 0, 0, 0)), {"lossless": True, "exact": True}),
    "LA.png": (Image.new("LA", (8, 8), (0, 0)), {}),
    "LA.tiff": (Image.new("LA", (8, 8), (0, 0)), {}),
    "P.png": (palette(), {"transparency": 0}),
    "P.gif": (palette(), {"transparency": 0}),
    "L.png": (Image.new("L", (8, 8), 0), {"transparency": 0}),
    "RGB.png": (Image.new("RGB", (8, 8), (1, 2, 3)), {"transparency": (1, 2, 3)}),
    "I16.png": (Image.fromarray(np.zeros((8, 8), np.uint16)), {"transparency": 0}),
}
HALF = {  # a ramp from black to white
    "I16.png": RAMP,
    "I16.tiff": RAMP,
    "I16B.tiff": RAMP.astype(">u2"),
    "F.tiff": (RAMP / 65535).astype(np.float32),
    "L.png": (RAMP >> 8).astype(np.uint8),
}
ENDINGS = ("jpg", "png", "webp", "tiff", "avif")


def only(tmp_path, size=8):
    return read_images("folder", tmp_path, resolution=size).pixels[0]


@pytest.mark.parametrize("name", CLEAR)
def test_what_is_transparent_is_white(name, tmp_path):
    picture, options = CLEAR[name]
    picture.save(tmp_path / f"x.{name}", **options)
    assert only(tmp_path).unique().tolist() == [255]


def test_half_transparent_is_half_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 51)).save(tmp_path / "x.png")
    assert only(tmp_path).unique().tolist() == [204]


@pytest.mark.parametrize("name", HALF)
def test_a_ramp_from_black_to_white_has_the_mean_of_half(name, tmp_path):
    Image.fromarray(HALF[name]).save(tmp_path / f"x.{name}")
    found = only(tmp_path, 64)
    assert float(found.double().mean()) / 255 == pytest.approx(0.5, abs=0.002)
    assert found.min() < 8 and found.max() > 247


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("turn, side", [(1, "left"), (3, "right"), (6, "top"), (8, "bottom")])
def test_a_picture_is_turned_as_its_exif_says(turn, side, ending, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 255  # white on the left as stored
    Image.fromarray(pixels).save(tmp_path / f"x.{ending}", exif=exif)
    found = only(tmp_path, 32)[..., 0].float() / 255
    part = {"left": found[:, :12], "right": found[:, 20:], "top": found[:12], "bottom": found[20:]}[side]
    assert part.mean() > 0.95 and found.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("ending", ["jpg", "tiff"])
def test_inks_become_light(ending, tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / f"x.{ending}")
    assert only(tmp_path)[4, 4].tolist() == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_of_an_animation_the_first_frame_counts(ending, tmp_path):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(tmp_path / f"x.{ending}", save_all=True, append_images=[second])
    assert only(tmp_path)[4, 4].tolist() == pytest.approx([255, 0, 0], abs=2)


def test_floats_outside_of_black_and_white_are_left_out_with_the_reason(tmp_path):
    Image.new("L", (8, 8), 9).save(tmp_path / "good.png")
    for name, value in (("far", 7), ("nan", np.nan), ("below", -0.5)):
        Image.fromarray(np.full((8, 8), value, np.float32)).save(tmp_path / f"{name}.tiff")
    found = read_images("folder", tmp_path, resolution=8)
    assert len(found) == 1 and len(found.left_out) == 3
    assert "grey levels from 0 to 1" in found.left_out[0]
