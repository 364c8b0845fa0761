"""A training may be stopped between any two steps, by a person or by the clock, and ends as the unbroken one."""

import json
import os
import signal
from functools import partial

import pytest
import torch
from lab_helpers import exported, recipe, same, tasks
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.cli.process import Interrupts
from zeuxis.errors import RunUnwritable
from zeuxis.lab import checkpoint
from zeuxis.lab import train as loop
from zeuxis.lab.tasks.classifier import Classifier
from zeuxis.lab.train import train as train_anywhere
from zeuxis.storage import files

train = partial(train_anywhere, device=torch.device("cpu"))


def stopping(after):
    """True when asked for the `after`th time: before each step and each line of the log."""
    asked = iter(range(10_000))
    return lambda: next(asked) >= after


def stop_after(name, data, weights, folder, asked):
    with pytest.raises(KeyboardInterrupt):
        train(recipe(name), data, folder, weights=weights, stop=stopping(asked))


def lines(folder):
    clock = {"images_per_second", "seconds", "check"}
    found = [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in clock} for line in found]


def check_same(folder, unbroken):
    assert same(load_file(folder / "checkpoint.safetensors"), load_file(unbroken / "checkpoint.safetensors"))
    assert same(exported(folder), exported(unbroken)) and lines(folder) == lines(unbroken)


@pytest.mark.parametrize("name", tasks("wgan-gp", "cgan"))
def test_a_training_stopped_at_any_step_ends_as_the_unbroken_one(name, data, weights, tmp_path):
    train(recipe(name), data, tmp_path / "whole", weights=weights)
    stop_after(name, data, weights, tmp_path / "cut", 1 if name == "wgan-gp" else 2)  # before a line of the log
    assert checkpoint.images_in(tmp_path / "cut") == 16
    stop_after(name, data, weights, tmp_path / "cut", 2)  # between two lines
    train(recipe(name), data, tmp_path / "cut", weights=weights)
    check_same(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("every", [1, *(pytest.param(k, marks=pytest.mark.long) for k in (2, 3)), 5])
def test_a_training_stopped_again_and_again_ends_as_the_unbroken_one(every, data, tmp_path):
    train(recipe("trunk"), data, tmp_path / "whole")
    starts = 0
    while not (tmp_path / "cut/summary.json").exists():
        starts += 1
        assert starts < 40
        try:
            train(recipe("trunk"), data, tmp_path / "cut", stop=stopping(every))
        except KeyboardInterrupt:
            continue
    assert starts > 3
    check_same(tmp_path / "cut", tmp_path / "whole")


def test_the_clock_writes_checkpoints_of_its_own(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    train(recipe("trunk"), data, tmp_path / "whole")

    def cut(line):
        if line["images"] == 48:
            raise SystemExit

    with pytest.raises(SystemExit):
        train(recipe("trunk"), data, tmp_path / "cut", report=cut)
    assert checkpoint.images_in(tmp_path / "cut") == 48  # the last one due by images is that of 32
    train(recipe("trunk"), data, tmp_path / "cut")
    check_same(tmp_path / "cut", tmp_path / "whole")


def test_a_stop_before_the_first_step_writes_nothing(data, tmp_path):
    stop_after("trunk", data, None, tmp_path, 0)
    assert checkpoint.images_in(tmp_path) is None


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(data, tmp_path, monkeypatch):
    train(recipe("trunk"), data, tmp_path / "whole")
    stop_after("trunk", data, None, tmp_path / "cut", 3)

    def pulled(handle, rest):
        raise KeyboardInterrupt  # the second Ctrl-C

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(files.calls, "write", lambda handle, rest: os.write(handle, rest))
        save = checkpoint.save

        def late(*given):
            patched.setattr(files.calls, "write", pulled)
            save(*given)

        patched.setattr(checkpoint, "save", late)
        train(recipe("trunk"), data, tmp_path / "cut", stop=stopping(4))
    assert checkpoint.images_in(tmp_path / "cut") == 16
    train(recipe("trunk"), data, tmp_path / "cut")
    check_same(tmp_path / "cut", tmp_path / "whole")
    assert not list((tmp_path / "cut").glob(".*.part"))


def test_a_full_disk_is_one_sentence_and_the_checkpoint_before_stays(data, tmp_path, monkeypatch):
    stop_after("trunk", data, None, tmp_path, 3)
    monkeypatch.setattr(files.calls, "write", lambda handle, rest: 0)
    with pytest.raises(RunUnwritable, match="disk is full"):
        train(recipe("trunk"), data, tmp_path)
    assert checkpoint.images_in(tmp_path) == 16


RECIPE = """
task = "classifier"
data = "folder"
images = 80
batch = 8
precision = "fp32"
checkpoint_every = 80
report_every = 40
[options]
widths = [4, 4, 4]
lr = 1e-3
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`zeuxis train` in this process; `command(*signals)` sends them to itself in the third step."""
    for name, shade in (("dark", 10), ("light", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (32, 32), (shade + number,) * 3).save(tmp_path / "data" / name / f"{number}.png")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    words = ["train", tmp_path / "tiny.toml", "--data", tmp_path / "data", "--out", tmp_path / "out", "--device", "cpu"]
    plain = Classifier.step

    def call(*signals):
        def step(task, number, progress):
            for sent in signals if number == 2 else ():
                os.kill(os.getpid(), sent)
            return plain(task, number, progress)

        monkeypatch.setattr(Classifier, "step", step)
        return CliRunner().invoke(app, list(map(str, words)))

    return call


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leaves_a_checkpoint_and_says_so(number, command, tmp_path):
    before = signal.getsignal(number)
    result = command(number)
    assert result.exit_code == 130 and checkpoint.images_in(tmp_path / "out") == 24
    assert "holds a checkpoint of 24 images; the same command again goes on from there" in result.output
    assert signal.getsignal(number) is before
    assert command().exit_code == 0 and checkpoint.images_in(tmp_path / "out") == 80


def test_a_second_signal_stops_at_once(command, tmp_path):
    Interrupts.over = True  # as an earlier command of this process leaves it
    result = command(signal.SIGINT, signal.SIGTERM)
    assert result.exit_code == 130 and "before the first checkpoint: nothing is kept" in result.output
    assert command().exit_code == 0 and checkpoint.images_in(tmp_path / "out") == 80


def test_a_hangup_that_is_ignored_does_not_stop_it(command, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert command(signal.SIGHUP).exit_code == 0 and checkpoint.images_in(tmp_path / "out") == 80
    finally:
        signal.signal(signal.SIGHUP, before)
