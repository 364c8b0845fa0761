"""A training folder with a file damaged, missing or of another training: made good and said, or refused."""

import json
import shutil

import pytest
import torch
from lab_helpers import recipe

from zeuxis.errors import RunDamaged
from zeuxis.lab import checkpoint, curves
from zeuxis.lab.checkpoint import NEWEST, PREVIOUS
from zeuxis.lab.train import train
from zeuxis.lab.watch import Watch
from zeuxis.storage.checksummed import checksummed_json

CPU = torch.device("cpu")


def small(images=32, **changes):
    return recipe("dcgan", images=images, checkpoint_every=16, **changes)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Finished trainings by the name of their kind, made when first asked for."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def finished(kept, data, tmp_path):
    return copy_of(kept, data, tmp_path, "whole")


def copy_of(kept, data, tmp_path, name, **changes):
    if not (kept / name).exists():
        train(small(**changes), data, kept / name, device=CPU)
    return shutil.copytree(kept / name, tmp_path / name)


def again(folder, data, images=32, **changes):
    """What the same command says, without the line on threads."""
    told = []
    train(small(images, **changes), data, folder, device=CPU, say=told.append)
    return [text for text in told if "thread" not in text and "already" not in text]


def figures(folder):
    clock = {"seconds", "images_per_second"}
    return [{k: v for k, v in line.items() if k not in clock} for line in curves.read_log(folder)]


def test_a_whole_folder_has_nothing_to_say(finished, data):
    before = {path.name: path.read_bytes() for path in finished.glob("export/*")}
    assert again(finished, data) == []
    assert {path.name: path.read_bytes() for path in finished.glob("export/*")} == before


@pytest.mark.parametrize("name", ["dcgan.safetensors", "dcgan-last.safetensors"])
@pytest.mark.parametrize("how", ["flip", "missing", "another's"])
def test_an_export_that_the_checkpoint_can_make_again_is_made_again(name, how, kept, data, tmp_path, monkeypatch):
    monkeypatch.setattr(Watch, "figures", falling())
    folder = copy_of(kept, data, tmp_path, "falling")
    path = folder / "export" / name
    whole = path.read_bytes()
    path.unlink()
    if how == "flip":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif how == "another's":
        other = copy_of(kept, data, tmp_path, "other falling", seed=9)
        shutil.copy(other / "export" / name, path)
    assert again(folder, data) == [f"export/{name} was damaged or missing and has been made again from the checkpoint."]
    assert path.read_bytes() == whole


def falling():
    """Figures of which each is better than the one before."""
    return lambda watch, *given: _seen(watch, better=True)


def rising():
    """Figures of which only the first is the best."""
    return lambda watch, *given: _seen(watch, better=watch.best == float("inf"))


def _seen(watch, better):
    watch.is_best = better
    watch.best = min(watch.best, 5.0)
    watch.latest = {"held_out_frechet": 5.0}
    return dict(watch.latest)


@pytest.mark.parametrize("how", ["flip", "missing"])
def test_a_best_export_that_cannot_be_made_again_is_never_replaced(how, kept, data, tmp_path, monkeypatch):
    monkeypatch.setattr(Watch, "figures", rising())
    folder = copy_of(kept, data, tmp_path, "rising")
    path = folder / "export" / "dcgan.safetensors"
    whole = path.read_bytes()
    path.unlink()
    if how == "flip":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (said,) = again(folder, data)
    assert said.startswith("export/dcgan.safetensors is") and "Restore it from a copy" in said
    assert not path.exists() and (how == "missing" or path.with_name(f"{path.name}.damaged").exists())
    path.write_bytes(whole)
    assert again(folder, data) == []


def test_lines_that_the_log_lacks_are_counted(finished, data):
    path = finished / "log.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:1]))
    assert again(finished, data) == ["log.jsonl lacks 1 of its 2 lines."]
    path.unlink()
    assert again(finished, data, 48) == ["log.jsonl lacks 2 of its 2 lines."]


def test_the_log_of_another_training_is_not_taken(finished, kept, data, tmp_path):
    other = copy_of(kept, data, tmp_path, "other", seed=9)
    shutil.copy(other / "log.jsonl", finished / "log.jsonl")
    told = again(finished, data)
    assert told[0].startswith("2 lines of log.jsonl are damaged") and figures(finished) == []


def test_the_checkpoint_of_another_recipe_is_not_taken(finished, kept, data, tmp_path):
    other, wanted = copy_of(kept, data, tmp_path, "other", seed=9), figures(finished)
    shutil.copy(other / NEWEST, finished / NEWEST)
    assert again(finished, data) == [f"{NEWEST} is damaged; going on from {PREVIOUS}, the one before it."]
    assert figures(finished) == wanted
    for name in (NEWEST, PREVIOUS):
        shutil.copy(other / name, finished / name)
    with pytest.raises(RunDamaged, match="another recipe"):
        again(finished, data)


@pytest.mark.parametrize("content", [None, b"", b'{"dtype": "bf16", "threads": 1'])
def test_the_number_type_is_that_of_the_checkpoint(content, kept, data, tmp_path):
    folder = copy_of(kept, data, tmp_path, "bf16", precision="bf16")
    path = folder / "machine.json"
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    told = again(folder, data, precision="bf16")
    assert path.read_bytes() == whole and json.loads(whole)["dtype"] == "bf16"
    assert told == ([] if content is None else [told[0]]) and all("machine.json was damaged" in text for text in told)


def test_a_machine_of_another_recipe_is_not_taken(finished, data):
    path = finished / "machine.json"
    whole = path.read_bytes()
    path.write_bytes(checksummed_json({"dtype": "bf16", "threads": 1, "recipe": "0" * 16}))
    assert "machine.json was damaged" in again(finished, data)[0] and path.read_bytes() == whole


def test_a_damaged_recipe_is_written_again_where_the_checkpoint_knows_it(finished, data):
    path = finished / "train.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    assert "train.json was damaged" in again(finished, data)[0] and path.read_bytes() == whole
    path.write_bytes(whole[:40])
    with pytest.raises(RunDamaged, match=r"train\.json cannot be read"):
        again(finished, data, seed=9)
    path.unlink()
    with pytest.raises(RunDamaged, match="another recipe"):
        again(finished, data, seed=9)


def test_a_recipe_is_known_by_what_differs_from_the_defaults():
    one = checkpoint.recipe_key(small())
    assert checkpoint.recipe_key(small(640)) == one != checkpoint.recipe_key(small(seed=9))
