"""What is imported is declared: in `dependencies`, or in an extra where it may be missing. Nothing comes by luck."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
IMPORTED_AS = {"pillow": "PIL", "ipython": "IPython", "protobuf": "google", "pytest-xdist": "xdist"}
RUNTIME = [name for name in EXTRAS if name not in ("test", "docs")]
BENCHMARK_ONLY = {
    "aiohttp",
    "socketio",
}  # of the extra studio: NiceGUI stands on them, and a benchmark is a client of it


def modules(requirements):
    names = (re.match(r"[A-Za-z0-9._-]+", text)[0].lower() for text in requirements)
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def strangers(folder, declared):
    """Imports of the files below a folder that are neither declared, nor of Python, nor files of the same folder."""
    files = sorted((ROOT / folder).rglob("*.py"))
    own = {path.stem for path in files} | {path.parent.name for path in files} if folder != "zeuxis" else set()
    known = set(sys.stdlib_module_names) | declared | own | {"zeuxis"}
    return {f"{path.relative_to(ROOT)}: {name}" for path in files for name in imported(path) if name not in known}


def everything(*extras):
    return modules([*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])])


def test_the_package_imports_what_it_declares():
    assert strangers("zeuxis", everything(*RUNTIME)) == set()


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "examples", ".ci"])
def test_what_is_beside_the_package_imports_what_is_declared(folder):
    assert strangers(folder, everything(*EXTRAS) | BENCHMARK_ONLY | {"pip"}) == set()


def test_every_dependency_has_a_lower_bound():
    listed = [*PROJECT["dependencies"], *(text for texts in EXTRAS.values() for text in texts)]
    assert [text for text in listed if ">=" not in text] == []


def test_the_lock_holds_every_dependency_within_its_bounds():
    """requirements/*.txt: `python .ci/lock.py` writes them anew."""
    packaging = pytest.importorskip("packaging.requirements")
    rows = [row for path in (ROOT / "requirements").glob("*.txt") for row in path.read_text().splitlines()]
    pins = {row.partition("==")[0]: row.partition("==")[2].split()[0] for row in rows if "==" in row and row[0] != "#"}
    for text in [*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["docs"]]:
        wanted = packaging.Requirement(text)
        assert wanted.specifier.contains(pins[wanted.name.lower()]), f"{text}: {pins[wanted.name.lower()]} is locked"
    hashed = [row for row in rows if "--hash=sha256:" in row]
    assert len(hashed) == len(pins) - 1  # all but torch
    assert not [row for row in rows if "://" in row]


FLAW = {"id": "PYSEC-1", "fix_versions": ["3.1.6"]}
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        ([CLEAN], 0, "no known vulnerability in 1 packages"),
        ([CLEAN, {"name": "jinja2", "version": "3.1.2", "vulns": [FLAW]}], 1, "jinja2 3.1.2: PYSEC-1, mended in 3.1.6"),
        ([{"name": "numpy", "skip_reason": "not found"}], 0, "SKIPPED: no data on 1 of 1 packages, as: not found"),
    ],
)
def test_a_known_vulnerability_fails_and_missing_data_is_said(rows, code, said):
    program = "import json, sys; sys.path.insert(0, sys.argv[1]); import audit; sys.exit(audit.main(sys.argv[2]))"
    command = [sys.executable, "-c", program, str(ROOT / ".ci"), json.dumps({"dependencies": rows})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (code, said), done.stderr
