"""The gallery: found again by words, scores and marks; stars last; deletion can be undone; strangers' folders."""

import io
import json
import zipfile

import pytest

from zeuxis.errors import BadInput
from zeuxis.studio.gallery import Gallery, Query
from zeuxis.studio.thumbnails import archive, thumbnail
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
    assert gallery.count(Query("RED disc")) == 6 and gallery.count(Query("giraffe")) == 0
    assert gallery.count(Query("%")) == gallery.count(Query("_")) == gallery.count(Query("' OR 1=1 --")) == 0
    scores = [one.score for one in gallery.find(Query(sort="score"))]
    assert scores == sorted(scores, reverse=True)
    assert gallery.count(Query(lowest=scores[3])) >= 4
    assert gallery.count(Query(days=1)) == 12 and gallery.count(Query(generator="pocket")) == 0
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
    assert gallery.empty_bin() == 1 and gallery.count() == 6
    for name in ("../run-1", "nothing", ""):
        with pytest.raises(BadInput, match="no run"):
            gallery.delete(name)


def test_damaged_folders_are_named_and_links_left_out(gallery):
    (gallery.runs / "run-0" / "summary.json").write_text("{}")
    (gallery.runs / "run-2").mkdir()
    (gallery.runs / "run-2" / "run.json").write_text("no json")
    (gallery.runs / "linked").symlink_to(gallery.runs / "run-1")
    gallery.refresh()
    assert gallery.count() == 6 and len(gallery.notes) == 2
    assert all("run-0" in note or "run-2" in note for note in gallery.notes)


def test_an_unfinished_run_is_offered(gallery):
    (gallery.runs / "run-0" / "summary.json").unlink()
    gallery.refresh()
    assert gallery.unfinished() == ["run-0"]


def test_thumbnails_are_kept_and_a_selection_is_exported(gallery):
    found = gallery.find()
    data = thumbnail(gallery, found[0])
    assert data[:4] == b"RIFF" and thumbnail(gallery, found[0]) == data
    assert len(list((gallery.own / "thumbnails").rglob("*.webp"))) == 1
    file = zipfile.ZipFile(io.BytesIO(archive(gallery, found[:3])))
    names = file.namelist()
    assert len(names) == 4 and not any("/" in name or ".." in name for name in names)
    assert [one["name"] for one in json.loads(file.read("pictures.json"))] == names[:3]
    assert file.read(names[0]) == gallery.path(found[0]).read_bytes()
    with pytest.raises(BadInput, match="1 to"):
        archive(gallery, [])


def test_five_thousand_pictures_are_found_at_once(gallery):
    row = ("x", 0, "a phrase", "toy", 0.5, 0.5, "label", "words", 1.0)
    with gallery._base:
        rows = [("many", f"images/{k}.png", k, *row[2:]) for k in range(5000)]
        gallery._base.executemany("INSERT INTO pictures VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    assert gallery.count(Query("phrase")) == 5000
    assert [len(gallery.find(Query("phrase"), offset, 60)) for offset in (0, 4980)] == [60, 20]
