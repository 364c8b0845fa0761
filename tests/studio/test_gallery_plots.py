"""Plots in the gallery: the best picture of each of their runs, found by what was varied; in the bin; of others."""

import shutil

import pytest

from zeuxis.errors import RunDamaged
from zeuxis.experiments.results import JobFolder
from zeuxis.pictures.metadata import read_metadata
from zeuxis.studio.export import archive, interpolation
from zeuxis.studio.index import Query
from zeuxis.studio.plot import make_plot
from zeuxis.studio.plots import Plots
from zeuxis.studio.state import Studio
from zeuxis.studio.thumbnails import Thumbnails

BASE = {
    "prompt": ("a red disc",), "generator": "toy", "scorer": ("toy",), "judge": "toy", "population": 8,
    "generations": 1, "seed": 3, "augment": 0, "precision": "fp32",
}  # fmt: skip
AXES = [("words", "red, blue"), ("search", "ga, de")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    plots = Plots(runs, "local")
    plot = plots.new(make_plot(BASE, AXES))
    assert plots.carry_out(plot)[0] == "done"
    return runs, plot.name


@pytest.fixture
def studio(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "runs")
    opened = Studio(tmp_path / "runs")
    opened.gallery.refresh()
    yield opened
    opened.close()


def test_each_run_is_found_by_its_prompt_and_by_what_was_varied(studio, made):
    gallery, (plot, results) = studio.gallery, studio.plots.known(made[1])
    found = gallery.find(Query(sort="oldest"))
    assert gallery.notes == [] and len(found) == 4 and {one.run for one in found} == {made[1]}
    assert gallery.refresh() == 0 and gallery.unfinished() == []
    assert {one.prompt for one in gallery.find(Query("blue disc"))} == {"a blue disc"}
    (one,) = gallery.find(Query("plot blue de"))
    (job,) = next(cell.jobs for cell in plot.cells if (cell.x, cell.y) == (1, 1))
    assert one.score == pytest.approx(results[job.key].numbers["best"]) and one.words == "plot: blue, de"
    assert gallery.plot(one) == made[1] and gallery.path(one).parent.parent == plot.work(job).path
    assert read_metadata(gallery.path(one)).prompt == "a blue disc"
    best = [one.score for one in gallery.find(Query(sort="score"))]
    assert best == sorted(best, reverse=True)


def test_they_are_shown_marked_exported_and_bred_on(studio):
    gallery = studio.gallery
    found = gallery.find()
    assert all(Thumbnails(gallery).of(one)[:4] == b"RIFF" for one in found)
    gallery.mark(found[2].id, 1)
    assert gallery.find(Query(starred=True))[0].file == found[2].file
    assert len(archive(gallery, found).data) > 4000 and interpolation(gallery, found[:2]).data[:4] == b"RIFF"
    bench = studio.breed_from([found[0].id, found[1].id])
    assert [bench.family.pictures[n].operator for n in bench.family.table.shown[:2]] == ["search"] * 2


def test_runs_that_come_later_are_taken_up(tmp_path):
    studio = Studio(tmp_path)
    studio.plots.executor = "local"
    plot = studio.plots.new(make_plot(BASE, [("seed", "0..2")]))
    studio.gallery.refresh()
    assert studio.gallery.count() == 0 and studio.gallery.notes == []
    asked = iter(range(1000))
    studio.plots.carry_out(plot, lambda: next(asked) > 5)
    studio.gallery.refresh()
    before = studio.gallery.count()
    studio.plots.carry_out(studio.plots.one(plot.name))
    studio.gallery.refresh()
    assert before < 3 == studio.gallery.count()
    studio.close()


def test_a_plot_goes_to_the_bin_as_a_whole_and_comes_back(studio, made):
    place = studio.gallery.delete(made[1])
    assert studio.gallery.count() == 0 and studio.plots.names() == []
    studio.gallery.restore(place)
    assert studio.gallery.count() == 4 and studio.plots.names() == [made[1]]


@pytest.mark.parametrize("level", ["jobs", "job", "work", "images", "picture"])
def test_no_link_in_a_plot_is_followed(studio, made, tmp_path, level):
    gallery = studio.gallery
    one = gallery.find()[0]
    path = gallery.path(one)
    folder = JobFolder(gallery.runs / made[1], path.parents[2].name)
    place = {
        "jobs": folder.path.parent, "job": folder.path, "work": folder.work, "images": path.parent, "picture": path,
    }[level]  # fmt: skip
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDamaged):
        gallery.data(one)
    (gallery.runs / made[1] / "results.jsonl").touch()
    gallery.refresh()  # and nobody reads through it when the folder is looked at again
    assert level in ("images", "picture") or not any(other.file == one.file for other in gallery.find())
