"""A GAN on pictures as people have them, and trainings that go wrong: said in one sentence, nothing lost."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lab_helpers import exported, recipe, same
from PIL import Image

from zeuxis.errors import BadInput, RunUnwritable, SearchStopped
from zeuxis.lab import adversarial, checkpoint, curves
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.train import train
from zeuxis.storage import files

CPU = torch.device("cpu")


def of_folder(images=32, name="dcgan", **changes):
    options = {"labels": None, "channels": 3} | changes.pop("options", {})
    return recipe(name, images, data="folder", options=options, **changes)


def write(folder, count=8):
    """Eight pictures in two classes: colours, grey, alpha, 16 bit, a palette; sizes differ."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / ("light" if number % 2 else "dark")
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (20 + number, 24, 4), dtype=np.uint8) + 100 * (number % 2)
        kinds = {
            0: Image.fromarray(pixels[..., :3]), 1: Image.fromarray(pixels[..., 0]), 2: Image.fromarray(pixels),
            3: Image.fromarray(pixels[..., 0].astype(np.uint16) * 257),
            4: Image.fromarray(pixels[..., :3]).quantize(16),
        }  # fmt: skip
        kinds[number % 5].save(place / f"{number}.png")
    return folder


def test_eight_pictures_of_every_kind_train(tmp_path):
    """Grey, alpha, 16 bit and palette; both splits are the same eight, which is said."""
    config, told = of_folder(), []
    train(config, write(tmp_path / "data"), tmp_path / "run", device=CPU, say=told.append)
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["data"]["pictures"] == 8 and summary["data"]["channels"] == 3 and not summary["left_out"]
    assert all(np.isfinite(value) for line in curves.read_log(tmp_path / "run") for value in line.values())
    task = Adversarial(Lab(config, tmp_path / "data", CPU, torch.float32))
    light, dark = (task.train.pixels[task.y[:, 0] == k].float().mean() for k in (1, 0))
    assert light > dark + 50  # 16 bit is scaled, not cut
    assert any("held-out pictures are those it is trained on" in text for text in told)


def test_corrupt_pictures_and_an_empty_class_are_left_out(tmp_path):
    place = write(tmp_path / "data")
    (place / "vacant").mkdir()
    (place / "light/cut.png").write_bytes((place / "light/1.png").read_bytes()[:60])
    (place / "dark/none.jpg").write_bytes(b"")
    told = []
    train(of_folder(), place, tmp_path / "run", device=CPU, say=told.append)
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["data"]["classes"] == {"class": 2} and summary["data"]["pictures"] == 8
    assert any("Left out 2 of 10 pictures" in text for text in told)
    assert all("vacant" not in path.read_text(errors="ignore") for path in (tmp_path / "run").glob("*.json"))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_are_one_sentence(count, tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(BadInput) as refusal:
        train(of_folder(), write(tmp_path / "data", count), tmp_path / "run", device=CPU)
    assert "\n" not in str(refusal.value) and not (tmp_path / "run/train.json").exists()


def broken_from(step):
    """Values become NaN from this step on."""
    seen = iter(range(10_000))

    def change(value):
        return value * float("nan") if next(seen) >= step else value

    return change


def test_the_loss_that_became_nan_first_is_named(data, tmp_path, monkeypatch):
    spoil = broken_from(7)
    whole = Adversarial.__init__

    def build(task, lab):
        whole(task, lab)
        penalty, of = task.penalties["r1"]
        task.penalties["r1"] = (lambda *given: spoil(penalty(*given)), of.model_copy(update={"every": 1}))

    monkeypatch.setattr(Adversarial, "__init__", build)
    with pytest.raises(SearchStopped, match=r"at image 64: first r1 \(nan\), after it g_loss.*What was kept before"):
        train(recipe("stylegan2"), data, tmp_path, device=CPU)
    check_kept(tmp_path)


@pytest.mark.parametrize(("part", "named"), [("discriminator", "d_loss"), ("generator", "g_loss")])
def test_an_objective_that_became_nan_is_named(part, named, data, tmp_path, monkeypatch):
    spoil, kind = broken_from(7), adversarial.setup.build_objective

    def build(*given):
        objective = kind(*given)
        plain = getattr(objective, part)
        setattr(objective, part, lambda *of: spoil(plain(*of)))
        return objective

    monkeypatch.setattr(adversarial.setup, "build_objective", build)
    with pytest.raises(SearchStopped, match=f"at image 64: first {named} "):
        train(recipe("stylegan2"), data, tmp_path, device=CPU)
    check_kept(tmp_path)


def test_weights_that_became_nan_without_a_loss_are_never_kept(data, tmp_path, monkeypatch):
    plain = Adversarial.step

    def step(task, number, progress):
        found = plain(task, number, progress)
        if number == 7:  # 64 images: a checkpoint is due
            next(task.generator.parameters()).data.fill_(float("inf"))
        return found

    monkeypatch.setattr(Adversarial, "step", step)
    with pytest.raises(SearchStopped, match="Weights of the generator became NaN or infinite before image 64"):
        train(recipe("stylegan2"), data, tmp_path, device=CPU)
    check_kept(tmp_path)


def check_kept(folder):
    """The checkpoint of 32 images, and exports of numbers only."""
    assert checkpoint.images_in(folder) == 32
    assert all(bool(value.isfinite().all()) for value in exported(folder).values())


PROGRAM = """
import os, signal, sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
from lab_helpers import pooled_pixels, recipe
from zeuxis.lab import curves, watch
from zeuxis.lab.train import train
watch.Watch.features = pooled_pixels
curves.draw = lambda folder: None
kill = lambda line: os.kill(os.getpid(), signal.SIGKILL) if line["images"] == 48 else None
train(recipe("dcgan", precision="fp32"), Path(sys.argv[2]), Path(sys.argv[3]), device=torch.device("cpu"), report=kill)
"""


def test_a_kill_without_warning_changes_nothing_in_the_end(data, tmp_path):
    from zeuxis.lab.watch import standing_statistics  # the killed process has the whole one

    words = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(data), str(tmp_path / "cut")]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert checkpoint.images_in(tmp_path / "cut") == 32
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(adversarial, "standing_statistics", standing_statistics)
        for name in ("cut", "whole"):
            train(recipe("dcgan"), data, tmp_path / name, device=CPU)
    assert same(exported(tmp_path / "cut"), exported(tmp_path / "whole"))
    told = [[{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in
             curves.read_log(tmp_path / name)] for name in ("cut", "whole")]  # fmt: skip
    assert told[0] == told[1] and len(told[0]) == 6


def test_a_full_disk_is_one_sentence_and_the_training_goes_on_later(data, tmp_path, monkeypatch):
    train(recipe("dcgan", 32), data, tmp_path, device=CPU)
    with monkeypatch.context() as patched, pytest.raises(RunUnwritable, match="disk is full"):
        patched.setattr(files.calls, "write", lambda handle, rest: 0)
        train(recipe("dcgan", 96), data, tmp_path, device=CPU)
    assert checkpoint.images_in(tmp_path) == 32
    train(recipe("dcgan", 96), data, tmp_path, device=CPU)
    assert checkpoint.images_in(tmp_path) == 96


def test_other_pictures_are_refused_when_it_goes_on(tmp_path):
    train(of_folder(16), write(tmp_path / "data"), tmp_path / "run", device=CPU)
    more = write(tmp_path / "more", 10)
    with pytest.raises(BadInput, match="training on 8 pictures, but --data gives 10 pictures"):
        train(of_folder(32), more, tmp_path / "run", device=CPU)
    (tmp_path / "data").rename(tmp_path / "moved")
    train(of_folder(32), tmp_path / "moved", tmp_path / "run", device=CPU)  # the same ones elsewhere are welcome
    assert checkpoint.images_in(tmp_path / "run") == 32
