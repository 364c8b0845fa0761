"""What the command line, Python and a page share: folder and report out of a configuration and a listener."""

import json
from types import SimpleNamespace

import pytest

from zeuxis.cli.progress import place_of, progress_of
from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.pictures.enlarge import Enlarge
from zeuxis.workflows import Listener, Outputs, compare, generate, resume, train

TOY = {"generator": "toy", "scorer": "toy", "judge": "toy", "search": "ga", "augment": 0, "device": "cpu", "seed": 3}
SMALL = {**TOY, "precision": "fp32", "population": 4, "generations": 3}


def test_generate_writes_the_report_and_the_best_pictures(tmp_path):
    summary = generate("a red disc on white", out=tmp_path / "run", **SMALL)
    assert summary.folder == tmp_path / "run" and (summary.folder / "report.html").stat().st_size > 1000
    assert (summary.folder / "top/01.png").exists() and (summary.folder / "curve.png").exists()


def test_what_is_not_wanted_is_not_written(tmp_path):
    folder = generate("a red disc", out=tmp_path / "run", outputs=Outputs(report=False, top=0), **SMALL).folder
    assert (
        (folder / "summary.json").exists() and not (folder / "report.html").exists() and not (folder / "top").exists()
    )


def test_a_listener_hears_everything_in_order_and_may_stop_the_run(tmp_path):
    heard = []

    class Ear(Listener):
        def opened(self, session):
            heard.append("opened")

        def heard(self, event):
            heard.append(event.generation)
            return event.generation < 1

        def ended(self, session):
            heard.append("ended")

    outputs = Outputs(report=False, top=0)
    summary = generate("a red disc", out=tmp_path / "run", listener=Ear(), outputs=outputs, **SMALL)
    assert heard == ["opened", 0, 1, "ended"] and "can be resumed" in summary.reason and summary.generations == 2
    generations = []
    summary = resume(tmp_path / "run", listener=lambda event: generations.append(event.generation), outputs=outputs)
    assert generations == [2, 3] and summary.reason == "All 3 generations are done."


def test_compare_keeps_to_the_stopping_rules_of_a_variant(tmp_path):
    """A run without a better score for one generation ends, as `generate` would end it."""
    fields = {"variants": ("random patience=1", "random"), "baseline": "random", "phrases": ("a red disc",), "seeds": 1}
    toys = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "precision": "fp32", "device": "cpu"}
    compare(tmp_path, populations=(4,), generations=30, **fields, **toys)
    rows = [json.loads(line) for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    images = {row["variant"]: row["images"][-1] for row in rows}
    assert images["random"] == 120 and images["random patience=1"] < 60
    config = {**SMALL, "search": "random", "generations": 120, "patience": 1, "seed": 0}
    alone = generate("a red disc", out=tmp_path / "run", outputs=Outputs(report=False, top=0), **config)
    assert alone.images == images["random patience=1"]


def test_train_says_what_is_missing(tmp_path):
    with pytest.raises(BadInput, match="--data"):
        train("pocket-judge", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("generation", "images", "done", "place"),
    [(0, 4, (4.0, 40.0), "4/40 images"), (9, 40, (40.0, 40.0), "40/40 images"), (99, 20, (99.0, 100.0), "99/100")],
)
def test_progress_is_told_in_what_ends_the_run_first(generation, images, done, place):
    config = RunConfig(prompt=("a red disc",), generations=100, budget=40, population=16)
    event = SimpleNamespace(generation=generation, images_so_far=images)
    assert progress_of(config, event) == done and place in place_of(config, event)


@pytest.mark.parametrize("wrong", [{"top": -3}, {"top": 2.5}, {"top": True}, {"enlarge": 300}])
def test_outputs_that_cannot_be_are_refused_before_the_run(wrong):
    with pytest.raises(BadInput, match=f"Expected {next(iter(wrong))} to be"):
        Outputs(**wrong)


@pytest.mark.parametrize("wrong", [(0,), (1.5,), (256, "cubic")])
def test_a_size_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected a number of pixels across and a filter"):
        Enlarge(*wrong)
