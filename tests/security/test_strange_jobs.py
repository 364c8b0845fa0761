"""An experiment file of somebody else: what it would have read is asked for, whatever the field, and nothing breaks."""

import pytest

from zeuxis.errors import BadInput
from zeuxis.experiments.driver import Settings, check_jobs, run_experiment
from zeuxis.experiments.jobs import make_plan, read_plan

TOY = {"prompt": "a red disc", "generator": "toy", "scorer": ["toy"]}
METRICS = {"evaluation": "metrics", "generated": "a", "real": "b"}


def jobs(kind, **config):
    return make_plan({"jobs": [{"name": "one", "kind": kind, "config": config}]}).all_jobs()


@pytest.mark.parametrize(
    ("kind", "config", "named"),
    [
        ("run", TOY | {"start_from": ["private.png"]}, "start from 'private.png'"),
        ("run", TOY | {"image_prompt": ["private.png"]}, "image prompt 'private.png'"),
        ("run", TOY | {"generator": "net.safetensors"}, "generator 'net.safetensors'"),
        ("train", {"recipe": "pocket-scorer", "data": "d", "options": {"cache": "elsewhere"}}, "cache 'elsewhere'"),
        ("evaluate", METRICS | {"features": "dinov2:models"}, "features 'dinov2:models'"),
        ("evaluate", {"evaluation": "fooling", "features": "dinov2:models"}, "features 'dinov2:models'"),
        ("evaluate", {"evaluation": "searches", "search": "ga start_from=private.png"}, "start from 'private.png'"),
    ],
)
def test_every_path_that_a_file_names_is_asked_for(kind, config, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("models", "d", "elsewhere"):
        (tmp_path / name).mkdir()
    with pytest.raises(BadInput, match="--trust-paths") as said:
        check_jobs(jobs(kind, **config), {}, trust_paths=False)
    assert named in str(said.value)


def test_nothing_of_a_refused_file_is_begun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan({"jobs": [{"name": "one", "kind": "run", "config": TOY | {"start_from": ["private.png"]}}]})
    with pytest.raises(BadInput):
        run_experiment(plan, tmp_path / "out", Settings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["generated", "real", "data", "held_out", "features", "scorer", "device"])
def test_lists_in_the_place_of_texts_are_refused(name):
    given = METRICS | {name: [["/etc"]]}
    with pytest.raises(BadInput, match="needs a text"):
        check_jobs(jobs("evaluate", **given), {}, trust_paths=True)


def test_a_name_with_thousands_of_dots_is_refused(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(f'[[jobs]]\nname = "a"\nkind = "run"\ngrid = {{ "{".".join("a" * 3000)}" = [1] }}\n')
    with pytest.raises(BadInput, match="tables within one another"):
        read_plan(path).all_jobs()
