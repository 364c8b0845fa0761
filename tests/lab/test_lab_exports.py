"""What the lab trains can be used at once: train, export, then `--judge EXPORT` and `--scorer EXPORT` of a run."""

import json

import pytest
import torch
from lab_helpers import CLASSES, VOCABULARY, recipe
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.config import RunConfig
from zeuxis.hub.model_file import read_model
from zeuxis.lab.train import train
from zeuxis.run import check_config
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.workflows import generate, resume

TOY = {
    "prompt": ("a red cat",), "generator": "toy", "scorer": ("toy",), "judge": None, "search": "ga", "population": 4,
    "generations": 1, "view_every": 1, "micro_batch": 4, "precision": "fp32", "device": "cpu", "seed": 7,
}  # fmt: skip


@pytest.fixture(scope="module")
def exports(data, weights, tmp_path_factory):
    """The folder of one training's exported files, by the name of its recipe; each is trained once."""
    done = {}

    def of(name, **options):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            train(recipe(name, images=16, options=options), data, folder, weights=weights)
            done[name] = folder / "export"
        return done[name]

    return of


def run(folder, **changes):
    """A run of the toys with these parts, begun, checked against its dry run, and resumed for one generation more."""
    config = TOY | changes
    check_config(RunConfig(**config))
    generate(out=folder, **config)
    return resume(folder, generations=2)


@pytest.mark.parametrize("net", ["speedrun", "trunk"])
def test_a_trained_classifier_judges_a_run(net, exports, tmp_path):
    path = exports(net) / ("judge.safetensors" if net == "speedrun" else "trunk.safetensors")
    assert read_model(path).family == net
    summary = run(tmp_path / "run", judge=str(path))
    assert set(summary.judged.label) <= set(CLASSES) == set(make_judge(str(path)).classes)
    found = torch.as_tensor(summary.judged.confidence)
    assert found.shape == (4,) and bool((found > 0).all())


def test_a_trained_dual_encoder_scores_a_run(exports, tmp_path):
    path = exports("contrastive") / "scorer.safetensors"
    assert sorted(read_model(path).parts) == ["encoder", "text"]
    assert make_scorer(str(path)).wordpiece.vocabulary == VOCABULARY
    run(tmp_path / "run", scorer=(str(path),), judge=str(path))


def test_the_command_line_takes_exports_and_its_dry_run_agrees(exports, tmp_path):
    judge, scorer = exports("speedrun") / "judge.safetensors", exports("contrastive") / "scorer.safetensors"
    words = ["generate", "a red cat", "--config", "toy-ga", "--population", "4", "--generations", "1", "--seed", "7"]
    words += ["--precision", "fp32", "--scorer", str(scorer), "--judge", str(judge)]
    dry = CliRunner().invoke(app, [*words, "--dry-run"])
    assert dry.exit_code == 0 and json.loads(dry.stdout)["judge"] == str(judge)
    real = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "run"), "--top", "0"])
    assert real.exit_code == 0, real.output
    wrong = [*words[:-3], str(judge), "--judge", str(judge)]
    said = "judge.safetensors holds a classifier (speedrun), which scores no pictures"
    for more in (["--dry-run"], ["--out", str(tmp_path / "none")]):
        refused = CliRunner().invoke(app, [*wrong, *more])
        assert refused.exit_code == 2 and said in " ".join(refused.output.split())
    assert not (tmp_path / "none").exists()
