"""Files of the user that an option names are not replaced by something of another kind, sparse files cost nothing."""

import json
import os

import pytest
from typer.testing import CliRunner

from zeuxis import configs
from zeuxis.cli.main import app
from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.evaluation.embedding import check_reference_place
from zeuxis.run import RunFolder, open_session

SMALL = {"generator": "toy", "scorer": ("toy",), "judge": None, "search": "ga", "population": 4, "generations": 1}


@pytest.mark.parametrize("name", ["notes.txt", "run.json", "recipe.toml"])
def test_write_config_replaces_configurations_only(tmp_path, name):
    path = tmp_path / name
    path.write_text("task = 'adversarial'\n" if name == "recipe.toml" else "{}\n" if name == "run.json" else "precious")
    before = path.read_bytes()
    with pytest.raises(BadInput, match=r"holds something else\. Give another name"):
        configs.write_config(RunConfig(prompt=("a red disc",)), path)
    assert path.read_bytes() == before
    own = configs.write_config(RunConfig(prompt=("a red disc",)), tmp_path / "own.toml")
    assert configs.write_config(RunConfig(prompt=("a blue disc",)), own) == own and "blue" in own.read_text()


def test_save_reference_replaces_references_only(tmp_path):
    run = tmp_path / "run.safetensors"
    run.write_bytes(b"precious")
    for path, said in ((tmp_path / "run.json", "ends in .safetensors"), (run, "holds something else")):
        with pytest.raises(BadInput, match=said):
            check_reference_place(path)
    check_reference_place(tmp_path / "new.safetensors")


def test_a_name_twice_in_a_table_of_json_is_refused_as_in_toml(tmp_path):
    path = tmp_path / "twice.json"
    path.write_text('{"population": 4, "population": 5}')
    with pytest.raises(BadInput, match="'population' is in a table twice"):
        configs.read_config(path)


def test_a_sparse_log_of_times_is_said_and_not_read(tmp_path):
    with open_session(RunConfig(prompt=("a red disc",), **SMALL), tmp_path / "run") as session:
        for _ in session:
            pass
        session.finish()
    folder = RunFolder(tmp_path / "run")
    os.truncate(folder.timing_path, 5 * 2**30)
    folder = RunFolder(tmp_path / "run")
    assert all(row.images_per_second is None for row in folder.history())
    assert any("too large for this run" in note for note in folder.notes)


def test_the_help_of_generate_shows_no_internals():
    said = CliRunner().invoke(app, ["generate", "--help"]).output
    assert "Annotated" not in said and "FieldInfo" not in said and json.dumps(None) not in said
