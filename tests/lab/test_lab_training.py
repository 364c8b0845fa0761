"""The training loop: the same for every task, resumable to the bit, and its folder never lies."""

import json
from functools import partial

import pytest
import torch
from lab_helpers import GANS, OPTIONS, exported, recipe, same
from safetensors.torch import load_file

from zeuxis.compute.precision import pick_dtype
from zeuxis.errors import BadInput, MissingModel, RunDamaged, SearchStopped, UnknownName
from zeuxis.hub.model_file import read_model
from zeuxis.lab import checkpoint, curves
from zeuxis.lab.tasks.classifier import Classifier
from zeuxis.lab.train import train as train_anywhere

DRAW = curves.draw
train = partial(train_anywhere, device=torch.device("cpu"))  # on a GPU kernels add in any order: other last bits
TASKS = list(OPTIONS)


class Power(Exception):
    """The plug is pulled."""


def cut_at(images):
    def report(line):
        if line["images"] >= images:
            raise Power

    return report


def log(folder):
    return [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]


def cut_run(name, data, weights, folder, images):
    with pytest.raises(Power):
        train(recipe(name), data, folder, weights=weights, report=cut_at(images))


def one_and_others(*usual):
    """Every task but these behind `long`: test_lab_interrupts.py stops and compares each of them."""
    return [pytest.param(name, marks=() if name in usual else pytest.mark.long) for name in OPTIONS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One unbroken run of each task, made when first asked for."""
    runs = {}

    def run(name, data, weights):
        if name not in runs:
            runs[name] = tmp_path_factory.mktemp(name)
            train(recipe(name), data, runs[name], weights=weights)
        return runs[name]

    return run


@pytest.mark.parametrize("name", one_and_others("trunk"))
def test_the_same_seed_twice_gives_the_same_weights(name, data, weights, whole, tmp_path):
    train(recipe(name), data, tmp_path, weights=weights)
    assert exported(tmp_path) and same(exported(tmp_path), exported(whole(name, data, weights)))


@pytest.mark.parametrize("name", one_and_others("trunk", "pocket"))
def test_an_interrupted_run_ends_as_the_unbroken_one(name, data, weights, whole, tmp_path):
    unbroken = whole(name, data, weights)
    cut_run(name, data, weights, tmp_path, 48)  # 16 images past the checkpoint: they are done again
    train(recipe(name), data, tmp_path, weights=weights)
    assert same(exported(tmp_path), exported(unbroken))
    assert same(load_file(tmp_path / "checkpoint.safetensors"), load_file(unbroken / "checkpoint.safetensors"))
    clock = {"images_per_second", "seconds", "check"}
    one, two = ([{k: v for k, v in line.items() if k not in clock} for line in log(f)] for f in (tmp_path, unbroken))
    assert one == two  # also evaluated at the same images: else another checkpoint might be the best


@pytest.mark.parametrize("name", ["speedrun"])
def test_another_seed_gives_other_weights(name, data, weights, whole, tmp_path):
    train(recipe(name, seed=4), data, tmp_path, weights=weights)
    assert not same(exported(tmp_path), exported(whole(name, data, weights)))


def test_training_leaves_the_global_generator_as_it_was(data, tmp_path):
    before = torch.get_rng_state()
    train(recipe("trunk", images=16), data, tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def test_a_finished_run_is_not_done_again(data, weights, whole):
    folder = whole("trunk", data, weights)
    stamp, lines = (folder / "checkpoint.safetensors").stat().st_mtime_ns, log(folder)
    files = train(recipe("trunk"), data, folder)
    assert [file.name for file in files] == ["trunk.safetensors"]
    assert (folder / "checkpoint.safetensors").stat().st_mtime_ns == stamp and log(folder) == lines


def test_a_run_killed_between_export_and_checkpoint_still_exports_its_end(data, weights, whole, tmp_path, monkeypatch):
    def save(task, averages, progress, folder):
        if progress.step == 12:
            raise Power
        return keep(task, averages, progress, folder)

    keep = checkpoint.save
    with monkeypatch.context() as patched, pytest.raises(Power):
        patched.setattr(checkpoint, "save", save)
        train(recipe("trunk"), data, tmp_path)
    train(recipe("trunk"), data, tmp_path)
    assert same(exported(tmp_path), exported(whole("trunk", data, weights)))
    assert [line["images"] for line in log(tmp_path)] == [16, 32, 48, 64, 80, 96]


def test_a_truncated_checkpoint_falls_back_to_the_one_before(data, weights, whole, tmp_path):
    cut_run("trunk", data, weights, tmp_path, 64)
    newest = tmp_path / "checkpoint.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed = []
    train(recipe("trunk"), data, tmp_path, report=resumed.append)
    assert resumed[0]["images"] == 48  # the checkpoint before was made at 32
    assert same(exported(tmp_path), exported(whole("trunk", data, weights)))


def test_two_damaged_checkpoints_are_said_to_be_damaged(data, weights, tmp_path):
    cut_run("trunk", data, weights, tmp_path, 64)
    for path in tmp_path.glob("checkpoint*.safetensors"):
        path.write_bytes(b"nothing")
    with pytest.raises(RunDamaged, match="another folder"):
        train(recipe("trunk"), data, tmp_path)


def test_the_log_of_a_resumed_run_has_each_line_once(data, weights, tmp_path):
    cut_run("trunk", data, weights, tmp_path, 48)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"images": 56, "cla')  # killed while writing
    train(recipe("trunk"), data, tmp_path)
    assert [line["images"] for line in log(tmp_path)] == [16, 32, 48, 64, 80, 96]


def test_a_folder_belongs_to_one_recipe(data, tmp_path):
    train(recipe("trunk", images=16), data, tmp_path)
    with pytest.raises(BadInput, match="another recipe"):
        train(recipe("trunk", images=16, seed=9), data, tmp_path)


def test_a_run_may_be_made_longer(data, tmp_path):
    train(recipe("trunk", images=16), data, tmp_path)
    train(recipe("trunk", images=32), data, tmp_path)
    assert [line["images"] for line in log(tmp_path)] == [16, 32]
    assert json.loads((tmp_path / "train.json").read_text())["images"] == 32


def test_a_start_that_fails_does_not_claim_the_folder(data, tmp_path):
    with pytest.raises(BadInput, match="Unknown option of task classifier 'speed'"):
        train(recipe("trunk", options={"speed": 1}), data, tmp_path)
    assert train(recipe("trunk", images=8), data, tmp_path)


def test_a_damaged_train_json_is_said_to_be_damaged(data, tmp_path):
    (tmp_path / "train.json").write_text('{"task": "class')
    with pytest.raises(RunDamaged, match=r"train\.json"):
        train(recipe("trunk"), data, tmp_path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(bad, data, tmp_path, monkeypatch):
    def step(task, step, progress):
        return {"classes": bad if step == 5 else 1.0}

    monkeypatch.setattr(Classifier, "step", step)
    with pytest.raises(SearchStopped, match="at image 48"):
        train(recipe("trunk"), data, tmp_path)
    assert all(torch.isfinite(value).all() for value in exported(tmp_path).values())


def test_a_diverging_recipe_stops(data, tmp_path):
    wild = recipe("trunk", images=800, report_every=800, options={"lr": 1e12})
    with pytest.raises(SearchStopped, match="Lower the rate"):
        train(wild, data, tmp_path)


def test_an_unknown_task_is_refused(data, tmp_path):
    config = recipe("trunk").model_copy(update={"task": "classify"})
    with pytest.raises(UnknownName, match="classifier"):
        train(config, data, tmp_path)


def test_missing_data_is_refused(tmp_path):
    with pytest.raises(BadInput, match="--data"):
        train(recipe("trunk"), tmp_path / "nowhere", tmp_path / "run")


@pytest.mark.parametrize("name", ["pocket", "contrastive"])
def test_a_task_that_builds_on_others_says_what_it_misses(name, data, tmp_path):
    with pytest.raises(MissingModel, match=r"trunk\.safetensors.*pocket-trunk"):
        train(recipe(name), data, tmp_path, weights=tmp_path)


def test_the_folder_shows_how_the_run_went(data, weights, drawn, tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(curves, "draw", DRAW)
    train(recipe("pocket", images=16), data, tmp_path, weights=weights)
    for file in ("curves.png", "samples/000000016.png"):
        with Image.open(tmp_path / file) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 9, file


def test_without_averaging_the_last_weights_are_exported(data, tmp_path):
    train(recipe("trunk", images=16, ema=0.0), data, tmp_path)
    last = load_file(tmp_path / "checkpoint.safetensors")
    found = exported(tmp_path)["trunk/network.classes.weight"]
    assert torch.equal(found, last["net/net/classes.weight"].half())
    assert not any(name.startswith("average/") for name in last)


@pytest.mark.parametrize("name", ["trunk", "pocket"])
def test_bf16_trains_and_keeps_the_weights_in_float32(name, data, weights, tmp_path):
    train(recipe(name, images=16, precision="bf16"), data, tmp_path, weights=weights)
    kept = load_file(tmp_path / "checkpoint.safetensors")
    assert {value.dtype for key, value in kept.items() if key.endswith("weight")} == {torch.float32}


def test_the_number_type_is_the_one_asked_for():
    cpu = torch.device("cpu")
    assert pick_dtype("fp32", cpu) is torch.float32 and pick_dtype("bf16", cpu) is torch.bfloat16
    assert pick_dtype("auto", cpu) in (torch.float32, torch.bfloat16)


def test_every_export_names_its_family(data, weights, tmp_path):
    """Those of the other architectures: test_gan_contract.py."""
    families = {}
    for name in [name for name in TASKS if name not in GANS or name == "dcgan"]:
        train(recipe(name, images=8), data, tmp_path / name, weights=weights)
        for path in (tmp_path / name / "export").glob("*.safetensors"):
            families[path.stem] = read_model(path).family
    assert families == {
        "judge": "speedrun", "trunk": "trunk", "scorer": "dual-encoder", "text": "text-tower",
        "scorer64": "aligned", "vqgan": "vqgan", "dcgan": "gan-dcgan", "dcgan-last": "gan-dcgan",
    }  # fmt: skip
