"""Runs and pictures to pick from in Jupyter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zeuxis import notebook
from zeuxis.errors import BadInput, RunUnwritable, UnknownName
from zeuxis.run import RunFolder
from zeuxis.storage.reading import whole_png

pytest.importorskip("ipywidgets", reason="needs ipywidgets: pip install 'zeuxis[notebook]'")
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "zeuxis.ipynb"
SHORT = {
    "generations = 60": "generations = 3",
    'fields = {"seed": 7}': 'fields = {"seed": 7, "generator": "toy", "scorer": "toy", "judge": None}',
    'target = "a red high heel"': 'target = "a red disc"',
    'notebook.Picker("a red high heel", seed=1)': 'notebook.Picker("a red disc", seed=1, size=4, generator="toy")',
}
TOY = {"generator": "toy", "scorer": "toy", "judge": None, "seed": 1}


def test_a_run_grows_in_its_widget_and_ends_in_a_folder(tmp_path):
    run = notebook.breed(
        "a red disc", generations=6, callbacks_each=2, population_size=8, out=tmp_path / "r", search="ga", **TOY
    )
    summary = run.wait()
    assert summary.generations == 7 and summary.folder == tmp_path / "r"
    buttons, pictures = run.widget.children
    assert all(whole_png(bytes(image.value)) for image in pictures.children)
    assert buttons.children[0].description == "Stop" and str(tmp_path) in buttons.children[1].value


def test_stop_keeps_what_there_is(tmp_path):
    run = notebook.breed("a red disc", generations=100_000, population_size=8, out=tmp_path / "r", search="ga", **TOY)
    run.stop()
    assert run.wait().generations < 100_000 and (tmp_path / "r" / "report.html").is_file()


def test_an_error_of_the_search_is_raised_by_wait(tmp_path):
    (tmp_path / "r").write_text("in the way")
    run = notebook.breed("a red disc", generations=1, out=tmp_path / "r", **TOY)
    with pytest.raises(RunUnwritable, match="is a file"):
        run.wait()


@pytest.mark.parametrize(
    ("fields", "error"),
    [({"callbacks_each": 0}, BadInput), ({"generations": -1}, BadInput), ({"config": "nonsense"}, UnknownName)],
)
def test_what_cannot_be_is_said_before_anything_is_drawn(fields, error):
    with pytest.raises(error):
        notebook.breed("a red disc", **{"generations": 1, **fields})


def test_a_run_and_its_summary_are_shown_with_everything_in_them(tmp_path):
    summary = notebook.breed("a red <b>disc</b>", generations=2, out=tmp_path / "r", **TOY).wait()
    html = summary._repr_html_()
    assert html == RunFolder(tmp_path / "r")._repr_html_()
    assert html.count("data:image/png;base64,") == 2 and "best score" in html
    assert "<b>disc</b>" not in html and "&lt;b&gt;disc&lt;/b&gt;" in html and "http" not in html


def test_a_folder_without_a_run_is_shown_as_such(tmp_path):
    assert "no run" in RunFolder(tmp_path)._repr_html_()


def test_pictures_are_picked_and_bred_by_hand():
    picker = notebook.Picker("a red disc", size=4, **TOY)
    assert len(picker.widget.children[1].children) == 4 and len(picker.picked) == 0
    picker.children()
    assert "Pick at least one" in picker.widget.children[0].children[3].value
    picker.tick(1)
    favourite = picker.picked
    picker.children()
    assert favourite.shape == (1, picker._artist.generator.space.dim)
    assert picker.widget.children[0].children[3].value == "" and len(picker.widget.children[1].children) == 4
    picker.undo()
    assert bool((picker.picked == favourite).all())


def test_the_notebook_of_the_project_runs(tmp_path, monkeypatch):
    """All cells, as they stand, with a short search and the toy models; nothing is fetched."""
    nbformat, nbclient = (pytest.importorskip(name, reason=f"needs {name}") for name in ("nbformat", "nbclient"))
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    cells = nbformat.read(NOTEBOOK, as_version=4)
    for cell in cells.cells:
        for said, short in SHORT.items():
            cell.source = cell.source.replace(said, short)
    assert all(short in "".join(cell.source for cell in cells.cells) for short in SHORT.values())
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    nbclient.NotebookClient(cells, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in cells.cells for output in cell.get("outputs", ())]
    assert not [output for output in shown if output.output_type == "error"]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"text/html", "application/vnd.jupyter.widget-view+json"} <= kinds


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
