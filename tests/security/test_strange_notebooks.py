"""A configuration of somebody else in a notebook: no code, no files; and nothing that is shown is HTML of his."""

import sys

import pytest

from zeuxis import notebook
from zeuxis.config import make_config
from zeuxis.configs import write_config
from zeuxis.errors import BadInput
from zeuxis.trust import mark_of

pytest.importorskip("ipywidgets", reason="needs ipywidgets: pip install 'zeuxis[notebook]'")
TOY = {"generator": "toy", "scorer": "toy", "judge": None}
HTML = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("line", ['generator = "spoilt:factory"', 'scorer = ["spoilt:factory:0.5"]',
                                  'search = "spoilt:factory"', 'judge = "spoilt:factory"'])  # fmt: skip
def test_code_that_a_configuration_names_is_not_imported(line, tmp_path, monkeypatch):
    (tmp_path / "spoilt.py").write_text("open('was here', 'w')\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text(line)
    with pytest.raises(BadInput, match="is code outside the program"):
        notebook.breed("a red disc", config="c.toml", generations=1)
    assert not (tmp_path / "was here").exists() and "spoilt" not in sys.modules


@pytest.mark.parametrize("line", ['generator = "/etc/passwd"', 'image_prompt = ["private.png"]',
                                  'start_from = ["private.png"]'])  # fmt: skip
def test_files_that_a_configuration_names_are_asked_for(line, tmp_path):
    (tmp_path / "c.toml").write_text(line)
    with pytest.raises(BadInput, match="trust_paths=True"):
        notebook.breed("a red disc", config=str(tmp_path / "c.toml"), generations=1)


def test_ones_own_configuration_and_what_is_said_go_on_unasked(tmp_path, judge_file):
    fields = TOY | {"prompt": ("x",), "judge": str(judge_file), "search": "ga", "augment": 0}
    path = write_config(make_config(**fields), tmp_path / "own.toml", mark_of(fields))
    foreign = write_config(make_config(**fields), tmp_path / "foreign.toml")
    for number, how in enumerate(({"config": str(path)}, {"config": str(foreign), "trust_paths": True},
                                  {"config": str(foreign), "judge": str(judge_file)})):  # fmt: skip
        run = notebook.breed("a red disc", generations=1, population_size=4, out=tmp_path / str(number), **how)
        assert run.wait().generations == 2


def test_lines_of_the_widgets_are_text(tmp_path):
    run = notebook.breed("a red disc", generations=1, population_size=4, out=tmp_path / HTML, search="ga", **TOY)
    run.wait()
    assert "&lt;img src=x" in run._line.value and "<img" not in run._line.value
    picker = notebook.Picker("a red disc", size=3, **TOY)

    def fails():
        raise BadInput(f"Expected something else, got {HTML!r}.")

    picker._tried(fails)
    assert "&lt;img src=x" in picker._line.value and "<img" not in picker._line.value
