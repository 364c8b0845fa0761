"""A search in its thread: what the pages see of it, Stop, going on, and that no page is needed."""

import io
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.run import RunFolder
from zeuxis.studio.live import Live
from zeuxis.studio.status import CELL, COLUMNS, SHOWN, Frame
from zeuxis.workflows import Outputs, generate

QUICK = Outputs(report=False, top=0)

TOY = {
    "generator": "toy", "scorer": ("toy",), "judge": "toy", "population": 12, "generations": 4, "search": "ga",
    "seed": 3, "augment": 0, "view_every": 2,
}  # fmt: skip


@pytest.fixture
def live(tmp_path):
    made = Live(tmp_path, outputs=QUICK)
    yield made
    made.stop()
    made.wait(120)


def test_a_search_runs_and_ends(live):
    before = live.status.version
    live.start("a red disc", **TOY)
    live.wait(120)
    status = live.status
    assert (status.state, status.error) == ("done", "") and status.version > before + 5
    assert [point.generation for point in status.points] == [0, 1, 2, 3, 4]
    assert status.points[-1].best >= status.points[0].best and status.points[0].judged is not None
    assert status.frame.scores == tuple(sorted(status.frame.scores, reverse=True)) and len(status.frame.scores) == 12
    assert status.frame.sheet()[:3] == b"\xff\xd8\xff"
    folder = RunFolder(status.folder)
    assert folder.summary()["generations"] == 5
    assert "--search ga" in status.command and status.command.endswith("'a red disc'")


def test_the_run_is_that_of_the_command_line(live, tmp_path):
    live.start("a red disc", **TOY, precision="fp32")
    live.wait(120)
    summary = generate("a red disc", out=tmp_path / "other", precision="fp32", outputs=QUICK, **TOY)
    mine, other = RunFolder(live.status.folder), RunFolder(summary.folder)
    assert mine.log_path(4).read_bytes() == other.log_path(4).read_bytes()
    assert mine.best_image.read_bytes() == other.best_image.read_bytes()


def test_stop_keeps_what_there_is_and_it_can_go_on(live):
    live.start("a red disc", **TOY | {"generations": 100_000})
    wait(lambda: len(live.status.points) > 2)
    with pytest.raises(BadInput, match="under way"):
        live.start("a blue disc", **TOY)
    live.stop()
    live.wait(120)
    status = live.status
    assert status.state == "stopped" and RunFolder(status.folder).summary()["generations"] == len(status.points)
    done = len(status.points)
    live.resume(status.folder, generations=done + 2)
    live.wait(120)
    assert live.status.state == "done" and len(live.status.points) == done + 3


def test_what_cannot_be_is_said_before_anything_is_written(live, tmp_path):
    for prompt, fields, said in (
        ("", {}, "Say what to look for"),
        ("a cat", {"population": 0}, "--population"),
        ("a cat", {"generations": "many"}, "--generations"),
    ):
        with pytest.raises(BadInput, match=said):
            live.start(prompt, **fields)
    live.start("a cat", generator="nonsense")
    live.wait(120)
    assert live.status.state == "failed" and "nonsense" in live.status.error
    assert list(tmp_path.iterdir()) == []


def test_a_sketch_is_shown_until_the_search_has_pictures(tmp_path):
    asked = threading.Event()
    live = Live(tmp_path, lambda config: asked.set(), QUICK)
    live.start("a red disc", **TOY)
    assert asked.wait(120)
    live.wait(120)
    assert not live.status.sketch


@pytest.mark.parametrize("many", [1, 12, 32, SHOWN])
def test_each_picture_lies_where_the_pages_look_for_it(many):
    assert SHOWN % COLUMNS == 0
    levels = np.arange(many) * 5 + 10
    pixels = np.broadcast_to(levels[:, None, None, None], (many, 32, 32, 3)).astype(np.uint8)
    sheet = Frame(0, pixels, (0.0,) * many, torch.zeros(many, 2), ()).sheet()
    seen = np.asarray(Image.open(io.BytesIO(sheet)).convert("L"), dtype=float)
    assert seen.shape == (SHOWN // COLUMNS * CELL, COLUMNS * CELL)
    for place, level in enumerate(levels):
        y, x = CELL * (place // COLUMNS), CELL * (place % COLUMNS)
        assert abs(seen[y + 20 : y + CELL - 20, x + 20 : x + CELL - 20] - level).max() < 4, place


def wait(until, seconds=120):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)
