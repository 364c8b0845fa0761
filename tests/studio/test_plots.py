"""Plots over options: the experiment they are, its file, grid and table, a stop in between, folders of strangers."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.experiments.jobs import read_plan
from zeuxis.run import RunFolder
from zeuxis.storage.checksummed import checksummed_json, verified_json
from zeuxis.studio.pace import in_words, pace
from zeuxis.studio.plot import FILE, make_plot
from zeuxis.studio.plot_sheet import CELL, page_html, sheet
from zeuxis.studio.plot_table import caption, has_seeds, headings, lines, table_csv
from zeuxis.studio.plots import NAME, Plots, picture, progress

BASE = {
    "prompt": ("a red disc <b>",), "generator": "toy", "scorer": ("toy",), "judge": "toy", "population": 8,
    "generations": 2, "seed": 3, "augment": 0, "precision": "fp32",
}  # fmt: skip
AXES = [("words", "red, blue"), ("search", "ga, de"), ("population", "8, 12")]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(plots, plot, results) of a plot that was carried out."""
    plots = Plots(tmp_path_factory.mktemp("runs"), "local")
    made = plots.new(make_plot(BASE, AXES[:2], seeds=2))
    assert plots.carry_out(made) == ("done", "All 8 runs are done.")
    return plots, *plots.known(made.name)


def test_cells_are_jobs_in_the_order_of_the_grid():
    plot = make_plot(BASE, AXES, seeds=2)
    assert plot.count == 16 and [(c.z, c.y, c.x) for c in plot.cells][:3] == [(0, 0, 0), (0, 0, 1), (0, 1, 0)]
    for cell in plot.cells:
        config = cell.jobs[0].config
        assert config["search"] == ("ga", "de")[cell.y] and config["population"] == (8, 12)[cell.z]
        assert config["prompt"] == [("a red disc <b>", "a blue disc <b>")[cell.x]]
        assert [job.config["seed"] for job in cell.jobs] == [3, 4] and config["precision"] == "fp32"
    assert plot.images == 4 * 2 * (8 * 3 + 12 * 3)
    auto = {"prompt": ("a cat",), "generator": "pocket", "search": "auto"}
    drawn = make_plot(auto, [("population", "8, 16")])
    assert drawn.images == (8 + 16) * 11  # not of a search that breeds


def test_words_on_two_axes_make_all_pairs():
    plot = make_plot(BASE, [("words", "red, blue"), ("words", "disc, square")])
    prompts = {(c.x, c.y): c.jobs[0].config["prompt"][0] for c in plot.cells}
    assert prompts[1, 1] == "a blue square <b>" and prompts[0, 1] == "a red square <b>"
    assert len(set(prompts.values())) == 4


@pytest.mark.parametrize(
    ("axes", "seeds", "said"),
    [
        ([], 1, "one to three axes"),
        ([("search", "ga"), ("search", "de")], 1, "search twice"),
        ([("words", "red, blue"), ("prompt", "a, b")], 1, "prompt twice"),
        ([("seed", "1, 2")], 2, "seeds as an axis or several"),
        ([("seed", "1..60"), ("population", "1..60")], 1, "at most 1,000 runs"),
        ([("search", "ga")], 101, "1 to 100 seeds"),
        ([("x" * 200, "1")], 1, "Expected a field"),
    ],
)
def test_what_cannot_be_a_plot(axes, seeds, said):
    with pytest.raises(BadInput, match=said):
        make_plot(BASE, axes, seeds)


@pytest.mark.parametrize(
    ("field", "values"), [("search", "ga, nope"), ("generator", "toy, os:system"), ("judge", "os:x")]
)
def test_names_are_checked_before_anything_is_written(tmp_path, field, values):
    with pytest.raises(BadInput):
        Plots(tmp_path).new(make_plot(BASE, [(field, values)]))
    assert list(tmp_path.iterdir()) == []


def test_the_file_makes_the_same_runs_on_the_command_line(done):
    plots, plot, results = done
    assert [job.key for job in read_plan(plot.folder / FILE).all_jobs()] == [job.key for job in plot.jobs]
    ran = CliRunner().invoke(app, ["experiment", str(plot.folder / FILE), "--out", str(plot.folder)])
    assert ran.exit_code == 0, ran.output
    again = plots.one(plot.name)
    assert again.results() == results and "experiment.toml --out" in plot.command()


def test_grid_table_and_captions(done):
    _, plot, results = done
    found = lines(plot, results)
    assert headings(plot) == ["“red”", "search"] and has_seeds(plot)
    assert [line.values for line in found] == [("red", "ga"), ("blue", "ga"), ("red", "de"), ("blue", "de")]
    for line, cell in zip(found, plot.cells, strict=True):
        scores = [results[job.key].numbers["best"] for job in cell.jobs]
        assert line.score.mean == pytest.approx(np.mean(scores)) and line.done == line.wanted == 2
        assert line.score.low < line.score.mean < line.score.high
        assert caption(cell, results).startswith(f"{max(scores):.3f} · judge ")
        best = max(cell.jobs, key=lambda job: results[job.key].numbers["best"])
        assert picture(plot, cell, results) == RunFolder(plot.work(best).path).best_image.read_bytes()
    assert progress(plot, results) == 1 and progress(plot, {}) < 1
    rows = table_csv(plot, results).decode().splitlines()
    assert len(rows) == 5 and rows[0].startswith("“red”,search,runs,wanted,failed,score,score low")


def test_a_seed_axis_gives_intervals_over_seeds():
    plot = make_plot(BASE, [("seed", "0..2"), ("search", "ga, de")])
    assert headings(plot) == ["search"] and has_seeds(plot)
    assert [(line.values, line.wanted) for line in lines(plot, {})] == [(("ga",), 3), (("de",), 3)]


def test_picture_and_page_are_whole_and_text_is_text(done):
    _, plot, results = done
    image = Image.open(io.BytesIO(sheet(plot, results)))
    assert image.height > 2 * CELL and image.width > 2 * CELL
    assert np.asarray(Image.open(io.BytesIO(sheet(plot, {})))).std() > 0
    html = page_html(plot, results).decode()
    assert "a red disc &lt;b&gt;" in html and '<b>"' not in html and html.count("data:image/") == 4
    assert "<script" not in html and "http://" not in html and "grid = {" in html


def test_a_stop_keeps_what_is_done_and_the_same_goes_on(tmp_path):
    plots = Plots(tmp_path, "local")
    plot = plots.new(make_plot(BASE, [("seed", "0..3")]))
    asked = iter(range(1000))
    assert plots.carry_out(plot, lambda: next(asked) > 8)[0] == "stopped"
    before = plots.known(plot.name)[1]
    assert len(before) < 4 and plots.running == ""
    assert plots.carry_out(plots.one(plot.name))[0] == "done"
    after = plots.known(plot.name)[1]
    assert len(after) == 4 and before.items() <= after.items()


def test_folders_of_others_are_not_believed(done, tmp_path):
    plots, plot, _ = done
    assert plots.names() == [plot.name]
    for name in ("../runs", "..", "", ".studio", "a\0b", "/etc", plot.name + "/jobs"):
        with pytest.raises(BadInput, match="no such plot"):
            plots.known(name)
    with pytest.raises(BadInput, match="no such plot"):
        plots.by_key("0" * 12)
    other = Plots(tmp_path / "runs", "local")
    folder = other.new(make_plot(BASE, [("search", "ga, de")])).folder
    content = verified_json(folder / NAME)
    content["spec"]["base"]["start_from"] = ["/private.png"]
    (folder / NAME).write_bytes(checksummed_json(content))
    with pytest.raises(RunDamaged, match="not the plot of the experiment"):
        other.one(folder.name)
    (folder / NAME).write_text(json.dumps({"spec": 1}))
    with pytest.raises(RunDamaged):
        other.one(folder.name)


def test_time_in_words_and_pace(done, tmp_path):
    said = {0.5: "about 5 seconds", 33: "about 35 seconds", 200: "about 3 minutes", 6000: "about 2 hours"}
    assert {seconds: in_words(seconds) for seconds in said} == said
    _, plot, _ = done
    work = plot.work(plot.jobs[0])
    shutil.copytree(work.path, tmp_path / "20260101-x")
    assert pace(tmp_path, work.config) > 0
    assert pace(tmp_path, work.config.model_copy(update={"generator": "pocket"})) is None
