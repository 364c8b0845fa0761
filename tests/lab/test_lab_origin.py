"""A training goes on with the data and the networks that it began with, wherever they lie, and with no others."""

import shutil

import numpy as np
import pytest
import torch
from lab_helpers import CLASSES, TERMS, exported, pack_arrays, recipe, write_digits, write_trunk, write_weights
from PIL import Image

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput
from zeuxis.lab import checkpoint
from zeuxis.lab.origin import check_same, of_images
from zeuxis.lab.tasks import distil
from zeuxis.lab.train import train as train_anywhere


def train(name, place, folder, /, images=32, weights=None, **changes):
    return train_anywhere(recipe(name, images, **changes), place, folder, device=torch.device("cpu"), weights=weights)


def refused(name, place, folder, /, **options):
    """The sentence; nothing in the folder has changed."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != "lock"}
    with pytest.raises(BadInput) as refusal:
        train(name, place, folder, images=64, **options)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != "lock"}
    text = str(refusal.value)
    assert before == after and "\n" not in text and len(text) - len(str(folder)) < 250
    return text


@pytest.mark.parametrize("name", ["speedrun", "trunk", "stylegan2", "contrastive", "alignment", "dcgan"])
def test_other_pictures_are_refused_by_every_task(name, data, weights, tmp_path):
    train(name, data, tmp_path / "run", images=8, weights=weights)
    other = shutil.copytree(data, tmp_path / "moved")
    train(name, other, tmp_path / "run", images=16, weights=weights)  # the same content in another place
    np.savez(other / "cifar10.npz", **pack_arrays(train=48))
    write_digits(other, train=48)
    text = refused(name, other, tmp_path / "run", weights=weights)
    numbers = {"dcgan": ("40 pictures", "48 pictures"), "alignment": ("cifar10 (56)", "cifar10 (48)")}
    one, two = numbers.get(name, ("56 pictures", "48 pictures"))
    assert f"a training on {one}" in text and f"--data gives {two}" in text and "--out" in text


def test_other_sentences_are_refused(data, weights, tmp_path, monkeypatch):
    train("distil", data, tmp_path)
    sentences = distil.training_sentences(data, (), None)
    monkeypatch.setattr(distil, "training_sentences", lambda *given: [*sentences, "one more"])
    assert f"{len(sentences):,} sentences" in refused("distil", data, tmp_path)
    monkeypatch.setattr(distil, "training_sentences", lambda *given: [*sentences[:-1], "another"])
    assert "equal in number" in refused("distil", data, tmp_path)


def save_classes(folder, *names, size=32, shade=90, caption=""):
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for picture in range(3):
            Image.new("RGB", (size, size), (shade + 20 * number, picture, 0)).save(folder / name / f"{picture}.png")
            if caption:
                (folder / name / f"{picture}.txt").write_text(caption)
    return folder


@pytest.mark.parametrize("kind", ["trunk", "dcgan"])
def test_more_classes_fewer_classes_other_pixels_and_captions(kind, tmp_path):
    changes = {"data": "folder", "options": {"labels": ["class"]} if kind == "dcgan" else {"lr": 1e-3}}
    begun = save_classes(tmp_path / "a", "cat", "dog", caption="a pet")
    run = tmp_path / "run"
    train(kind, begun, run, **changes)
    more = refused(kind, save_classes(tmp_path / "b", "cat", "dog", "emu"), run, **changes)
    assert "a training on 2 classes, but --data gives 3 classes" in more
    fewer = refused(kind, save_classes(tmp_path / "c", "cat"), run, **changes)
    assert "a training on 2 classes, but --data gives 1 classes" in fewer
    silent = refused(kind, save_classes(tmp_path / "d", "cat", "dog"), run, **changes)
    assert "a training on 6 captions, but --data gives 0 captions" in silent
    for number, other in enumerate(
        (
            {"shade": 91, "caption": "a pet"},
            {"caption": "a bird"},
        )
    ):
        changed = save_classes(tmp_path / f"e{number}", "cat", "dog", **other)
        assert "equal in number" in refused(kind, changed, run, **changes)
    renamed = save_classes(tmp_path / "f", "cat", "fox", caption="a pet")
    assert "equal in number" in refused(kind, renamed, run, **changes)
    assert train(kind, shutil.move(begun, tmp_path / "moved"), run, images=64, **changes)


def test_a_set_of_another_resolution_is_named_by_both():
    sets = [ImageSet(torch.zeros(4, size, size, 3, dtype=torch.uint8)) for size in (32, 64)]
    with pytest.raises(BadInput, match="pictures of 32 pixels a side, but --data gives pictures of 64 pixels a side"):
        check_same(of_images(sets[0], sets[0]), of_images(sets[1], sets[1]), sets)


@pytest.mark.parametrize("name", ["pocket", "contrastive"])
def test_other_networks_are_refused_whatever_their_size(name, data, weights, tmp_path):
    train(name, data, tmp_path / "run", weights=weights)
    write_weights(tmp_path, widths=(6, 6, 8, 8))
    assert "builds on another trunk" in refused(name, data, tmp_path / "run", weights=tmp_path)
    torch.manual_seed(9)
    write_trunk(tmp_path, CLASSES, TERMS)
    assert "builds on another trunk" in refused(name, data, tmp_path / "run", weights=tmp_path)
    assert "builds on another trunk" in refused(name, data, tmp_path / "run")  # the package's


def test_a_checkpoint_from_before_goes_on(data, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        header = checkpoint.asdict
        old = {"step", "seconds"}
        patched.setattr(checkpoint, "asdict", lambda done: {k: v for k, v in header(done).items() if k in old})
        patched.setattr("zeuxis.lab.tasks.classifier.of_images", lambda *sets: {})
        train("trunk", data, tmp_path / "old", images=64)
    train("trunk", data, tmp_path / "old", images=96)
    train("trunk", data, tmp_path / "new", images=64)
    train("trunk", data, tmp_path / "new", images=96)
    one, two = exported(tmp_path / "old"), exported(tmp_path / "new")
    assert all(torch.equal(one[name], two[name]) for name in one)
