"""Mistakes in code of one's own: each is one sentence that names it, and none is called a fault of the program."""

import sys

import pytest
from typer.testing import CliRunner

from zeuxis import plugins
from zeuxis.cli.main import app

TOY = ("--config", "toy-ga", "--population", "4", "--generations", "2", "--seed", "7", "--precision", "fp32")
CODE = """
import torch
from zeuxis.generators.toy import ToyGenerator
from zeuxis.scorers.toy import ToyScorer
from zeuxis.search.random import RandomSearch


class Scorer(ToyScorer):
    def score(self, images, prepared):
        score = super().score(images, prepared)
        {scorer}


class Generator(ToyGenerator):
    def render(self, x):
        images = super().render(x)
        {generator}


class Search(RandomSearch):
    def __init__(self, space, population=64, device=torch.device("cpu")):
        super().__init__(space, population, device, "own")

    def _ask(self, rng):
        x = super()._ask(rng)
        {ask}

    def _tell(self, x, score, evaluation):
        kept = super()._tell(x, score, evaluation)
        {tell}
"""
RIGHT = {"scorer": "return score", "generator": "return images", "ask": "return x", "tell": "return kept"}
CASES = [
    ("scorer", "return score.tolist()", "Expected the scorer", "got list"),
    ("scorer", "return score[:, None]", "Expected the scorer", "got a tensor (4, 1)"),
    ("scorer", "return score.mean()", "Expected the scorer", "got a tensor ()"),
    ("scorer", "return score[:-1]", "Expected the scorer", "got a tensor (3,)"),
    (
        "scorer",
        "raise ValueError('no words')",
        "Code from outside the program failed",
        "line 11): ValueError: no",
    ),
    ("scorer", "open('/nowhere/file')", "Code from outside the program failed", "FileNotFoundError"),
    ("scorer", "raise SystemExit(0)", "Code from outside the program ended it", "line 11"),
    ("generator", "return None", "Expected the generator", "got NoneType"),
    ("generator", "return images * 255", "Expected the pictures of the generator", "in [0, 1], got values from"),
    ("generator", "return (images * 255).byte()", "Expected the generator", "got torch.uint8"),
    ("generator", "return images[:, :, ::2, ::2]", "Expected the generator", "got torch.float32 (2, 3, 16, 16)"),
    ("generator", "return images[:-1]", "Expected the generator", "got torch.float32 (1, 3, 32, 32)"),
    ("generator", "return 1 / 0", "Code from outside the program failed", "ZeroDivisionError"),
    ("ask", "return None", "to ask for latents (N, ", "got NoneType"),
    ("ask", "return x[:, 1:]", "to ask for latents (N, ", "got a tensor (4, "),
    ("ask", "return x[:0]", "to ask for latents (N, ", "got a tensor (0, "),
    ("ask", "return x.double()", "to ask for torch.float32", "got torch.float64"),
    ("tell", "return None", "to keep latents (M, ", "got NoneType"),
    ("tell", "return x, score[:2]", "to keep latents (M, ", "and (2,)"),
    ("tell", "raise KeyError('memory')", "Code from outside the program failed", "KeyError: 'memory'"),
]


@pytest.fixture
def module(tmp_path, monkeypatch):
    name = f"mistaken_{tmp_path.name.replace('-', '_')}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(plugins, "_trusted", set())
    monkeypatch.setattr(plugins, "_places", {})
    yield tmp_path / f"{name}.py"
    sys.modules.pop(name, None)


@pytest.mark.parametrize(("part", "line", "begins", "says"), CASES)
def test_a_mistake_is_named_in_a_sentence(module, part, line, begins, says):
    module.write_text(CODE.format(**RIGHT | {part: line}), encoding="utf-8")
    kind = "search" if part in ("ask", "tell") else part
    words = ("generate", "a red disc", *TOY, f"--{kind}", f"{module.stem}:{kind.capitalize()}", "--out", "run")
    result = CliRunner().invoke(app, words)
    said = " ".join(result.output.split()).partition("Error: ")[2]
    assert result.exit_code == 2, said
    assert begins in said and says in said and "should not have happened" not in said
    assert module.stem in said


def test_the_command_that_goes_on_names_the_code(module):
    later = "if self.generation > 1: raise ValueError('later')\n        return kept"
    module.write_text(CODE.format(**RIGHT | {"tell": later}), encoding="utf-8")
    own = ("--search", f"{module.stem}:Search")
    result = CliRunner().invoke(app, ["generate", "a red disc", *TOY, *own, "--generations", "9", "--out", "run"])
    assert result.exit_code == 2 and f"zeuxis resume run --search {own[1]}" in " ".join(result.output.split())


def test_an_all_nan_scorer_is_refused_by_a_comparison(module):
    module.write_text(CODE.format(**RIGHT | {"scorer": "return score * float('nan')"}), encoding="utf-8")
    own, few = ("--scorer", f"{module.stem}:Scorer"), ("--population", "4", "--generations", "2", "--seeds", "1")
    words = ("--generator", "toy", "--judge", "none", "--search", "ga", "--baseline", "ga", "--phrase", "a red disc")
    result = CliRunner().invoke(app, ["compare", *words, *own, *few, "--out", "c"])
    assert result.exit_code == 2 and "could be scored: all scores are NaN" in result.output
