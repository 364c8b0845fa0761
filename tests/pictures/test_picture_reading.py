"""The one reader of image files: every kind that people have, and every way in which a file can be none."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.pictures.reading import FORMATS, Limits, read_rgb, square
from zeuxis.storage.reading import open_regular, read_bounded

SUFFIX = {"JPEG": "jpg", "TIFF": "tif"}


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def quarters():
    """8 x 4: red, blue; lime, white."""
    image = Image.new("RGB", (8, 4), "white")
    for colour, box in (("red", (0, 0, 4, 2)), ("blue", (4, 0, 8, 2)), ("lime", (0, 2, 4, 4))):
        image.paste(colour, box)
    return image


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, depth, kind, body, *more):
    """A PNG written by hand: what Pillow itself cannot save."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read_from_files_and_from_bytes(format, tmp_path):
    path = tmp_path / f"a.{SUFFIX.get(format, format.lower())}"
    path.write_bytes(encoded(Image.new("RGB", (12, 9), (200, 40, 90)), format))
    for source in (path, str(path), path.read_bytes()):
        picture = read_rgb(source)
        assert picture.mode == "RGB" and picture.size == (12, 9)
        assert np.abs(np.subtract(picture.getpixel((5, 5)), (200, 40, 90))).max() < 8


def test_formats_that_are_not_asked_for_are_refused():
    data = encoded(quarters(), "GIF")
    with pytest.raises(BadInput, match="Expected a readable PNG image"):
        read_rgb(data, Limits(formats=("PNG",)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_all_eight_orientations_end_upright(orientation, format):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = quarters().resize((64, 32), Image.Resampling.NEAREST)
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    found = read_rgb(encoded(stored, format, exif=exif, **options))
    assert found.size == (64, 32)
    assert np.abs(np.asarray(found).astype(int) - np.asarray(upright)).mean() < 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_there_is_not_turns_nothing(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(read_rgb(encoded(quarters(), exif=exif)), quarters())


def test_damaged_exif_does_not_cost_the_picture():
    data = encoded(quarters(), exif=b"Exif\x00\x00MM\x00\x2a" + b"\xff" * 40)
    assert np.array_equal(read_rgb(data), quarters())


@pytest.mark.parametrize("value", [0, 255, 256, 0x0101, 0x4000, 0x7FFF, 0x8000, 0xABCD, 65535])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_high_byte(value, format):
    image = Image.fromarray(np.full((3, 5), value, np.uint16))
    assert read_rgb(encoded(image, format)).getpixel((2, 1)) == (value >> 8,) * 3


def test_big_endian_sixteen_bit_grey_is_read_alike():
    ifd = [
        (256, 3, 1, 2 << 16), (257, 3, 1, 1 << 16), (258, 3, 1, 16 << 16), (259, 3, 1, 1 << 16),
        (262, 3, 1, 1 << 16), (273, 4, 1, 8), (277, 3, 1, 1 << 16), (278, 3, 1, 1 << 16), (279, 4, 1, 4),
    ]  # fmt: skip
    entries = b"".join(struct.pack(">HHII", *entry) for entry in ifd)
    data = b"MM\x00\x2a" + struct.pack(">I", 12) + struct.pack(">HH", 0x8040, 0x1234)
    data += struct.pack(">H", len(ifd)) + entries + bytes(4)
    assert [read_rgb(data).getpixel((x, 0))[0] for x in (0, 1)] == [0x80, 0x12]


def test_sixteen_bit_rgb_and_grey_agree():
    colour = struct.pack(">3H", 0x8040, 0x2010, 0xFFFE)
    assert read_rgb(png(1, 1, 16, 2, b"\0" + colour)).getpixel((0, 0)) == (0x80, 0x20, 0xFF)
    alpha = png(1, 1, 16, 6, b"\0" + colour + b"\xff\xff")
    assert read_rgb(alpha).getpixel((0, 0)) == (0x80, 0x20, 0xFF)


@pytest.mark.parametrize(("bits", "value", "shown"), [(1, 0x80, 255), (2, 0x40, 85), (4, 0x70, 119)])
def test_few_bits_of_grey_span_the_whole_range(bits, value, shown):
    assert read_rgb(png(1, 1, bits, 0, bytes([0, value]))).getpixel((0, 0)) == (shown,) * 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_the_ground(mode):
    image = Image.new("RGBA", (3, 1), (100, 100, 100, 255))
    image.putpixel((1, 0), (100, 100, 100, 0))
    image.putpixel((2, 0), (100, 100, 100, 128))
    data = encoded(image.convert(mode))
    white = [read_rgb(data).getpixel((x, 0))[0] for x in range(3)]
    black = [read_rgb(data, ground=(0, 0, 0)).getpixel((x, 0))[0] for x in range(3)]
    assert (white[:2], black[:2]) == ([100, 255], [100, 0])
    assert abs(white[2] - 177) <= 1 and abs(black[2] - 50) <= 1


def test_a_palette_may_be_half_transparent():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    data = encoded(image, transparency=bytes([0, 255]))
    assert [read_rgb(data).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]


def test_one_colour_may_be_transparent():
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    data = encoded(image, transparency=(1, 2, 3))
    assert [read_rgb(data).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (9, 9, 9)]


def test_an_animation_gives_its_first_frame_and_a_note(tmp_path):
    frames = [Image.new("RGB", (4, 4), name) for name in ("red", "blue")]
    notes = []
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_rgb(data, notes=notes).getpixel((0, 0)) == (255, 0, 0)
    assert notes == ["the picture has several frames; the first one is read."]


# ---- refusals


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "got 0 bytes"),
        (b"hello", "no known kind"),
        (png(0, 3, 8, 2, b""), "Expected a readable"),
        (png(8, 8, 8, 2, b""), "Expected a readable"),
        (png(100_000, 100_000, 8, 2, b""), "at most 50,000,000 pixels"),
        (png(2**31 - 1, 2**31 - 1, 8, 2, b""), "Expected"),
        (png(8000, 8000, 8, 2, b""), "got 8000 x 8000"),
        (png(40_000, 1, 8, 2, b""), "30,000 a side"),
        (encoded(Image.fromarray(np.full((2, 2), 7, np.float32)), "TIFF"), "from 0 to 1"),
        (encoded(Image.fromarray(np.ones((2, 2), np.int32)), "TIFF"), "got 32"),
    ],
    ids=["empty", "text", "no width", "no data", "bomb", "largest", "large", "long", "floats", "32 bits"],
)
def test_what_is_no_picture_is_refused_in_one_line(data, said):
    with pytest.raises(BadInput, match=re.escape(said)) as caught:
        read_rgb(data)
    assert "\n" not in str(caught.value) and "0x" not in str(caught.value)


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_picture_is_refused_or_whole(format):
    noise = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), format)
    expected = np.asarray(read_rgb(whole))
    for length in range(0, len(whole), max(len(whole) // 60, 1)):
        try:
            assert np.array_equal(read_rgb(whole[:length]), expected)
        except BadInput:
            continue


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(
    format=st.sampled_from(FORMATS),
    places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4),
    junk=st.binary(min_size=1, max_size=4),
)
def test_a_damaged_picture_is_read_or_refused(format, places, junk):
    noise = np.random.default_rng(1).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    data = bytearray(encoded(Image.fromarray(noise), format))
    for place in places:
        at = int(place * len(data))
        data[at : at + len(junk)] = junk
    try:
        assert read_rgb(bytes(data)).mode == "RGB"
    except BadInput:
        return


def test_pipes_devices_folders_and_impossible_names_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path, said in (
        (tmp_path / "pipe.png", "not a file"),
        (tmp_path, "not a file"),
        ("/dev/zero", "not a file"),
        (tmp_path / "none.png", "No such file"),
        ("a\0b.png", "null byte"),
        ("", "No such file"),
    ):
        with pytest.raises(BadInput, match=said):
            read_rgb(path)


def test_a_large_file_is_refused_unread(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no disk
    with pytest.raises(BadInput, match="got 1,000,000,000,000 bytes"):
        read_rgb(tmp_path / "a.png")
    with pytest.raises(BadInput, match="got 12 bytes"):
        read_rgb(bytes(12), Limits(bytes=10))


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"x")

    def denied(*given):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(BadInput, match=r"an image file that can be read.*Permission denied"):
        read_bounded(tmp_path / "a.png", 10, "image file")


def test_a_regular_file_is_opened(tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"hello"


# ---- square


@pytest.mark.parametrize("size", [8, 32, 40])
@pytest.mark.parametrize("shape", [(40, 40), (40, 90), (90, 40)])
def test_a_square_is_the_middle(size, shape):
    picture = np.zeros((*shape, 3), np.uint8)
    top, left = ((length - min(shape)) // 2 for length in shape)
    picture[top : top + 40, left : left + 40] = (10, 200, 90)
    found = square(Image.fromarray(picture), size)
    assert found.shape == (size, size, 3) and found.dtype == np.uint8 and found.flags.writeable
    assert (found[2:-2, 2:-2] == (10, 200, 90)).all()  # the filter sees a little of what was cut off


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (3, 2)])
def test_a_square_of_very_few_pixels_is_enlarged(shape):
    found = square(Image.fromarray(np.full((*shape, 3), 77, np.uint8)), 32)
    assert found.shape == (32, 32, 3) and (found == 77).all()


def test_reducing_is_antialiased():
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    found = square(Image.fromarray(checks.astype(np.uint8)).convert("RGB"), 8)
    assert np.abs(found.astype(int) - 127).max() <= 2
