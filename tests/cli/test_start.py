"""What a start imports, and in which environment torch is loaded."""

import json
import os
import subprocess
import sys

import pytest

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SEEN = f"""
import json, os, sys
class Seen:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(json.dumps({{n: os.environ.get(n) for n in {WAITING!r}}}), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Seen())
sys.argv[0] = "zeuxis"
"""
COMMAND = "from zeuxis.cli.main import main; main()"
ENTRIES = {
    "import": ("import zeuxis; import torch", ()),
    "import of a part": ("import zeuxis.search.base", ()),
    "python -m zeuxis": ("import runpy; runpy.run_module('zeuxis', run_name='__main__')", ("generate", "a frog")),
    # as a process of a pool begins: by unpickling what it is to do
    "worker": ("import pickle; pickle.loads(b'czeuxis.experiments.execute\\n_work\\n.')", ()),
    **{
        words[0]: (COMMAND, words)
        for words in (
            ("generate", "a frog"),
            ("resume", "runs/none"),
            ("replay", "none.png"),
            ("compare", "--phrase", "red"),
            ("bank", "list"),
            ("sample",),
            ("mix", "--rows", "1", "--columns", "2"),
            ("interpolate", "--seeds", "1,2"),
            ("arithmetic", "a.png + b.png"),
            ("train", "pocket-judge", "--data", "."),
            ("doctor",),
        )
    },
}


def python(code, words=(), **environment):
    clean = {name: value for name, value in os.environ.items() if name not in WAITING}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=clean | environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("entry", ENTRIES)
def test_threads_sleep_while_they_wait_whatever_loads_torch(entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, words = ENTRIES[entry]
    done = python(SEEN + code, words)
    assert json.loads(done.stdout or "null") == dict(zip(WAITING, ("PASSIVE", "0", "0"), strict=True)), done.stderr


def test_the_users_own_wait_policy_wins():
    done = python(SEEN + ENTRIES["import"][0], OMP_WAIT_POLICY="ACTIVE")
    assert json.loads(done.stdout) == {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": None, "KMP_BLOCKTIME": None}
    done = python(SEEN + ENTRIES["import"][0], GOMP_SPINCOUNT="100")
    assert json.loads(done.stdout) == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "100", "KMP_BLOCKTIME": "0"}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("list", "searches"), ("list", "generators")])
def test_a_short_command_imports_nothing_large(words):
    heavy = ("torch", "pydantic", "matplotlib", "jinja2", "numpy", "rich", "sympy", "importlib.metadata")
    code = (
        f"import atexit, sys; heavy = {heavy}; sys.argv[0] = 'zeuxis'\n"
        f"atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))\n{COMMAND}"
    )
    done = python(code, words)
    assert done.returncode == 0 and done.stdout
    allowed = ["pydantic", "importlib.metadata"] if words[0] == "list" else []
    assert set(json.loads(done.stderr.strip().splitlines()[-1].replace("'", '"'))) <= set(allowed)


def test_the_first_pictures_need_neither_the_compiler_of_torch_nor_figures(tmp_path):
    code = (
        "import sys\nfrom zeuxis.config import make_config\nfrom zeuxis.run import open_session\n"
        "with open_session(make_config(prompt=('a red shoe',), population=2, augment=0), 'run') as run:\n"
        "    next(iter(run))\n"
        "print([name for name in ('torch._dynamo', 'sympy', 'matplotlib', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize(("load", "said"), [(99.0, True), (0.0, False)])
def test_a_busy_machine_is_named_once(load, said):
    from typer.testing import CliRunner

    from zeuxis.cli.main import app

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.getloadavg", lambda: (load, 0.0, 0.0), raising=False)
        result = CliRunner().invoke(app, ["generate", "red", "--search", "none"])
        quiet = CliRunner().invoke(app, ["generate", "red", "--search", "none", "--quiet"])
    assert result.output.count("This machine is busy (load 99.0 on") == said and "busy" not in quiet.output


def test_torch_before_zeuxis_is_told_where_it_costs_time():
    said = "import os; os.getloadavg = lambda: (99.0, 0, 0); from zeuxis.compute import threads; print(threads.late())"
    first = "import sys; sys.modules['torch'] = None; "  # as if it had been imported
    assert "Import zeuxis first" in python(first + said).stdout
    for code, environment in ((said, {}), (first + said, {"OMP_WAIT_POLICY": "PASSIVE"})):
        assert python(code, **environment).stdout == "\n"
