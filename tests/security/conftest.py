"""What the attacks share: a small run of the toys, one whose judge is a file, and a look at whole folders."""

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import zeuxis
from zeuxis.cli.main import app
from zeuxis.prompts.series import escaped
from zeuxis.report import html
from zeuxis.storage.checksummed import checksummed_json, verified_json
from zeuxis.storage.files import atomic_write

SMALL = (
    "--population",
    "4",
    "--generations",
    "1",
    "--seed",
    "7",
    "--precision",
    "fp32",
    "--augment",
    "0",
    "--top",
    "0",
)
TOYS = ("--generator", "toy", "--scorer", "toy", "--search", "ga", *SMALL)


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    """Curves take a second each, and no attack goes through them."""

    def write(folder, rows):
        atomic_write(folder.path / "curve.png", b"curve")
        return folder.path / "curve.png"

    monkeypatch.setattr(html, "write_curve", write)
    monkeypatch.setattr(html, "curve_png", lambda *what, **how: b"curve")


@pytest.fixture
def zeuxis_():
    def run(*words):
        return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})

    return run


@pytest.fixture(scope="session")
def judge_file(tmp_path_factory):
    """A model file of the user's own."""
    path = tmp_path_factory.mktemp("models") / "my judge.safetensors"
    shutil.copy(Path(zeuxis.__file__).parent / "pocket" / "judge.safetensors", path)
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory, judge_file):
    """Two runs: `plain` names no file, `files` names its judge by path."""
    place = tmp_path_factory.mktemp("runs")
    for name, judge in (("plain", "toy"), ("files", judge_file)):
        words = ["generate", "a red disc", *TOYS, "--judge", judge, "--out", place / name, "--quiet"]
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
    return place


@pytest.fixture
def plain(made, tmp_path):
    return Path(shutil.copytree(made / "plain", tmp_path / "run"))


@pytest.fixture
def files(made, tmp_path):
    return Path(shutil.copytree(made / "files", tmp_path / "run of files"))


@pytest.fixture
def somebody_else(tmp_path, monkeypatch):
    """From here on the user is another one: what is in a folder was not said by him."""
    monkeypatch.setenv("ZEUXIS_DATA", str(tmp_path / "data of another"))


@pytest.fixture
def rewrite():
    """Changes a checksummed file as somebody who knows how they are made."""

    def change(path, how):
        content = verified_json(path)
        how(content)
        path.write_bytes(checksummed_json(content))

    return change


@pytest.fixture
def contents():
    """Every file of a folder with its content."""
    return lambda folder: {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(Path(folder).rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def compare_words():
    """The words of a small `zeuxis compare` into a folder."""

    def words(out, *phrases, seeds):
        asked = [word for phrase in phrases for word in ("--phrase", escaped(phrase))]
        toy = ["--generator", "toy", "--scorer", "toy", "--judge", "none", "--precision", "fp32"]
        size = ["--seeds", seeds, "--population", 4, "--generations", 2]
        return ["compare", "--search", "random", "--baseline", "random", *asked, *size, *toy, "--out", out]

    return words
