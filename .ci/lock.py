"""The versions and hashes that CI installs: requirements/{core,test,docs}.txt, each without what those before it have.

python .ci/lock.py            resolve anew with pip and write them (CPython 3.11, Linux, x86-64; some minutes)
python .ci/lock.py --check    is what is installed here exactly what they say?
python .ci/lock.py --fits     exit code 0 on a machine that they are for

torch has no hash: its builds for CPU and GPU differ, and each machine has its own. Its version is held.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "requirements"
EXTRAS = {"core": "", "test": "test", "docs": "docs"}
UNHASHED = "torch"
NOT_HELD = {"zeuxis", "pip", "setuptools"}  # the environment's own
WITH_TORCH = ("nvidia-", "cuda-", "triton")  # what torch brings on a machine with a GPU
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
HEAD = """# Made by `python .ci/lock.py` for CPython 3.11 on Linux, x86-64; do not edit.
# What `pip install {what}` needs{beyond}.
# pip install --require-hashes --no-deps -r requirements/{name}.txt
"""

Rows = dict[str, dict[str, Any]]  # of pip's report, by name


def resolved() -> Rows:
    """What pip would install: {name: its entry in pip's report}."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--report", report, ".[test,docs]"], cwd=ROOT, check=True)
        return {canonicalize_name(row["metadata"]["name"]): row for row in json.loads(report.read_text())["install"]}


def needed(rows: Rows, name: str, extras: frozenset[str], seen: dict[str, frozenset[str]]) -> set[str]:
    """Every package that `name` with `extras` needs, itself left out."""
    if extras <= seen.get(name, frozenset()) and name in seen:
        return set()
    seen[name] = seen.get(name, frozenset()) | extras
    found: set[str] = set()
    for text in rows[name]["metadata"].get("requires_dist", []):
        wanted = Requirement(text)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            other = canonicalize_name(wanted.name)
            found |= {other} | needed(rows, other, frozenset(wanted.extras), seen)
    return found


def write(rows: Rows) -> None:
    """The files."""
    before: set[str] = set()
    for name, extra in EXTRAS.items():
        mine = needed(rows, "zeuxis", frozenset({extra}), {}) - before - NOT_HELD
        beyond = f", beyond {' and '.join(list(EXTRAS)[: list(EXTRAS).index(name)])}" if before else ""
        text = HEAD.format(name=name, what=f"'.[{extra}]'" if extra else ".", beyond=beyond)
        for package in sorted(mine):
            version = rows[package]["metadata"]["version"].partition("+")[0]
            if package == UNHASHED:
                (FOLDER / "torch.txt").write_text(
                    f"# By version only: its builds differ by machine.\n{package}=={version}\n"
                )
                continue
            digest = rows[package]["download_info"]["archive_info"]["hashes"]["sha256"]
            text += f"{package}=={version} --hash=sha256:{digest}\n"
        (FOLDER / f"{name}.txt").write_text(text)
        before |= mine


def held() -> dict[str, str]:
    """The versions in the files."""
    pins = [pin for path in sorted(FOLDER.glob("*.txt")) for pin in PIN.findall(path.read_text())]
    return {canonicalize_name(name): version for name, version in pins}


def differences() -> list[str]:
    """What is installed in other versions than the files say, or is not in them."""
    pins, said = held(), []
    for found in importlib.metadata.distributions():
        name, version = canonicalize_name(found.metadata["Name"]), found.version.partition("+")[0]
        if name not in NOT_HELD and not name.startswith(WITH_TORCH) and pins.get(name) != version:
            said.append(f"{name} {version} is installed, {pins.get(name, 'nothing')} is locked")
    return sorted(said)


def fits() -> bool:
    """Whether the wheels in the files are those of this machine."""
    here = (sys.version_info[:2], platform.python_implementation(), platform.system(), platform.machine())
    return here == ((3, 11), "CPython", "Linux", "x86_64")


if __name__ == "__main__":
    if "--fits" in sys.argv:
        sys.exit(not fits())
    elif "--check" not in sys.argv:
        write(resolved())
    elif not fits():
        print("not the platform of requirements/: versions are not compared")
    elif said := differences():
        sys.exit("\n".join([*said, "Resolve anew: python .ci/lock.py"]))
