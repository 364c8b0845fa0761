"""Experiment files: grids, keys, and what is refused before anything is done."""

import pytest

from zeuxis.errors import BadInput, UnknownName
from zeuxis.experiments.driver import check_jobs
from zeuxis.experiments.jobs import Job, make_plan, read_plan
from zeuxis.storage.marks import mark

TOY = {"prompt": "a red disc", "generator": "toy", "scorer": "toy", "judge": "toy"}
FILE = """
name = "colours"
[[jobs]]
name = "runs"
kind = "run"
config = { prompt = "a red disc", generator = "toy" }
grid = { search = ["ga", "cma-ga"], "options.elite" = [1, 2] }
seeds = 2
first_seed = 5
[[jobs]]
name = "others"
kind = "run"
threads = 2
config = { prompt = "a disc" }
"""


def group(**given):
    return {"name": "runs", "kind": "run", "config": TOY, **given}


def test_a_group_is_a_job_for_each_point_of_its_grid_and_each_seed(tmp_path):
    path = tmp_path / "colours.toml"
    path.write_text(FILE)
    jobs = read_plan(path).all_jobs()
    assert len(jobs) == 2 * 2 * 2 + 1 and len({job.key for job in jobs}) == 9
    assert jobs[1].varied == {"search": "ga", "options.elite": 2, "seed": 5}
    assert jobs[1].config == {
        **{"prompt": "a red disc", "generator": "toy", "search": "ga"},
        **{"options": {"elite": 2}, "seed": 5},
    }
    assert jobs[0].config["options"] == {"elite": 1}  # no table is shared between jobs
    assert jobs[4].varied["seed"] == 6 and jobs[8].threads == 2 and jobs[8].title == "others"


def test_the_key_follows_what_the_result_depends_on_and_nothing_else():
    job = Job("run", {"seed": 1, "prompt": "x"}, group="a", varied={"seed": 1})
    assert (
        job.key == Job("run", {"prompt": "x", "seed": 1}, group="b").key == "0f0feb127d033f95"
    )  # as folders of earlier experiments have it
    assert hash(job) == hash(Job("run", {"prompt": "x", "seed": 1}))
    others = [Job("train", dict(job.config)), Job("run", {**job.config, "seed": 2}), Job("run", dict(job.config), 2)]
    assert len({job.key, *(other.key for other in others)}) == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "rum"}, "Did you mean run"),
        ({"colour": 1}, "no 'jobs.0.colour'"),
        ({"seeds": 0}, "at least 1"),
        ({"seeds": 200_000}, "at most"),
        ({"seeds": 2, "grid": {"seed": [1]}}, "got both"),
        ({"grid": {"population": []}}, "at least 1"),
        ({"gpus": 1.5}, "whole number"),
        ({"name": "../up"}, "name"),
        ({"grid": {f"a{k}": [1, 2] for k in range(20)}}, "at most 100,000 jobs"),
    ],
)
def test_what_no_experiment_can_be_is_a_sentence(change, said):
    with pytest.raises(BadInput, match=said) as error:
        make_plan({"jobs": [group(**change)]}).all_jobs()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "jobs = 3", "[[jobs]]", "name = 1", "x", "when = 1979-05-27", "a = " + "[" * 90])
def test_a_file_that_is_none_is_a_sentence(text, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(BadInput):
        read_plan(path)


def test_the_same_job_twice_is_refused():
    with pytest.raises(BadInput, match="every job once"):
        make_plan({"jobs": [group(), group(name="again")]}).all_jobs()
    with pytest.raises(BadInput, match="a name of its own"):
        make_plan({"jobs": [group(), group(seeds=2)]})


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("run", {**TOY, "popluation": 3}, "population"),
        ("run", {**TOY, "search": 7}, "search"),
        ("run", {"generator": "toy"}, "prompt"),
        ("train", {"recipe": "pocket-judge"}, "data"),
        ("train", {"recipe": "pocket-jude", "data": "."}, "pocket-judge"),
        ("train", {"recipe": "pocket-judge", "data": ".", "imges": 3}, "images"),
        ("train", {"recipe": "pocket-judge", "data": "nowhere"}, "found nothing"),
        ("evaluate", {"generated": "a"}, "evaluation"),
        ("evaluate", {"evaluation": "metrics", "generated": "a"}, "'real'"),
        ("evaluate", {"evaluation": "metrics", "generated": "a", "real": "b", "figures": 1}, "figures"),
    ],
)
def test_a_job_that_cannot_work_is_refused_by_its_name(kind, config, said):
    plan = make_plan({"jobs": [{"name": "wrong", "kind": kind, "config": config}]})
    with pytest.raises(BadInput, match=said) as error:
        check_jobs(plan.all_jobs(), {}, True)
    assert str(error.value).startswith("wrong: ")


def test_code_of_ones_own_is_named_on_the_command_line():
    config = {"evaluation": "os:system", "command": "true"}
    plan = make_plan({"jobs": [{"name": "own", "kind": "evaluate", "config": config}]})
    with pytest.raises(BadInput, match="--evaluation os:system"):
        check_jobs(plan.all_jobs(), {}, True)
    with pytest.raises((BadInput, UnknownName), match="Known: metrics"):
        check_jobs([Job("evaluate", {"evaluation": "none"})], {}, True)


@pytest.mark.parametrize(
    ("kind", "config", "named"),
    [
        ("run", {**TOY, "generator": "/net/g.safetensors"}, "generator '/net/g.safetensors'"),
        ("run", {**TOY, "image_prompt": ["secret.png"]}, "image prompt 'secret.png'"),
        ("train", {"recipe": "pocket-judge", "data": "mine"}, "data 'mine'"),
        ("train", {"recipe": "x/y.toml", "data": "mine"}, "recipe 'x/y.toml'"),
        ("evaluate", {"evaluation": "metrics", "generated": "a/b", "real": "c/d"}, "generated 'a/b', real 'c/d'"),
    ],
)
def test_paths_in_a_file_are_said_and_asked_for(kind, config, named):
    job = Job(kind, config, group="files")
    with pytest.raises(BadInput, match="--trust-paths") as error:
        check_jobs([job], {}, False)
    assert named in str(error.value)
    words = "generator=/net/g.safetensors"
    with pytest.raises(BadInput, match="--trust-paths"):
        check_jobs([job], {words: mark([f"{words}x"])}, False)


def test_a_path_that_the_user_has_allowed_before_is_known(tmp_path):
    config = {"recipe": "pocket-judge", "data": str(tmp_path)}
    marks = check_jobs([Job("train", config)], {}, True)
    assert list(marks) == [f"data={tmp_path}"]
    assert check_jobs([Job("train", config)], marks, False) == marks
