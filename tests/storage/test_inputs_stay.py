"""No command writes over what it reads, or over a result of another command."""

import numpy as np
import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.pictures.writing import sheet_png
from zeuxis.storage.places import KINDS


def refused(*words):
    """What a command says that ends with 2."""
    ended = CliRunner().invoke(app, list(map(str, words)))
    assert ended.exit_code == 2 or isinstance(ended.exception, Exception), ended.output
    return ended.output + str(ended.exception)


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.png"
    path.write_bytes(sheet_png(np.zeros((8, 8, 3), np.uint8)))
    return path


def test_a_photo_is_not_replaced_by_its_projection(photo):
    before = photo.read_bytes()
    for words in (["--out", photo], ["--out", photo.parent / "x.png"]):
        read = photo if words[1] == photo else photo.rename(photo.parent / "x-beside.png")
        assert "is what is read" in refused("project", read, "--steps", "0", "--draws", "1", "--starts", "1", *words)
        assert read.read_bytes() == before
    read = read.rename(photo)
    assert "is what is read" in refused("replay", photo, "--save", photo) and photo.read_bytes() == before


@pytest.mark.parametrize("mark", KINDS)
def test_results_are_not_replaced_one_by_one(mark, photo):
    run = photo.parent / "run"
    (run / "images").mkdir(parents=True)
    (run / mark).write_text("{}")
    best = run / "images" / "best.png"
    best.write_bytes(b"mine")
    (run / "curve.png").write_bytes(b"mine")
    said = f"a part of {KINDS[mark]}"
    for words in (
        ["sample", "--out", best],
        ["sample", "--each", "--out", run / "images.png"],
        ["sample", "--out", run / "curve.png"],
        ["project", photo, "--out", best],
        ["mix", "--out", best],
    ):
        assert said in refused(*words), words
    assert best.read_bytes() == (run / "curve.png").read_bytes() == b"mine"
    assert [path.name for path in (run / "images").iterdir()] == ["best.png"]
