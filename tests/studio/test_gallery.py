"""The gallery: found again by words, scores and marks; stars last; deletion can be undone; strangers' folders."""

import io
import json
import os
import shutil
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.studio import index
from zeuxis.studio.export import archive, enlargement, interpolation, sheet
from zeuxis.studio.gallery import MOST_RESULTS, Gallery
from zeuxis.studio.index import Query
from zeuxis.studio.thumbnails import Thumbnails
from zeuxis.workflows import Outputs, generate

TOY = {"generator": "toy", "scorer": "toy", "judge": "toy", "population": 6, "generations": 1, "search": "ga"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    for number, prompt in enumerate(("a red disc", "a blue square")):
        generate(prompt, out=place / f"run-{number}", seed=number, augment=0, outputs=Outputs(False, 0), **TOY)
    return place


@pytest.fixture
def gallery(made, tmp_path):
    import shutil

    shutil.copytree(made, tmp_path / "runs")
    gallery = Gallery(tmp_path / "runs")
    gallery.refresh()
    yield gallery
    gallery.close()


def test_all_pictures_are_found_and_a_second_look_changes_nothing(gallery):
    assert gallery.count() == 12 and gallery.refresh() == 0 and gallery.notes == []
    assert gallery.generators() == ["toy"] and gallery.unfinished() == []


def test_they_are_found_by_words_scores_and_days(gallery):
    assert {one.prompt for one in gallery.find(Query("blue"))} == {"a blue square"}
    assert gallery.count(Query("RED disc")) == 6
    assert gallery.count(Query("giraffe")) == gallery.count(Query("red x")) == 0
    assert gallery.count(Query("%")) == gallery.count(Query("_")) == gallery.count(Query("' OR 1=1 --")) == 0
    scores = [one.score for one in gallery.find(Query(sort="score"))]
    assert scores == sorted(scores, reverse=True)
    assert gallery.count(Query(lowest=scores[3])) >= 4
    today = time.strftime("%Y-%m-%d", time.localtime(gallery.find()[0].made))
    assert gallery.count(Query(since=today, until=today)) == 12 and gallery.count(Query(generator="pocket")) == 0
    assert gallery.count(Query(since="2999-01-01")) == gallery.count(Query(until="1999-12-31")) == 0
    assert gallery.count(Query(since="yesterday", until="2026-13-45")) == 12
    judged = sorted(one.judge for one in gallery.find())
    assert gallery.count(Query(judged=judged[6])) == sum(judge >= judged[6] for judge in judged)
    best = [one.judge for one in gallery.find(Query(sort="judge"))]
    assert best == judged[::-1]
    assert [one.id for one in gallery.find(offset=10)] == [one.id for one in gallery.find()][10:]
    assert gallery.find(Query(sort="; DROP TABLE pictures")) == gallery.find()


def test_stars_come_first_and_last(gallery):
    last = gallery.find()[-1]
    gallery.mark(last.id, 1)
    assert gallery.find()[0].id == last.id and gallery.count(Query(starred=True)) == 1
    other = gallery.find()[3]
    gallery.mark(other.id, -1)
    assert gallery.count() == 11 and gallery.count(Query(rejected=True)) == 12
    again = Gallery(gallery.runs)
    (gallery.runs / last.run / "summary.json").touch()
    again.refresh()
    assert again.find(Query(starred=True))[0].file == last.file
    again.close()


def test_a_deleted_run_comes_back(gallery):
    run = gallery.find()[0].run
    place = gallery.delete(run)
    assert gallery.count() == 6 and not (gallery.runs / run).exists() and place.is_dir()
    gallery.restore(place)
    assert gallery.count() == 12
    gallery.delete(run)
    assert gallery.empty_bin() == 1 and gallery.count() == 6 and gallery.binned() == []
    for name in ("../run-1", "nothing", ""):
        with pytest.raises(BadInput, match="no run"):
            gallery.delete(name)


def test_every_run_in_the_bin_can_come_back(gallery):
    runs = list(dict.fromkeys(found.run for found in gallery.find()))
    places = [gallery.delete(run) for run in runs]
    (gallery.own / "bin" / "stray").mkdir()
    assert gallery.binned() == places and gallery.count() == 0 and len(places) == 2
    while gallery.binned():
        assert gallery.restore(gallery.binned()[-1]).name == runs.pop()
    assert gallery.count() == 12


def test_a_run_comes_back_beside_another_of_its_name(gallery):
    run = gallery.find()[0].run
    first = gallery.delete(run)
    shutil.copytree(first, gallery.runs / run)
    gallery.refresh()
    assert gallery.restore(first).name == f"{run}-2"
    assert gallery.count() == 18 and gallery.binned() == []


def test_damaged_folders_are_named_and_links_left_out(gallery):
    (gallery.runs / "run-0" / "summary.json").write_text("{}")
    (gallery.runs / "run-2").mkdir()
    (gallery.runs / "run-2" / "run.json").write_text("no json")
    (gallery.runs / "linked").symlink_to(gallery.runs / "run-1")
    gallery.refresh()
    assert gallery.count() == 6 and len(gallery.notes) >= 2
    assert all("run-0" in note or "run-2" in note for note in gallery.notes)


def test_an_unfinished_run_is_offered(gallery):
    (gallery.runs / "run-0" / "summary.json").unlink()
    gallery.refresh()
    assert gallery.unfinished() == ["run-0"]


def test_an_answer_stays_as_it_is_until_it_is_asked_again(gallery):
    key, total = gallery.look(Query())
    first = gallery.items(key, 0, 5)
    gallery.mark(gallery.items(key, 11, 1)[0].id, 1)
    assert total == 12 and [one.id for one in gallery.items(key, 0, 5)] == [one.id for one in first]
    assert gallery.items(gallery.look(Query())[0], 0, 1)[0].mark == 1
    assert gallery.items(key, 10, 100_000)[-1] and gallery.items(key, -5, 3) == gallery.items(key, 0, 3)
    for _ in range(MOST_RESULTS):
        gallery.look(Query())
    with pytest.raises(BadInput, match="too old"):
        gallery.items(key, 0, 5)


def test_tables_of_another_version_are_made_anew_and_marks_are_kept(gallery):
    last = gallery.find()[-1]
    gallery.mark(last.id, 1)
    gallery._base.execute("PRAGMA user_version = 1")
    gallery._base.commit()
    again = Gallery(gallery.runs)
    assert again.count() == 0 and again.refresh() == 2
    assert again.find(Query(starred=True))[0].file == last.file
    again.close()


def test_pictures_keep_their_numbers_when_a_run_is_read_again(gallery):
    key, _ = gallery.look(Query(sort="oldest"))
    before, version = gallery.items(key, 0, 12), gallery.version
    (gallery.runs / "run-0" / "summary.json").touch()
    assert gallery.refresh() == 1 and gallery.version > version
    assert [one.id for one in gallery.items(key, 0, 12)] == [one.id for one in before]
    gallery.delete("run-0")
    after = gallery.items(key, 0, 12)
    assert [one is None for one in after] == [one.run == "run-0" for one in before]


@pytest.mark.parametrize("sort", index.SORTS)
def test_orders_come_from_an_index_of_the_table(gallery, sort):
    text = f"EXPLAIN QUERY PLAN SELECT id FROM pictures WHERE mark >= 0 ORDER BY mark = 1 DESC, {index.SORTS[sort]}"
    plan = " ".join(row[-1] for row in gallery._base.execute(text))
    assert f"COVERING INDEX by_{sort}" in plan and "TEMP B-TREE" not in plan


def test_thumbnails_are_made_once_and_their_number_is_bounded(gallery):
    found, thumbnails = gallery.find(), Thumbnails(gallery)
    data = thumbnails.of(found[0])
    assert data[:4] == b"RIFF" and thumbnails.of(found[0]) == data
    (kept,) = thumbnails.folder.rglob("*.webp")
    kept.write_bytes(data[:-3])  # cut short by a power failure
    assert thumbnails.of(found[0]) == data and kept.read_bytes() == data
    few = Thumbnails(gallery, most=4 * len(data))
    for number, one in enumerate(found):
        few.of(one)
        os.utime(few.folder, (number, number))
    assert few.clean() <= 4 * len(data)
    assert 1 <= len(list(few.folder.rglob("*.webp"))) < len(found) and not list(few.folder.rglob("*.part"))


def test_a_full_disk_shows_thumbnails_all_the_same(gallery, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    thumbnails = Thumbnails(gallery)
    assert thumbnails.of(gallery.find()[0])[:4] == b"RIFF" and not list(thumbnails.folder.rglob("*.webp"))


def test_a_selection_is_exported(gallery):
    found = gallery.find()
    file = zipfile.ZipFile(io.BytesIO(archive(gallery, found[:3]).data))
    names = file.namelist()
    assert len(names) == 4 and not any("/" in name or ".." in name for name in names)
    assert [one["name"] for one in json.loads(file.read("pictures.json"))] == names[:3]
    assert file.read(names[0]) == gallery.path(found[0]).read_bytes()
    with pytest.raises(BadInput, match="1 to"):
        archive(gallery, [])


def test_a_selection_as_sheet_and_enlarged(gallery):
    found = gallery.find()
    wide = Image.open(io.BytesIO(sheet(gallery, found[:4]).data))
    assert wide.width > 2 * 256 and wide.height > wide.width  # a line of text under each row
    for factor in (2, 4):
        name, data, _ = enlargement(gallery, found[:1], factor)
        assert Image.open(io.BytesIO(data)).size == (32 * factor, 32 * factor) and name.endswith(".png")
    with pytest.raises(BadInput, match="2 or 4"):
        enlargement(gallery, found[:1], 3)


def test_an_interpolation_goes_through_the_latents(gallery):
    found = gallery.find()
    name, data, _ = interpolation(gallery, found[:2])
    way = Image.open(io.BytesIO(data))
    first = np.asarray(way.convert("RGB"), dtype=float)
    small = np.asarray(Image.open(gallery.path(found[0])).resize((256, 256), Image.Resampling.LANCZOS), dtype=float)
    assert name.endswith(".webp") and 20 < way.n_frames <= 30 and np.abs(first - small).mean() < 8
    with pytest.raises(BadInput, match="2 to"):
        interpolation(gallery, found[:1])
