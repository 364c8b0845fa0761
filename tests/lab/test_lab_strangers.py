"""What a training folder, a recipe or a place can have wrong with it: one sentence, and nothing outside the folder."""

import json

import pytest
import torch
from lab_helpers import recipe
from safetensors.torch import load_file, save_file

from zeuxis.errors import BadInput, RunDamaged, RunLocked, RunUnwritable
from zeuxis.lab import checkpoint, curves, recipe_files
from zeuxis.lab.train import train
from zeuxis.storage.lock import RunLock

CPU = torch.device("cpu")


def small(name="speedrun", images=32, **changes):
    return recipe(name, images=images, **changes)


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "", "a\0b", "a" * 300, "a/b", ".hidden"])
@pytest.mark.parametrize("kind", ["speedrun", "dcgan"])
def test_an_export_stays_in_its_folder(kind, name, data, weights, tmp_path):
    with pytest.raises(BadInput, match="plain name for a file"):
        train(small(kind, options={"name": name}), data, tmp_path / "run", device=CPU, weights=weights)
    assert not (tmp_path / "run").exists()


def test_a_second_training_in_a_folder_is_refused(data, tmp_path):
    lock = RunLock(tmp_path)
    with pytest.raises(RunLocked, match="is being written"):
        train(small(), data, tmp_path, device=CPU)
    lock.release()
    assert train(small(), data, tmp_path, device=CPU)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_is_a_file_is_refused_before_anything_is_loaded(place, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunUnwritable, match="is a file"):
        train(small(), tmp_path / "no data", tmp_path / place, device=CPU)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["train.json", "machine.json", "log.jsonl", "samples", "export"])
def test_a_folder_or_file_of_the_wrong_kind_is_one_sentence(name, data, weights, tmp_path):
    if name in ("samples", "export"):
        (tmp_path / name).write_text("")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises((RunUnwritable, RunDamaged, BadInput), match=name):
        train(small("dcgan"), data, tmp_path, device=CPU, weights=weights)


@pytest.mark.parametrize("line", ["[1]", '{"images": "a"}', "{}", "[" * 5000, '"x"', "null"])
def test_lines_of_the_log_that_are_no_figures_are_left_out(line, tmp_path):
    (tmp_path / "log.jsonl").write_text(f'{{"images": 8, "loss": 1.5}}\n{line}\n')
    assert curves.read_log(tmp_path) == [{"images": 8, "loss": 1.5}]


def damage(folder, name="checkpoint.safetensors", *, header=None, drop=""):
    """A checkpoint that can be read and does not fit."""
    path = folder / name
    tensors = {key: value for key, value in load_file(path).items() if not (drop and key.startswith(drop))}
    given = header or {"step": 4, "seconds": 1, "average_steps/net": 4}
    save_file(tensors, path, {"progress": json.dumps(given)})


@pytest.mark.parametrize("how", [{"drop": "average/"}, {"header": {"step": 4}}, {"header": {"step": -5, "seconds": 0}}])
def test_a_checkpoint_that_does_not_fit_gives_way_to_the_one_before(how, data, tmp_path):
    train(small(images=64), data, tmp_path, device=CPU)
    damage(tmp_path, **how)
    told = []
    train(small(images=96), data, tmp_path, device=CPU, say=told.append)
    assert any("checkpoint.safetensors is damaged; going on from checkpoint.previous" in text for text in told)


def test_no_good_checkpoint_is_one_sentence(data, tmp_path):
    train(small(), data, tmp_path, device=CPU)
    for name in ("checkpoint.safetensors", "checkpoint.previous.safetensors"):
        if (tmp_path / name).exists():
            damage(tmp_path, name, drop="net/")
    with pytest.raises(RunDamaged, match="No checkpoint in"):
        train(small(images=96), data, tmp_path, device=CPU)


def test_a_finished_training_says_so_and_exports_again(data, tmp_path):
    train(small(), data, tmp_path, device=CPU)
    for file in (tmp_path / "export").iterdir():
        file.unlink()
    told = []
    assert train(small(), data, tmp_path, device=CPU, say=told.append)
    assert any("has its 32 images already" in text for text in told)


def test_a_recipe_nested_without_end_is_one_sentence(tmp_path):
    (tmp_path / "deep.toml").write_text("a=" + "[" * 50_000)
    with pytest.raises(BadInput, match="cannot be read"):
        recipe_files.load(tmp_path / "deep.toml")


@pytest.mark.parametrize("field", ["seed = -5", "seed = 99999999999999999999999", "batch = 1000000000", "batch = 0"])
def test_numbers_that_cannot_be_are_refused(field, tmp_path):
    (tmp_path / "r.toml").write_text(f'task = "classifier"\nimages = 8\n{field}\n')
    with pytest.raises(BadInput, match=f"{field.split()[0]}|more than 64 bits"):
        recipe_files.load(tmp_path / "r.toml")


def test_what_was_left_out_of_the_data_is_said(tmp_path):
    from PIL import Image

    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32), name.replace("a", "red").replace("b", "blue")).save(
                tmp_path / "data" / split / name / "x.png"
            )
    (tmp_path / "data/train/a/broken.png").write_bytes(b"")
    told = []
    train(small("dcgan", images=8, data="folder"), tmp_path / "data", tmp_path / "run", device=CPU, say=told.append)
    assert any("broken.png" in text for text in told)


def test_checkpoints_are_loaded_in_silence_where_nothing_is_wrong(data, tmp_path):
    train(small(), data, tmp_path, device=CPU)
    told = []
    train(small(images=64), data, tmp_path, device=CPU, say=told.append)
    assert not [text for text in told if "damaged" in text] and checkpoint
