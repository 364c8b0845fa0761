"""A folder of runs from somebody else before the studio: its index, its bin, its links, its names and its numbers."""

import os
import shutil
import sqlite3

import pytest
from PIL import Image

from zeuxis.errors import BadInput, RunDamaged, RunUnwritable, ZeuxisError
from zeuxis.storage.checksummed import checked_line, checksummed_json, verified_json
from zeuxis.studio.gallery import Gallery
from zeuxis.studio.index import SCHEMA
from zeuxis.workflows import Outputs, generate

TOY = {"generator": "toy", "scorer": "toy", "population": 3, "generations": 1, "search": "ga", "augment": 0}
ROW = (
    "INSERT INTO pictures (run, file, place, prompt, generator, score, judge, label, words, made) "
    "VALUES (?, ?, 0, 'p', 'g', 1, 1, 'l', 'w', 9e9)"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "good"
    generate("a red disc", out=place, seed=1, outputs=Outputs(False, 0), **TOY)
    return place


@pytest.fixture
def runs(made, tmp_path):
    shutil.copytree(made, tmp_path / "runs" / "good")
    (tmp_path / "runs" / ".studio").mkdir()
    (tmp_path / "private").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "private" / "00001.png")
    return tmp_path / "runs"


@pytest.fixture
def opened():
    held = []

    def opening(runs):
        held.append(Gallery(runs))
        return held[-1]

    yield opening
    for gallery in held:
        gallery.close()


def index(runs, *statements):
    base = sqlite3.connect(runs / ".studio" / "index.sqlite3")
    base.executescript(SCHEMA)
    for text, values in statements:
        base.execute(text, values)
    base.commit()
    base.close()


@pytest.mark.parametrize("name", ["bin", "thumbnails", "dropped", "exports", "index.sqlite3", "index.sqlite3-wal", ""])
def test_no_link_is_followed(name, runs):
    """An empty bin would be the end of what a link in its place leads to."""
    place = runs / ".studio" / name if name else runs / ".studio"
    if not name:
        place.rmdir()
    place.symlink_to(runs.parent / "private")
    with pytest.raises(RunDamaged, match="is a link"):
        Gallery(runs)
    assert [path.name for path in (runs.parent / "private").iterdir()] == ["00001.png"]


def test_a_link_that_comes_later_is_not_emptied(runs, opened):
    gallery = opened(runs)
    (gallery.own / "bin").symlink_to(runs.parent / "private")
    for act in (gallery.empty_bin, lambda: (gallery.refresh(), gallery.delete("good"))):
        with pytest.raises(RunDamaged, match="is a link"):
            act()
    assert (runs / "good").is_dir() and (runs.parent / "private" / "00001.png").exists()


@pytest.mark.parametrize(
    ("run", "file"),
    [
        ("..", "private/00001.png"),
        ("good", "../../private/00001.png"),
        ("good", "images/../../../private/00001.png"),
        ("", "private/00001.png"),
        ("good", "/etc/hosts.png"),
        ("../private", "a/00001.png"),
        ("linked", "x/00001.png"),
        ("good", "linked/00001.png"),
    ],
)
def test_an_index_names_no_file_outside_its_runs(run, file, runs, opened):
    index(runs, (ROW, (run, file)), ("INSERT INTO runs VALUES (?, 'x', 'done')", (run,)))
    for place in (runs / "linked", runs / "good" / "linked"):
        place.symlink_to(runs.parent / "private")
    gallery = opened(runs)
    for found in gallery.find():
        with pytest.raises(ZeuxisError):
            gallery.data(found)
    if run != "good":
        with pytest.raises(BadInput, match="no run"):
            gallery.delete(run)
    assert (runs.parent / "private" / "00001.png").exists()


@pytest.mark.parametrize(
    "more",
    [
        "CREATE TRIGGER t AFTER DELETE ON pictures BEGIN DELETE FROM marks; END",
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
    ],
)
def test_an_index_with_other_tables_is_put_aside(more, runs, opened):
    index(runs, (more, ()))
    gallery = opened(runs)
    gallery.refresh()
    assert gallery.count() == 3 and "not ours" in gallery.notes[0]
    assert list(gallery.own.glob("index.sqlite3.damaged-*"))


def test_an_index_of_other_types_and_letters_breaks_nothing(runs, opened):
    strange = ("INSERT INTO runs VALUES (CAST(X'ff' AS TEXT), 'a', 'bred')", ())
    index(runs, (ROW, (b"\xff", b"\xfe")), strange)
    gallery = opened(runs)
    gallery.refresh()
    assert {found.run for found in gallery.find()} == {"good"}
    assert all(isinstance(name, str) for name in gallery.bred())


def test_an_index_that_is_no_database_or_was_flipped_is_made_anew_and_that_is_said(runs):
    gallery = Gallery(runs)
    gallery.refresh()
    gallery.mark(gallery.find()[0].id, 1)
    gallery.close()
    place = runs / ".studio" / "index.sqlite3"
    data = place.read_bytes()
    again = Gallery(runs)
    assert again.find()[0].mark == 1 and again.refresh() == 0 and again.notes == []
    again.close()
    for damaged in (b"", b"no database" * 500, data[: len(data) // 2], data.replace(b"red disc", b"rad disc")):
        place.write_bytes(damaged)
        again = Gallery(runs)
        again.refresh()
        assert again.notes and {found.prompt for found in again.find()} == {"a red disc"}
        again.close()


@pytest.mark.parametrize("score", [2**70, 10**300, -(10**300)])
def test_a_score_of_any_size_breaks_no_gallery(score, runs, opened):
    path = runs / "good" / "summary.json"
    content = verified_json(path)
    content["population"][0]["score"] = score
    path.write_bytes(checksummed_json(content))
    gallery = opened(runs)
    gallery.refresh()
    assert len(gallery.find()) + len(gallery.notes) >= 3


def test_strange_names_and_links_of_a_breeding_are_left_out(runs, opened):
    kept = runs / "bred" / "kept"
    kept.mkdir(parents=True)
    (runs / "bred" / "breeding.jsonl").write_text(checked_line({"config": {"prompt": ["a red disc"]}}) + "\n")
    for name in (b"0\xff.png", b"0\n<img>.png"):
        shutil.copy(runs.parent / "private" / "00001.png", os.fsencode(kept) + b"/" + name)
    gallery = opened(runs)
    gallery.refresh()
    for found in gallery.find():
        if found.run == "bred":
            with pytest.raises(ZeuxisError):
                gallery.data(found)
    (kept / "00002.png").symlink_to(runs.parent / "private" / "00001.png")
    gallery.refresh()
    assert not [found for found in gallery.find() if found.run == "bred"]
    assert any("is a link" in note for note in gallery.notes)


def test_a_picture_that_was_changed_or_has_gone_is_said(runs, opened):
    gallery = opened(runs)
    gallery.refresh()
    found = gallery.find()[0]
    data = bytearray(gallery.path(found).read_bytes())
    data[len(data) // 2] ^= 1
    gallery.path(found).write_bytes(data)
    with pytest.raises(RunDamaged, match="not the picture"):
        gallery.data(found)
    (runs / "good" / "run.json").unlink()
    gallery.refresh()
    assert any("no run any more" in note for note in gallery.notes)


def test_a_full_disk_is_a_sentence(runs, opened):
    gallery = opened(runs)
    gallery.refresh()
    gallery._base.execute("PRAGMA query_only = ON")
    with pytest.raises(RunUnwritable, match="index cannot be used"):
        gallery.mark(gallery.find()[0].id, 1)
    gallery._base.execute("PRAGMA query_only = OFF")
