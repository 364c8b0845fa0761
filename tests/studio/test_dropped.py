"""Dropped files: verified, found to differ, taken as a prompt, or refused in one sentence."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from zeuxis.errors import BadInput
from zeuxis.generators.toy import ToyGenerator
from zeuxis.studio.dropped import LIMITS, take
from zeuxis.tools.sheets import sample


@pytest.fixture
def saved(tmp_path):
    sample(ToyGenerator(), [3], tmp_path / "sheet.png", each=True)
    return (tmp_path / "sheet" / "seed0003.png").read_bytes()


def encoded(pixels, kind="PNG", **options):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **options)
    return data.getvalue()


def chunk(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.info["zeuxis"], np.array(image)


def test_a_picture_of_ours_is_verified(saved, tmp_path):
    found = take(saved, tmp_path / "inbox")
    assert found.agrees is True and found.info.seed == 3 and found.info.prompt == "seed 3"
    assert "Verified" in found.said and found.path.read_bytes() == saved
    assert found.command == f"zeuxis replay {found.path}"


def test_one_changed_pixel_is_seen(saved, tmp_path):
    text, pixels = chunk(saved)
    pixels[5, 5] ^= 1
    info = PngInfo()
    info.add_itxt("zeuxis", text)
    found = take(encoded(pixels, pnginfo=info), tmp_path)
    assert found.agrees is False and "0.1 % of the pixels differ, by at most 1 of 255" in found.said


def test_other_weights_are_named(saved, tmp_path):
    text, pixels = chunk(saved)
    sha = ToyGenerator().sha256
    info = PngInfo()
    info.add_itxt("zeuxis", text.replace(sha, "0" * 64))
    found = take(encoded(pixels, pnginfo=info), tmp_path)
    assert found.agrees is None and "000000000000" in found.said and sha[:12] in found.said


@pytest.mark.parametrize(
    "change", [lambda t: t[:50], lambda t: t.replace('"latent": "', '"latent": "!'), lambda t: "{}"]
)
def test_metadata_that_no_run_wrote_is_refused(saved, tmp_path, change):
    text, pixels = chunk(saved)
    info = PngInfo()
    info.add_itxt("zeuxis", change(text))
    with pytest.raises(BadInput) as error:
        take(encoded(pixels, pnginfo=info), tmp_path / "inbox")
    assert str(tmp_path) not in str(error.value)
    assert list((tmp_path / "inbox").iterdir()) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_any_other_picture_is_a_prompt(tmp_path, kind):
    pixels = np.zeros((700, 900, 3), np.uint8)
    found = take(encoded(pixels, kind), tmp_path)
    assert found.info is None and "image prompt" in found.said
    with Image.open(found.path) as image:
        assert image.format == "PNG" and max(image.size) == 512 and image.info == {}


def test_limits_come_before_decoding(tmp_path):
    large = encoded(np.zeros((1, 1, 3), np.uint8))
    bomb = large[:16] + (60_000).to_bytes(4, "big") * 2 + large[24:]  # the header promises 3.6 thousand million pixels
    for data in (b"", b"not a picture", bomb, b"x" * (LIMITS.bytes + 1)):
        with pytest.raises(BadInput):
            take(data, tmp_path / "inbox")
    assert not (tmp_path / "inbox").exists()
