"""What a received folder or file would have read by path is said and asked for; the user's own runs go on unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zeuxis import plugins
from zeuxis.config import make_config
from zeuxis.configs import read_config, write_config
from zeuxis.errors import BadInput
from zeuxis.lab import recipe_files
from zeuxis.storage import marks
from zeuxis.storage.checksummed import verified_json
from zeuxis.trust import mark_of, named_files
from zeuxis.workflows import Outputs, resume

MORE = ("--generations", "2", "--top", "0", "--quiet")


def refused(result, *words):
    said = " ".join(result.output.split())
    assert result.exit_code == 2 and "--trust-paths" in said and all(str(word) in said for word in words), said


def test_ones_own_run_with_a_model_file_goes_on_unasked(files, zeuxis_):
    result = zeuxis_("resume", files, *MORE)
    assert result.exit_code == 0, result.output
    assert zeuxis_("resume", files, "--generations", 3, "--top", 0, "--quiet").exit_code == 0


def test_a_received_run_asks_before_a_file_is_read_and_changes_nothing(
    files, judge_file, zeuxis_, somebody_else, contents, monkeypatch
):
    before = contents(files)
    monkeypatch.setattr("zeuxis.run.prepare.check_judge", lambda name: pytest.fail("looked for the file"))
    refused(zeuxis_("resume", files, *MORE), f"judge {str(judge_file)!r}")
    refused(zeuxis_("generate", "a red disc", "--out", files, "--judge", "auto"), judge_file.name)
    with pytest.raises(BadInput, match="trust_paths=True"):
        resume(files, generations=2)
    assert contents(files) == before


def test_once_allowed_it_is_ones_own(files, zeuxis_, somebody_else):
    assert zeuxis_("resume", files, *MORE, "--trust-paths").exit_code == 0
    assert resume(files, generations=3, outputs=Outputs(report=False, top=0)).generations == 4


def test_what_is_repeated_on_the_command_line_is_said(files, judge_file, zeuxis_, somebody_else):
    refused(zeuxis_("resume", files, *MORE, "--scorer", "toy"))
    result = zeuxis_("resume", files, *MORE, "--judge", judge_file)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("generator", "/home/other/secret.safetensors"),
        ("generator", "\\\\evil.example\\share\\g.safetensors"),
        ("scorer", ["../../private/folder:0.5"]),
        ("judge", "~/x.pkl"),
        ("image_prompt", ["/home/me/passport.png:0.5"]),
    ],
)
def test_a_changed_name_voids_the_mark(files, rewrite, zeuxis_, field, name, contents):
    rewrite(files / "run.json", lambda record: record["config"].update({field: name}))
    before = contents(files)
    refused(zeuxis_("resume", files, *MORE), field.replace("_", " "))
    assert contents(files) == before


def test_a_mark_of_somebody_else_or_none_is_not_mine(files, plain, rewrite, zeuxis_):
    assert "mark" not in verified_json(plain / "run.json")
    for mark in (None, "", "0" * 32, "x", "é", verified_json(files / "run.json")["mark"][::-1]):
        rewrite(files / "run.json", lambda record, mark=mark: record.update(mark=mark))
        refused(zeuxis_("resume", files, *MORE))
    rewrite(files / "run.json", lambda record: record.pop("mark"))  # as an older version wrote it
    refused(zeuxis_("resume", files, *MORE))


def test_a_run_that_names_no_file_goes_on_for_anybody(plain, zeuxis_, somebody_else):
    assert zeuxis_("resume", plain, *MORE).exit_code == 0
    assert not marks.secret_path().exists()  # nothing to mark, no secret


@pytest.mark.parametrize("kind", ["toml", "json", "run.json"])
def test_a_received_configuration_asks(files, judge_file, zeuxis_, somebody_else, tmp_path, kind):
    path = files / "run.json"
    if kind != "run.json":
        path = tmp_path / f"c.{kind}"
        judge = json.dumps(str(judge_file))
        path.write_text(f"judge = {judge}" if kind == "toml" else f'{{"judge": {judge}}}')
    words = ["generate", "a red disc", "--config", path, "--dry-run", "--generator", "toy", "--scorer", "toy"]
    refused(zeuxis_(*words), judge_file.name)
    for more in (["--trust-paths"], ["--judge", judge_file]):
        result = zeuxis_(*words, *more)
        assert result.exit_code == 0, result.output
    assert zeuxis_(*words, "--judge", "toy").exit_code == 2  # the file still says what it says: look at it


def test_a_configuration_that_i_wrote_is_mine_until_it_names_another_file(judge_file, zeuxis_, tmp_path):
    path = tmp_path / "c.toml"
    words = ["a red disc", "--generator", "toy", "--scorer", "toy", "--judge", judge_file]
    assert zeuxis_("generate", *words, "--write-config", path).exit_code == 0
    path.write_text(path.read_text() + "\n[stop]\ngenerations = 3\n")
    assert zeuxis_("generate", "--config", path, "--dry-run").exit_code == 0
    path.write_text(path.read_text().replace("my judge", "their judge"))
    refused(zeuxis_("generate", "--config", path, "--dry-run"), "their judge")
    plain = write_config(make_config(prompt=("a",)), tmp_path / "p.toml")
    assert "mark" not in plain.read_text() and make_config(**read_config(path)).judge


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("toy", False),
        ("toy:0.5", False),
        ("auto", False),
        ("none", False),
        ("clip-vit-b-32", False),
        ("openai/clip-vit-base-patch32", False),
        ("own:Scorer", False),
        ("misspelt", False),
        ("x\0", False),
        ("here", True),
        ("org/here", True),
        ("./toy", True),
        ("toy/", True),
        ("..", True),
        ("x.safetensors", True),
        ("a/b.pkl", True),
        ("~", True),
        ("C:\\x", True),
        ("\\\\host\\share", True),
        ("//host/share", True),
        ("/dev/zero", True),
        ("/proc/self/fd/0", True),
        ("x" * 5000 + "/y", True),
        ("file:///etc/passwd", True),
    ],
)
def test_what_counts_as_a_path(tmp_path, monkeypatch, name, is_one):
    monkeypatch.chdir(tmp_path)
    for place in ("here", "toy", "org/here"):
        (tmp_path / place).mkdir(parents=True)
    assert bool(named_files({"scorer": [name]})) == is_one
    assert named_files({"image_prompt": ("toy",), "generator": 7, "judge": None}) == [("image_prompt", "toy")]


def test_a_network_share_is_not_even_looked_at(monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path: pytest.fail(f"looked at {path}"))
    assert len(named_files({"generator": "\\\\evil\\x", "judge": "//evil/x/y", "scorer": ["/net/evil/x"]})) == 3


def test_only_a_secret_of_ones_own_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_DATA", str(tmp_path / "data"))
    fields = {"judge": "/x"}
    mark = mark_of(fields)
    path = marks.secret_path()
    assert len(mark) == 32 and path.stat().st_mode & 0o777 == 0o600 and mark == mark_of(fields)
    assert mark != mark_of({"generator": "/x"}) and mark_of({"judge": "toy"}) == ""
    assert marks.marked(["judge=/x"], mark) and not marks.marked(["judge=/y"], mark)
    path.chmod(0o644)
    assert not marks.marked(["judge=/x"], mark)
    path.chmod(0o600)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert not marks.marked(["judge=/x"], mark)
    monkeypatch.setenv("ZEUXIS_DATA", "/dev/null/x")  # no place for a secret: no marks, no error
    assert mark_of(fields) == "" and not marks.marked(["judge=/x"], "")


def test_a_received_experiment_asks_for_the_files_of_its_variants(
    tmp_path, zeuxis_, compare_words, rewrite, somebody_else, contents
):
    folder = tmp_path / "all"
    words = compare_words(folder, "red", seeds=1)
    assert zeuxis_(*words).exit_code == 0
    rewrite(folder / "design.json", lambda d: d["variants"].append("random generator=/home/other/x.safetensors"))
    before = contents(folder)
    refused(zeuxis_(*words), "/home/other/x.safetensors")
    assert {k: v for k, v in contents(folder).items() if k != "lock"} == {
        k: v for k, v in before.items() if k != "lock"
    }
    assert zeuxis_(*words, "--trust-paths").exit_code == 0


def test_a_received_recipe_asks_for_its_folder(tmp_path):
    (tmp_path / "r.toml").write_text('task = "alignment"\nimages = 8\n[options]\ncache = "/home/me/.ssh"\n')
    with pytest.raises(BadInput, match="--trust-paths"):
        recipe_files.load(tmp_path / "r.toml")
    assert recipe_files.load(tmp_path / "r.toml", True).options["cache"] == "/home/me/.ssh"


def test_no_mark_and_no_flag_lets_code_in(plain, rewrite, zeuxis_, tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "_trusted", set())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_evil.py").write_text("import pathlib\npathlib.Path('imported').touch()\n")
    for field in ("search", "generator", "judge"):
        rewrite(plain / "run.json", lambda record, field=field: record["config"].update({field: "own_evil:X"}))
        result = zeuxis_("resume", plain, *MORE, "--trust-paths")
        assert result.exit_code == 2 and "own_evil:X" in result.output and not Path("imported").exists()
