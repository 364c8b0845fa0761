"""A run with several objectives: its pick is what is shown, its front is kept whole, and a resume is exact."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from run_helpers import fingerprint, run_to_the_end, toy_config
from typer.testing import CliRunner

from zeuxis import configs
from zeuxis.cli.main import app
from zeuxis.errors import BadInput
from zeuxis.report.animation import best_frames
from zeuxis.report.facts import front_facts, objective_words
from zeuxis.report.front import front_png, visited
from zeuxis.report.html import write_report
from zeuxis.run import RunFolder, entry, open_session, read_metadata
from zeuxis.run.history import Best
from zeuxis.search.pareto import front_of, knee


def front_config(**changes):
    """Two objectives whose names sort the other way round: "toy", then "realism"."""
    return toy_config(**{"search": "nsga2", "realism": 1.0, "population": 8, "generations": 6, **changes})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("front") / "run"
    with open_session(front_config(), path) as session:
        events = list(session)
        session.finish()
        frames = best_frames(session.folder, session.problem.render)
    return RunFolder(path), events, frames


@pytest.fixture(scope="module")
def page(run):
    return write_report(run[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changes", [{"realism": 0.0}, {"scorer": ("toy", "toy:0"), "realism": 0.0}, {"scorer": ("toy:0",)}]
)
def test_one_objective_is_refused_before_anything_is_written(tmp_path, changes):
    with pytest.raises(BadInput, match=r"--realism 0\.1"):
        open_session(front_config(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_scorers_are_two_objectives(tmp_path):
    run_to_the_end(front_config(scorer=("toy", "toy:-0.5"), realism=0.0, generations=1), tmp_path)
    assert RunFolder(tmp_path).summary()["front"]["objectives"] == ["toy", "toy#2"]


@pytest.mark.parametrize("stop", range(0, 7, 2))
def test_broken_off_anywhere_and_resumed_is_the_unbroken_run(tmp_path, run, stop):
    with open_session(front_config(), tmp_path) as session:
        for event in session:
            if event.generation == stop:
                break
    run_to_the_end(front_config(), tmp_path)
    assert fingerprint(tmp_path) == fingerprint(run[0].path)


def test_without_a_checkpoint_the_log_alone_brings_the_run_back(tmp_path, run):
    with open_session(front_config(), tmp_path) as session:
        for event in session:
            if event.generation == 4:
                break
    shutil.rmtree(tmp_path / "checkpoint")
    run_to_the_end(front_config(), tmp_path)
    assert fingerprint(tmp_path) == fingerprint(run[0].path)


def test_the_log_keeps_the_order_of_the_parts(run):
    assert list(run[0].entry(3).evaluation.parts) == ["toy", "realism"]


def test_the_best_of_the_run_is_the_knee_of_its_last_front(run):
    folder, events, _ = run
    best, front = folder.best, folder.summary()["front"]
    assert torch.equal(best.latent, events[-1].best_latent) and best.score == events[-1].best_score
    values = torch.tensor(front["values"])
    assert knee(values[front_of(values)]) == front["members"].index(0)  # the picked one is the first of the population
    row = (folder.latents(best.generation) == best.latent).all(dim=1).nonzero()[0, 0]
    assert float(folder.scores(best.generation)[row]) == best.score


def test_the_pick_is_on_every_picture_of_the_best(run):
    folder, _, frames = run
    best, info = folder.best, read_metadata(folder.best_image)
    assert info.latent == tuple(best.latent.tolist()) and info.score == pytest.approx(best.score)
    assert info.generation == best.generation == folder.summary()["best"]["generation"]
    assert read_metadata(folder.individual_path(0)).latent == info.latent
    assert (frames[-1].pixels == np.asarray(Image.open(folder.best_image))).all()
    assert sum(frame.held for frame in frames) == folder.generations


def test_the_summary_lists_the_front_along_its_first_objective(run):
    front = run[0].summary()["front"]
    assert (front["objectives"], front["pick"], len(front["values"])) == (["toy", "realism"], "knee", 8)
    along = [front["values"][rank] for rank in front["members"]]
    assert along == sorted(along, key=lambda row: -row[0]) == sorted(along, key=lambda row: row[1])
    assert torch.equal(torch.tensor(sorted(front["members"])), front_of(torch.tensor(front["values"])).sort().values)


def test_other_searches_have_no_front(tmp_path):
    run_to_the_end(toy_config(generations=0), tmp_path)
    assert "front" not in RunFolder(tmp_path).summary()


def test_the_page_shows_the_front_in_order_and_every_picture_once(run, page):
    folder, front = run[0], run[0].summary()["front"]
    assert base64.b64encode((folder.path / "front.png").read_bytes()).decode() in page
    for path in folder.individuals():
        assert page.count(f'<a href="images/{path.name}">') == 1
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(captions) == 8
    for caption, rank in zip(captions, front["members"], strict=False):
        assert objective_words(front, rank) in caption and ("<strong>the knee</strong>" in caption) == (rank == 0)
    assert "<script" not in page and "The rest of the final population" in page


def test_the_figure_is_drawn_for_any_number_of_objectives(run, drawn):
    front = run[0].summary()["front"]
    assert len(visited(run[0], front)) == 8 * 7
    wide = front | {"objectives": ["a", "b", "c"], "values": [[*row, 0.5] for row in front["values"]]}
    two, three = (Image.open(io.BytesIO(front_png(f, []))) for f in (front, wide))
    assert three.width == 2 * two.width
    front_png(front | {"values": [[None, None]] * 8, "members": []}, [])


def test_the_terminal_tells_the_front_and_the_pick(tmp_path):
    words = [
        "generate",
        "a red disc",
        "--config",
        "toy-nsga2",
        "--population",
        "6",
        "--generations",
        "2",
        "--seed",
        "1",
    ]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.output.splitlines() if line.startswith("front "))
    assert re.search(r"\d+ pictures?, the knee: toy -?\d\.\d{3}, realism \d\.\d{3}$", line)
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "run")]).output
    assert line.split(maxsplit=1)[1] in shown and "at the knee, found in generation" in shown
    assert str(tmp_path / "run/front.png") in shown


def test_on_the_terminal_one_objective_is_a_sentence(tmp_path):
    result = CliRunner().invoke(app, ["generate", "a red disc", "--search", "nsga2", "--dry-run"])
    assert result.exit_code == 2 and "two or more parts of the score" in result.output
    drift = ["--generator", "pocket", "--scorer", "pocket", "--drift", "0.1"]
    result = CliRunner().invoke(app, ["generate", "a cat", "--search", "nsga2", *drift, "--dry-run"])
    assert result.exit_code == 0, result.output


def test_a_front_of_none_says_nothing():
    assert front_facts({"front": {"members": []}}) == front_facts({}) == []


def test_named_configurations_give_it_a_second_objective():
    assert configs.fields("pocket-nsga2")["realism"] == configs.REALISM and "realism" not in configs.fields("pocket-ga")


def test_a_log_of_an_older_version_still_has_a_best(tmp_path, monkeypatch):
    run_to_the_end(toy_config(), tmp_path)
    expected, read = RunFolder(tmp_path).best, entry.read
    monkeypatch.setattr(entry, "read", lambda *given: replace(read(*given), best_x=None))
    best = RunFolder(tmp_path).best
    assert isinstance(best, Best) and torch.equal(best.latent, expected.latent)
    assert (best.score, best.generation) == (expected.score, expected.generation)
    assert json.loads((tmp_path / "summary.json").read_text())["best"]["score"] == best.score
