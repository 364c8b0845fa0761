"""The pages of docs/ and the README name only what is there: files, links, commands, flags. The examples run."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import typer.main

from zeuxis import plugins
from zeuxis.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
WITH_README = [*PAGES, ROOT / "README.md"]
OWN = {"scorer": "horizon", "search": "hill", "generator": "stripes"}
TOPS = ("zeuxis", "tests", "benchmarks", "examples", "docs")
OF_SCRIPTS = {"--case", "--phrase", "--seeds", "--generator", "--data", "--judges", "--prompt", "--measure", "--drawn"}
ENV = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

pages = pytest.mark.parametrize("page", WITH_README, ids=lambda path: path.name)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def in_code(text: str) -> list[str]:
    """Code spans, indented lines and fenced lines, each on one line."""
    text = re.sub(r"\\\n\s*", " ", text)
    blocks = re.findall(r"^(?: {4}| {6})(\S.*)$", text, re.MULTILINE)
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)).split("\n")
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]
    return [*blocks, *fenced, *spans]


@cache
def flags(command: str) -> frozenset[str]:
    """Every flag of a command and of the commands below it."""
    found, left = set(), [typer.main.get_command(COMMANDS[command])]
    while left:
        one = left.pop()
        left += getattr(one, "commands", {}).values()
        found |= {flag for p in one.params for flag in (*p.opts, *p.secondary_opts) if flag.startswith("--")}
    return frozenset(found | {"--help"})


def prose(text: str) -> str:
    """All but the fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    titles = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


@pages
def test_every_file_that_a_page_names_is_there(page):
    found = re.findall(rf"(?<![\w/.])((?:{'|'.join(TOPS)})/[\w*/.+-]*)", read(page))
    assert {name for name in found if not list(ROOT.glob(name.rstrip("./")))} == set()


@pages
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        to = page.parent / file if file else page
        assert to.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in slugs(read(to)), f"{page.name}: {target}"


@pages
def test_every_command_and_flag_is_known(page):
    everything = frozenset().union(*map(flags, COMMANDS)) | {"--version"}
    for line in in_code(read(page)):
        for part in re.split(r"&&|\|\||;|#", line):
            words = part.split()
            if words[:1] == ["zeuxis"] and len(words) > 1 and not words[1].startswith("-"):
                said = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", part))
                assert words[1] == "COMMAND" or words[1] in COMMANDS, f"{page.name}: {line}"
                assert words[1] == "COMMAND" or said <= flags(words[1]), f"{page.name}: {line}"
            elif part.startswith("--"):
                said = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", part))
                assert said <= everything | OF_SCRIPTS, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_lines_are_wrapped(page):
    long = [line for line in prose(read(page)).split("\n") if len(line) > 120 and not line.startswith(("|", "    "))]
    assert [line for line in long if "](" not in line and not line.startswith("`")] == []  # a long command stays whole


def test_the_tree_of_the_readme_is_there():
    tree = read(ROOT / "README.md").partition("## Repository layout")[2].partition("\n## ")[0]
    names = re.findall(r"^ {6}((?:[\w.]+/?\s)+) ", tree, re.MULTILINE)
    found = [name for line in names for name in line.split() if name.endswith(("/", ".py"))]
    assert len(found) > 10 and [name for name in found if not (ROOT / "zeuxis" / name).exists()] == []


def blocks(kind: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", read(ROOT / "docs" / f"own-{kind}.md"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with the modules of the three pages, and what else they run."""
    folder, rest = tmp_path_factory.mktemp("own"), []
    for kind in OWN:
        for block in blocks(kind):
            named = re.match(r"# (\w+\.py)\n", block)
            if named:
                (folder / named[1]).write_text(block, encoding="utf-8")
            else:
                rest.append(block)
    return folder, rest


def test_the_examples_of_the_pages_run(own, monkeypatch):
    folder, rest = own
    assert len(rest) == len(OWN)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(plugins, "_trusted", set())
    for name in OWN.values():
        monkeypatch.delitem(sys.modules, name, raising=False)
    for block in rest:
        exec(compile(block, "page", "exec"), {"__name__": "__main__"})
    assert all((folder / name / "report.html").exists() for name in ("bright", "red", "stripes"))
    for name in OWN.values():
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_examples_of_the_pages_pass_the_contract_tests(own):
    folder, _ = own
    assert sorted(path.name for path in folder.glob("*.py")) == ["check.py", "hill.py", "horizon.py", "stripes.py"]
    adding = [re.search(r"\w+\.add\(\"\w+\", \"[\w:]+\"\)", read(ROOT / f"docs/own-{kind}.md"))[0] for kind in OWN]
    asked = ["-p", "no:cacheprovider", "-o", "addopts=", "tests/contracts", "-k", " or ".join(OWN.values())]
    code = (
        "import sys, pytest\nfrom zeuxis.scorers import SCORERS\nfrom zeuxis.search import SEARCHES\n"
        "from zeuxis.generators import GENERATORS\n" + "\n".join(adding) + "\n"
        f"sys.exit(pytest.main({asked}))"
    )
    env = ENV | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=200)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0 and passed and int(passed[1]) > 40, done.stdout[-3000:]


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("mkdocs", "mkdocstrings_handlers")),
    reason="needs the extra docs: pip install '.[docs]'",
)
def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "PopulationSearch" in (tmp_path / "site/api/search.html").read_text(encoding="utf-8")
