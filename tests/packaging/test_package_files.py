"""What an installed package holds. The build itself, and the wheel in a fresh environment: pytest -m long."""

import fnmatch
import importlib
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import zeuxis

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "zeuxis"
NEEDED = ("py.typed", "pocket/*.safetensors", "pocket/*.md", "lab/recipes/*.toml", "report/*.html", "*/*.txt")


def files():
    """Every file of the package as a wheel names it, without what Python leaves behind."""
    found = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pattern", NEEDED)
def test_what_the_program_reads_lies_inside_the_package(pattern):
    assert fnmatch.filter(files(), f"zeuxis/{pattern}")


def test_no_file_of_the_package_is_left_out_of_the_build():
    """The build backend leaves out what git ignores."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    names = "\n".join(sorted(files()))
    ignored = subprocess.run(
        ["git", "check-ignore", "--stdin"], cwd=ROOT, input=names, capture_output=True, text=True, check=False
    )
    assert ignored.stdout == ""


def test_the_metadata_say_what_is_there():
    said = project()["project"]
    module, _, function = said["scripts"]["zeuxis"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert all((ROOT / name).is_file() for name in [*said["license-files"], said["readme"]])
    assert said["dynamic"] == ["version"] and zeuxis.__version__[0].isdigit()
    assert "Typing :: Typed" in said["classifiers"]


def test_every_error_about_an_extra_names_one_that_exists():
    extras = project()["project"]["optional-dependencies"]
    named = {
        word.partition("]")[0]
        for path in PACKAGE.rglob("*.py")
        for word in path.read_text(encoding="utf-8").split("zeuxis[")[1:]
    }
    assert {name for name in named if name.isidentifier()} <= set(extras)


def test_python_m_zeuxis_is_zeuxis(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "zeuxis", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"zeuxis {zeuxis.__version__}\n" and done.returncode == 0


def python_of(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def do(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **more)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the sdist and the wheel, and in `again/` the wheel that is built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    venv.create(folder / "env", with_pip=True)
    python = python_of(folder / "env")
    if do(python, "-m", "pip", "install", "--quiet", *project()["build-system"]["requires"]).returncode:
        pytest.skip("the build backend cannot be installed here: no network?")
    for source, place in ((ROOT, folder), (None, folder / "again")):
        if source is None:
            with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
                archive.extractall(folder, filter="data")
            source = next(path for path in folder.glob("zeuxis-*") if path.is_dir())
        done = do(python, "-m", "hatchling", "build", "-d", place, cwd=source)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
def test_the_wheel_holds_every_file_of_the_package_and_the_sdist_makes_the_same(built):
    wheels = [next(place.glob("*.whl")) for place in (built, built / "again")]
    contents = [{f.filename: f.CRC for f in zipfile.ZipFile(wheel).infolist()} for wheel in wheels]
    assert contents[0] == contents[1]
    inside = {name for name in contents[0] if name.startswith("zeuxis/")}
    assert inside == files()
    assert {Path(name).name for name in contents[0]} >= {"METADATA", "LICENSE", "NOTICE", "entry_points.txt"}


@pytest.mark.long
def test_the_wheel_works_in_a_fresh_environment(built, tmp_path):
    """What it depends on is taken from this environment, by its place on the path, which follows no other link."""
    venv.create(tmp_path / "env", with_pip=True)
    python = python_of(tmp_path / "env")
    site = do(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    others = sorted(
        {str(Path(module.__file__).parents[1]) for module in map(importlib.import_module, ("torch", "typer"))}
    )
    (Path(site) / "others.pth").write_text("\n".join(others), encoding="utf-8")
    assert do(python, "-m", "pip", "install", "--no-deps", "--quiet", next(built.glob("*.whl"))).returncode == 0
    program = python.with_name("zeuxis")
    where = do(python, "-c", "import zeuxis; print(zeuxis.__file__)", cwd=tmp_path).stdout
    assert where.startswith(str(tmp_path))
    doctor = do(program, "doctor", "--json", cwd=tmp_path)
    assert doctor.returncode == 0 and json.loads(doctor.stdout)["usable"], doctor.stdout
    for phrase in ("a red fire truck", "a red shoe"):
        out = tmp_path / phrase.replace(" ", "-")
        words = ("generate", phrase, "--population", 8, "--generations", 1, "--seed", 1, "--quiet", "--out", out)
        done = do(program, *words, cwd=tmp_path)
        assert done.returncode == 0 and (out / "report.html").is_file(), done.stderr
    listed = do(program, "list", "recipes", cwd=tmp_path).stdout.split()
    assert "stylegan2-products" in listed
