"""Image files as prompts: every kind a person may have, and every way in which one can be broken."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.scorers.prompts import IMAGE_SIDE, parse_prompt, read_image

SUFFIXES = ("png", "jpg", "webp", "gif", "bmp", "tiff")


def saved(path, image, **options):
    image.save(path, **options)
    return path


def two_halves(mode, left, right):
    """A 20 x 10 picture: `left` colour, then `right` colour."""
    image = Image.new(mode, (20, 10), left)
    image.paste(right, (10, 0, 20, 10))
    return image


def colour(image, column):
    """The colour in the middle row, in 0..255."""
    return (image[:, image.shape[1] // 2, column] * 255).round().int().tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_float_channels_in_0_1(tmp_path, suffix):
    image = read_image(saved(tmp_path / f"a.{suffix}", two_halves("RGB", (250, 10, 10), (10, 10, 250))))
    assert image.shape == (3, 10, 20) and image.dtype == torch.float32
    assert image.min() >= 0 and image.max() <= 1
    assert np.abs(np.subtract(colour(image, 2), (250, 10, 10))).max() < 12


@pytest.mark.parametrize(
    ("mode", "left", "right", "suffix"),
    [
        ("RGB", "red", "blue", "png"),
        ("P", 1, 2, "png"),
        ("L", 76, 29, "png"),
        ("1", 0, 1, "png"),
        ("CMYK", 0, 0, "tiff"),
    ],
)
def test_every_mode_looks_as_pillow_shows_it(tmp_path, mode, left, right, suffix):
    picture = Image.new("CMYK", (20, 10), (0, 255, 255, 0)) if mode == "CMYK" else two_halves(mode, left, right)
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal((read_image(saved(tmp_path / f"a.{suffix}", picture)) * 255).permute(1, 2, 0), expected)


def test_a_cmyk_jpeg_keeps_its_colour(tmp_path):
    image = read_image(saved(tmp_path / "a.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0))))
    assert colour(image, 8)[0] > 220 and max(colour(image, 8)[1:]) < 40


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    grey = np.full((4, 4), 32768, np.uint16)
    for suffix in ("png", "tiff"):
        assert colour(read_image(saved(tmp_path / f"a.{suffix}", Image.fromarray(grey))), 1) == [128] * 3


def test_transparency_lies_on_white(tmp_path):
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    picture.putpixel((7, 4), (0, 0, 255, 255))
    image = read_image(saved(tmp_path / "a.png", picture))
    assert colour(image, 0) == [255, 255, 255] and colour(image, 7) == [0, 0, 255]


def test_a_transparent_palette_lies_on_white(tmp_path):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    assert colour(read_image(saved(tmp_path / "a.gif", picture, transparency=0)), 3) == [255, 255, 255]


def test_the_camera_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image = read_image(saved(tmp_path / "a.png", two_halves("RGB", "red", "blue"), exif=exif))
    assert image.shape == (3, 20, 10)
    assert image[:, 0, 5].tolist() == [1, 0, 0] and image[:, -1, 5].tolist() == [0, 0, 1]


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff"])
def test_an_animation_shows_its_first_frame_and_says_so(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue", "lime")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:], **options)
    notes = []
    assert colour(read_image(path, notes), 4) == [255, 0, 0]
    assert "first one" in notes[0]


@pytest.mark.parametrize(("size", "read"), [((1024, 512), (256, 512)), ((1, 5000), (512, 1)), ((3, 2), (2, 3))])
def test_large_pictures_are_reduced_and_small_ones_kept(tmp_path, size, read):
    assert read_image(saved(tmp_path / "a.png", Image.new("RGB", size))).shape == (3, *read)
    assert max(read) <= IMAGE_SIDE


def test_the_weight_follows_the_file_name(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("RGB", (4, 4)))
    prompt = parse_prompt(["a cat"], [], [str(path), f"{path}:0.5", f"{path}:-2"])
    assert [p.weight for p in prompt.phrases] == [1.0, 1.0, 0.5, -2.0]
    assert all(p.image is not None and not p.text for p in prompt.phrases[1:])


def test_a_file_may_be_called_like_a_weight(tmp_path):
    path = saved(tmp_path / "a.png:1", Image.new("RGB", (4, 4)), format="PNG")
    (phrase,) = parse_prompt([], [], [str(path)]).phrases
    assert phrase.weight == 1.0


def test_an_image_alone_is_a_prompt(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("RGB", (4, 4)))
    assert parse_prompt([], [], [str(path)]).title == "(image prompt)"


# ---- broken files


def png_header(width, height):
    """A PNG that promises `width` x `height` pixels and holds none."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(image):
    data = io.BytesIO()
    image.save(data, "TIFF")
    return data.getvalue()


def broken_chunk():
    """A PNG whose second chunk says it is shorter than it is; Pillow calls that a SyntaxError."""
    data = bytearray(pixels("png"))
    data[36] = 3
    return bytes(data)


def pixels(suffix):
    data = io.BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 12, 3), dtype=np.uint8))
    image.save(data, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "got 0 bytes"),
        (b"not a picture", "no known kind"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "Expected a readable"),
        (b"P6 2 2 255 " + bytes(12), "Expected a readable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Expected a readable"),
        (png_header(100_000, 100_000), "Expected at most 50,000,000 pixels"),
        (png_header(10_000, 10_000), "50,000,000 pixels, got 10000 x 10000"),
        (png_header(0, 5), "Expected a readable"),
        (png_header(64, 64), "Expected a readable"),
        (tiff(Image.fromarray(np.full((4, 4), 7.5, np.float32))), "Expected grey levels from 0 to 1"),
        (broken_chunk(), "broken PNG file"),
    ],
    ids=[
        "empty",
        "text",
        "postscript",
        "ppm",
        "svg",
        "bomb",
        "smaller bomb",
        "no width",
        "no pixels",
        "floats beyond 1",
        "lab colours",
    ],
)
def test_a_file_that_is_no_picture_is_refused(tmp_path, content, says):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=re.escape(says)):
        read_image(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"there\.png.*No such file"):
        parse_prompt(["a cat"], [], [str(tmp_path / "there.png")])


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "\ud800.png", "a.png\n"])
def test_an_impossible_name_is_refused(name):
    with pytest.raises(BadInput):
        parse_prompt(["a cat"], [], [name])


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="not a file"):
        read_image(tmp_path)


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadInput, match="not a file"):
        read_image(tmp_path / "pipe.png")


def test_a_large_file_is_refused_unread(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no disk
    with pytest.raises(BadInput, match="1,000,000,000,000 bytes"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_picture_is_refused_or_read_whole(tmp_path, suffix):
    whole, path = pixels(suffix), tmp_path / "a"
    path.write_bytes(whole)
    expected, refused = read_image(path), 0
    for length in range(1, len(whole), 1 + len(whole) // 150):
        path.write_bytes(whole[:length])
        try:
            assert torch.equal(read_image(path), expected)  # only a trailer was lost
        except BadInput:
            refused += 1
    assert refused > 100


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    suffix=st.sampled_from(SUFFIXES), place=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=4)
)
def test_a_damaged_picture_gives_an_image_or_bad_input(tmp_path_factory, suffix, place, junk):
    data = bytearray(pixels(suffix))
    at = int(place * len(data))
    data[at : at + len(junk)] = junk
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    try:
        image = read_image(path)
    except BadInput:
        return
    assert image.shape[0] == 3 and bool(torch.isfinite(image).all())
