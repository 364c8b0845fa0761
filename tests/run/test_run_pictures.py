"""Pictures: grids, metadata, the worker thread, and replay."""

import base64
import io
import json
import threading
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from run_helpers import run_to_the_end, toy_config

from zeuxis.errors import BadInput
from zeuxis.generators.toy import ToyGenerator
from zeuxis.pictures.grid import by_score, enlarged_png, grid_png, picture_png, population_png, to_pixels
from zeuxis.pictures.metadata import KEY
from zeuxis.run import PictureInfo, RunFolder, read_metadata
from zeuxis.storage.background import Background
from zeuxis.tools.replay import replay

INFO = PictureInfo("red", (0.5,) * 12, "toy", ToyGenerator.sha256, 7, 3, 0.25, 4, "fp32", "cpu")


def opened(png):
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("pictures") / "run"
    run_to_the_end(toy_config(), path)
    return RunFolder(path)


def rewritten(path, to, change):
    """A copy of a saved picture with its metadata changed."""
    with Image.open(path) as image:
        content = json.loads(image.info[KEY])
        info = PngInfo()
        info.add_itxt(KEY, change(content))
        image.save(to, pnginfo=info)
    return to


# ---------------------------------------------------------------- pixels and grids


def test_pixels_are_rounded_and_clamped():
    images = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, torch.nan]).reshape(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_pixels(images)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


def test_a_grid_shows_every_picture_four_times_as_large():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    sheet = np.asarray(opened(grid_png(pixels, ["x"] * 5)))
    assert sheet.shape == (2 * (128 + 16 + 4) + 4, 3 * (128 + 4) + 4, 3)
    large = [np.asarray(Image.fromarray(p).resize((128, 128), Image.Resampling.LANCZOS)) for p in pixels]
    assert (sheet[4 : 4 + 128, 4 : 4 + 128] == large[0]).all()
    assert (sheet[4 + 148 : 4 + 148 + 128, 4 + 132 : 4 + 132 + 128] == large[4]).all()


def test_a_label_is_written_under_its_picture():
    pixels = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    plain, labelled = (np.asarray(opened(grid_png(pixels, [label]))) for label in ("", "0.1234"))
    assert (plain[:132] == labelled[:132]).all() and (plain[132:] != labelled[132:]).any()


def test_large_pictures_are_reduced_in_a_grid():
    assert opened(grid_png(np.zeros((4, 1024, 512, 3), dtype=np.uint8), [""] * 4)).width == 2 * (256 + 4) + 4


def test_the_best_comes_first_and_the_unscored_last():
    score = torch.tensor([0.1, torch.nan, 0.9, 0.1, -torch.inf])
    assert by_score(score)[:3] == [2, 0, 3]
    pixels = np.zeros((5, 32, 32, 3), dtype=np.uint8)
    pixels[2] = 200
    sheet = np.asarray(opened(population_png(pixels, score, columns=5)))
    assert (sheet[4:132, 4:132] == 200).all() and (sheet[4:132, 136:264] == 0).all()


def test_an_enlarged_picture_is_eight_times_as_large_without_steps():
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(pixels).resize((256, 256), Image.Resampling.LANCZOS))
    assert (np.asarray(opened(enlarged_png(pixels))) == large).all()
    assert opened(enlarged_png(np.zeros((1500, 1500, 3), dtype=np.uint8))).width == 1500


# ---------------------------------------------------------------- metadata


def test_metadata_comes_back_exactly(tmp_path):
    latent = tuple(torch.randn(300, generator=torch.Generator().manual_seed(0)).tolist())
    info = PictureInfo("a “red” disc ☃", latent, "toy", "a" * 64, 2**62, 9, 0.1, 16, "bf16", "cuda")
    (tmp_path / "x.png").write_bytes(picture_png(np.zeros((8, 8, 3), dtype=np.uint8), info))
    assert read_metadata(tmp_path / "x.png") == info


def test_what_a_file_cannot_hold_is_replaced(tmp_path):
    info = PictureInfo("red \ud800", (1.0,), "toy", "a" * 64, 0, 0, float("-inf"), 1, "fp32", "cpu")
    (tmp_path / "x.png").write_bytes(picture_png(np.zeros((8, 8, 3), dtype=np.uint8), info))
    assert read_metadata(tmp_path / "x.png").score is None
    assert read_metadata(tmp_path / "x.png").prompt == "red ?"


def test_every_saved_picture_says_how_it_was_made(folder):
    summary = folder.summary()
    for rank, path in enumerate(folder.individuals()):
        info = read_metadata(path)
        assert (info.prompt, info.seed, info.generation) == ("a red disc on white", 7, 4)
        assert info.score == summary["population"][rank]["score"]
        assert info.sha256 == ToyGenerator.sha256
    best = read_metadata(folder.best_image)
    assert best.score == folder.best.score and best.generation == folder.best.generation
    assert torch.equal(torch.tensor(best.latent), folder.best.latent)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 40])
def test_a_file_that_is_no_png_is_refused(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(BadInput, match="not a readable PNG" if content else "got 0 bytes"):
        read_metadata(tmp_path / "x.png")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, said in ((tmp_path / "none.png", "Check the path"), (tmp_path, "which is not a file")):
        with pytest.raises(BadInput, match=said):
            read_metadata(path)


def test_a_png_of_another_program_is_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    with pytest.raises(BadInput, match="does not say how it was made"):
        read_metadata(tmp_path / "x.png")


def test_a_picture_cut_anywhere_is_refused_unless_no_pixel_is_missing(folder, tmp_path):
    whole = folder.best_image.read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "x.png").write_bytes(whole[:size])
        try:
            assert replay(tmp_path / "x.png").agrees and size >= len(whole) - 24  # the end mark and two checksums
        except BadInput:
            assert size < len(whole) - 8


def test_a_picture_that_promises_gigapixels_is_refused(folder, tmp_path):
    whole = bytearray(folder.best_image.read_bytes())
    whole[16:24] = (60_000).to_bytes(4, "big") * 2
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(whole)
    with pytest.raises(BadInput):
        read_metadata(tmp_path / "x.png")


@pytest.mark.parametrize(
    "change",
    [
        {"latent": "!!!"},
        {"latent": base64.b64encode(b"abc").decode()},
        {"latent": ""},
        {"latent": base64.b64encode(np.float32([np.nan] * 12).tobytes()).decode()},
        {"latent": "A" * 2_000_000},
        {"micro_batch": 0},
        {"micro_batch": 10**9},
        {"micro_batch": "4"},
        {"precision": "fp8"},
        {"device": "cuda:0; rm"},
        {"seed": -1},
        {"sha256": "../.."},
        {"generator": ""},
        {"prompt": None},
        {"score": float("nan")},
    ],
)
def test_metadata_that_no_run_writes_is_refused(folder, tmp_path, change):
    path = rewritten(folder.best_image, tmp_path / "x.png", lambda content: json.dumps(content | change))
    with pytest.raises(BadInput):
        read_metadata(path)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=20), st.lists, max_leaves=5) | st.binary()
)
def test_any_json_in_the_metadata_is_refused_with_our_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "x.png"
    info = PngInfo()
    text = content.decode("latin-1") if isinstance(content, bytes) else json.dumps(content)
    info.add_itxt(KEY, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    with pytest.raises(BadInput):
        read_metadata(path)


# ---------------------------------------------------------------- replay


def test_every_saved_picture_can_be_drawn_again_to_the_last_pixel(folder):
    for path in (folder.best_image, *folder.individuals()):
        result = replay(path)
        assert result.agrees and result.max_difference == 0 and result.different == 0


def test_a_retouched_picture_does_not_agree(folder, tmp_path):
    with Image.open(folder.best_image) as image:
        info = PngInfo()
        info.add_itxt(KEY, image.info[KEY])
        r, g, b = image.getpixel((3, 5))
        image.putpixel((3, 5), (r, g ^ 16, b))
        image.save(tmp_path / "x.png", pnginfo=info)
    result = replay(tmp_path / "x.png")
    assert not result.agrees and result.max_difference == 16
    assert result.different == pytest.approx(1 / 1024)


def test_replay_uses_the_generator_it_is_given(folder):
    assert replay(folder.best_image, ToyGenerator()).agrees


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha256": "0" * 64}, "Use the version of the weights"),
        ({"latent": base64.b64encode(np.zeros(5, "<f4").tobytes()).decode()}, "12 genes"),
        ({"generator": "lab:/etc/passwd"}, "neither part of the program nor of an installed"),
        ({"generator": "tyo"}, "neither part of the program"),
    ],
)
def test_a_picture_that_cannot_be_drawn_again_is_said(folder, tmp_path, change, words):
    path = rewritten(folder.best_image, tmp_path / "x.png", lambda content: json.dumps(content | change))
    with pytest.raises(BadInput, match=words):
        replay(path)


def test_a_resized_picture_is_said(folder, tmp_path):
    with Image.open(folder.best_image) as image:
        info = PngInfo()
        info.add_itxt(KEY, image.info[KEY])
        image.resize((16, 16)).save(tmp_path / "x.png", pnginfo=info)
    with pytest.raises(BadInput, match="resized"):
        replay(tmp_path / "x.png")


# ---------------------------------------------------------------- the worker thread


def test_jobs_run_in_order_off_the_caller_s_thread():
    done, worker = [], Background("test", waiting=2)
    for k in range(5):
        worker.submit(lambda k=k: done.append((k, threading.current_thread().name)))
    worker.close()
    assert done == [(k, "test") for k in range(5)]


def test_a_droppable_job_is_dropped_when_there_is_no_room_and_no_other_is():
    gate, done, worker = threading.Event(), [], Background("test", waiting=1)
    worker.submit(gate.wait)
    worker.submit(lambda: done.append("kept"))
    assert worker.submit(lambda: done.append("dropped"), droppable=True) is False
    gate.set()
    worker.submit(lambda: done.append("waited"))
    worker.close()
    assert done == ["kept", "waited"]


def test_an_error_in_the_thread_comes_back_once_and_ends_the_work():
    done, worker = [], Background("test", waiting=2)
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: done.append("after the error"))
    with pytest.raises(ZeroDivisionError):
        worker.flush()
    worker.submit(lambda: done.append("later"))
    worker.close()
    assert done == []


def test_an_error_on_the_way_out_is_heard():
    worker = Background("test", waiting=2)
    worker.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.close()
