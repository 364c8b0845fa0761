"""A selection as a video: an MP4 by ffmpeg where it is there, an animated WebP and a sentence where it is not."""

import io
import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from zeuxis.errors import Missing, MissingExtra, RunUnwritable
from zeuxis.pictures.animation import import_ffmpeg, write_mp4
from zeuxis.studio.export import HELD_RATE, NO_MP4, RATE, video
from zeuxis.studio.gallery import Gallery
from zeuxis.workflows import Outputs, generate

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
# Takes pictures as ffmpeg does and writes down what it was told and given.
STAND_IN = """#!{python}
import json, pathlib, sys
words, given = sys.argv[1:], sys.stdin.buffer.read()
if {fails}:
    sys.exit("[out#0/mp4 @ 0x5581] Error writing trailer: No space left on device\\nConversion failed!")
pathlib.Path(words[-1]).write_text(json.dumps({{"words": words, "bytes": len(given)}}))
"""


def pages(count=3, height=63, width=65):
    return iter([np.full((height, width, 3), COLOURS[k % 3], np.uint8) for k in range(count)])


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """How to put a program in the place of ffmpeg."""
    if os.name == "nt":
        pytest.skip("a script is no program on Windows")

    def put(fails=False):
        program = tmp_path / "program"
        program.write_text(STAND_IN.format(python=sys.executable, fails=fails))
        program.chmod(0o755)
        package = types.SimpleNamespace(get_ffmpeg_exe=lambda: str(program))
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)

    return put


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    toy = {"generator": "toy", "scorer": "toy", "judge": None, "population": 6, "generations": 1, "search": "ga"}
    runs = tmp_path_factory.mktemp("runs")
    generate("a red disc", out=runs / "run", seed=1, augment=0, outputs=Outputs(False, 0), **toy)
    made = Gallery(runs)
    made.refresh()
    yield made
    made.close()


def test_every_picture_is_given_to_the_program_in_even_sides(stand_in, tmp_path):
    stand_in()
    told = json.loads(write_mp4(pages(5), 24, tmp_path / "a.mp4").read_text())
    words = told["words"]
    assert words[words.index("-s") + 1] == "66x64" and words[words.index("-r") + 1] == "24"
    assert told["bytes"] == 5 * 66 * 64 * 3 and "libx264" in words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "program"]


def test_a_program_that_fails_at_the_very_end_leaves_nothing(stand_in, tmp_path):
    stand_in(fails=True)
    with pytest.raises(RunUnwritable, match="Error writing trailer: No space left on device") as caught:
        write_mp4(pages(), 24, tmp_path / "a.mp4")
    assert "\n" not in str(caught.value) and "0x5581" not in str(caught.value) and ".webp" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["program"]


def test_without_the_program_it_is_said_what_to_do(monkeypatch, tmp_path):
    def none():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", types.SimpleNamespace(get_ffmpeg_exe=none))
    with pytest.raises(Missing, match="Install ffmpeg"):
        import_ffmpeg()
    absent = types.SimpleNamespace(get_ffmpeg_exe=lambda: str(tmp_path / "absent"))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", absent)
    with pytest.raises(Missing, match="Cannot run"):
        write_mp4(pages(), 24, tmp_path / "a.mp4")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtra, match=r"zeuxis\[video\]"):
        import_ffmpeg()
    assert list(tmp_path.iterdir()) == []


def test_a_selection_is_a_webp_where_there_is_no_ffmpeg(gallery, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    found = gallery.find()[:3]
    name, data, said = video(gallery, found)
    moving = Image.open(io.BytesIO(data))
    assert name.endswith(".webp") and moving.n_frames == 3 and said == NO_MP4 and "pip install" in said
    for number, one in enumerate(found):
        moving.seek(number)
        moving.load()
        assert difference(np.asarray(moving.convert("RGB")), gallery, one) < 6
        assert moving.info["duration"] == 1000 // HELD_RATE
    assert not list((gallery.own / "exports").iterdir())


def test_a_selection_is_an_mp4_where_there_is(gallery, tmp_path):
    """Read again by ffmpeg itself: as many frames as there should be, each the picture of its moment."""
    pytest.importorskip("imageio_ffmpeg")
    found = gallery.find()[:3]
    name, data, said = video(gallery, found)
    assert name.endswith(".mp4") and data[4:8] == b"ftyp" and said == ""
    (tmp_path / "a.mp4").write_bytes(data)
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    read = subprocess.run([import_ffmpeg(), "-i", tmp_path / "a.mp4", *raw], capture_output=True, check=True)
    seen = np.frombuffer(read.stdout, np.uint8).reshape(-1, 256, 256, 3)
    about = read.stderr.decode()
    assert "Video: h264" in about and f"{RATE} fps" in about and len(seen) == 3 * RATE // HELD_RATE
    for number, frame in enumerate(seen):
        assert difference(frame, gallery, found[number * HELD_RATE // RATE]) < 6
    assert not list((gallery.own / "exports").iterdir())


def difference(frame, gallery, one):
    """Mean over a frame of how far it is from the picture enlarged, of 255."""
    small = Image.open(gallery.path(one)).convert("RGB").resize(frame.shape[1::-1], Image.Resampling.LANCZOS)
    return np.abs(frame.astype(float) - np.asarray(small, dtype=float)).mean()
