"""The kinds of jobs: real runs, trainings and metrics, begun, broken off and gone on with."""

import threading

import numpy as np
import pytest
from PIL import Image

from zeuxis.errors import ZeuxisError
from zeuxis.experiments import worker
from zeuxis.experiments.driver import Settings, run_experiment
from zeuxis.experiments.jobs import Job, make_plan
from zeuxis.experiments.kinds import run_config, train_config
from zeuxis.experiments.work import carry_out_job
from zeuxis.lab import curves

RUN = {"prompt": "a red disc", "generator": "toy", "scorer": "toy", "judge": "toy", "generations": 4, "population": 4}
TRAINING = {
    **{"recipe": "pocket-judge", "reader": "folder", "images": 64, "batch": 8, "checkpoint_every": 16},
    **{"report_every": 16, "device": "cpu", "options": {"widths": [4, 6, 8]}},
}


@pytest.fixture
def pictures(tmp_path):
    """Two classes of pictures, 32 pixels."""
    rng = np.random.default_rng(0)
    for name, colour in (("cat", (200, 30, 30)), ("dog", (30, 60, 200))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for k in range(52):
            noise = rng.integers(-25, 26, (32, 32, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{k}.png")
    return tmp_path / "pictures"


def table_of(out):
    return (out / "table.csv").read_text()


def test_runs_give_the_same_table_in_this_process_and_in_another(tmp_path):
    plan = make_plan(
        {"jobs": [{"name": "runs", "kind": "run", "config": RUN, "grid": {"search": ["ga", "de"]}, "seeds": 2}]}
    )
    done = run_experiment(plan, tmp_path / "here")
    assert done.done == 4 and not done.failed
    run_experiment(plan, tmp_path / "there", Settings("processes", 1))
    assert table_of(tmp_path / "here") == table_of(tmp_path / "there")
    head, first = table_of(tmp_path / "here").splitlines()[:2]
    assert head.startswith(
        "job,group,kind,search,seed,status,reason,best,best_generation,generations,images,judge_best"
    )
    assert first.split(",")[9:11] == ["5", "20"]
    assert (tmp_path / "here" / "jobs" / plan.all_jobs()[0].key / "work" / "images" / "best.png").exists()


def test_nothing_of_a_job_is_chosen_by_the_clock():
    assert run_config(RUN).precision == "fp32" and run_config({**RUN, "precision": "bf16"}).precision == "bf16"
    settings = train_config({**TRAINING, "data": ".", "options": {"lr": 0.5}, "seed": 7})
    assert settings.precision == "fp32" and settings.data == "folder" and settings.seed == 7
    assert settings.options["lr"] == 0.5 and len(settings.options) > 1
    nested = {"recipe": "dcgan-mnist", "data": ".", "options": {"generator": {"z_dim": 7}}}
    inner, before = (train_config(c).options["generator"] for c in (nested, {"recipe": "dcgan-mnist", "data": "."}))
    assert inner == before | {"z_dim": 7}


@pytest.mark.parametrize("kind", ["run", "train"])
def test_a_job_that_is_asked_to_end_saves_its_state_and_goes_on_alike(kind, tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(curves, "draw", lambda folder: None)
    config = RUN if kind == "run" else {**TRAINING, "data": str(pictures)}
    job = Job(kind, config)
    whole = carry_out_job(str(tmp_path / "whole"), job, 3, False).result
    assert whole is not None and whole.status == "done", whole
    asked, asks = threading.Event(), []

    def question():
        asks.append(1)
        if len(asks) == 3:
            asked.set()
        return asked.is_set()

    monkeypatch.setattr(worker._Stop, "asked", staticmethod(question))
    outcome = carry_out_job(str(tmp_path / "broken"), job, 3, False)
    assert outcome.ended == "stopped" and outcome.result is None
    monkeypatch.setattr(worker._Stop, "asked", staticmethod(lambda: False))
    again = carry_out_job(str(tmp_path / "broken"), job, 3, False).result
    assert again.numbers == whole.numbers and again.status == "done"
    assert carry_out_job(str(tmp_path / "broken"), job, 3, False).result == again


def test_metrics_are_an_evaluation(tmp_path, pictures):
    config = {"evaluation": "metrics", "generated": str(pictures / "cat"), "real": str(pictures / "dog")}
    config |= {"metrics": "vendi, rke", "draws": 2}
    result = carry_out_job(str(tmp_path / "out"), Job("evaluate", config), 3, False).result
    assert result is not None and result.status == "done", result
    assert set(result.numbers) == {f"{name}{part}" for name in ("vendi", "rke")
                                   for part in ("", " low", " high", " floor")}  # fmt: skip
    assert next((tmp_path / "out").glob("jobs/*/work/metrics.csv")).exists()


def test_metrics_none_of_which_can_be_computed_are_no_result(tmp_path, pictures):
    config = {"evaluation": "metrics", "generated": str(pictures / "cat"), "real": str(pictures / "dog")}
    config |= {"metrics": ["is"]}
    result = carry_out_job(str(tmp_path / "out"), Job("evaluate", config), 3, False).result
    assert result.status == "failed" and "None of the metrics could be computed" in result.reason


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"search": "hill:Boom"}, "repeat it on the command line: --search hill:Boom"),
        ({"scorer": ["toy", "mine:Scorer:0.5"]}, "repeat it on the command line: --scorer mine:Scorer"),
        ({"search": "gaa"}, "Unknown search 'gaa'. Did you mean ga"),
    ],
)
def test_a_run_that_cannot_work_is_refused_before_the_first_job(tmp_path, wrong, said):
    jobs = [{"name": "good", "kind": "run", "config": RUN}, {"name": "bad", "kind": "run", "config": {**RUN, **wrong}}]
    with pytest.raises(ZeuxisError, match=said):
        run_experiment(make_plan({"jobs": jobs}), tmp_path / "out")
    assert not list((tmp_path / "out").glob("jobs/*"))


def test_a_recipe_that_was_changed_is_another_job(tmp_path):
    recipe = tmp_path / "own.toml"
    recipe.write_text('task = "classifier"\n')
    configs = [{"recipe": str(recipe), "data": "."}, {"recipe": "pocket-judge", "data": "."}]
    first, packaged = (Job("train", config).key for config in configs)
    assert [Job("train", config).key for config in configs] == [first, packaged]
    recipe.write_text('task = "classifier"\nimages = 5\n')
    changed = Job("train", configs[0]).key
    assert changed != first and Job("train", configs[1]).key == packaged
    recipe.unlink()
    assert Job("train", configs[0]).key not in (first, changed)  # refused when it is checked


def test_a_job_that_fails_says_why_without_naming_its_place(tmp_path):
    config = {**RUN, "generator": str(tmp_path / "none.safetensors")}
    result = carry_out_job(str(tmp_path / "out"), Job("run", config), 3, False).result
    assert result.status == "failed" and "none.safetensors" in result.reason and "\n" not in result.reason
