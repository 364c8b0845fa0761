"""A training checkpoint with one bit flipped, cut or emptied: the training goes on from the one before, and says so."""

import random
import shutil

import pytest
import torch
from lab_helpers import recipe
from safetensors.torch import load_file

from zeuxis.errors import RunDamaged
from zeuxis.lab import checkpoint
from zeuxis.lab.checkpoint import NEWEST, PREVIOUS, Progress
from zeuxis.lab.ema import Average
from zeuxis.lab.train import train

CPU = torch.device("cpu")


class Small:
    """A task of one layer and its optimiser."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.nets = {"net": torch.nn.Linear(3, 4)}
        self.optimizers = {"net": torch.optim.Adam(self.nets["net"].parameters())}

    def step(self):
        """One step of the optimiser."""
        self.nets["net"](torch.ones(2, 3)).square().sum().backward()
        self.optimizers["net"].step()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two checkpoints, of steps 1 and 2."""
    folder, task = tmp_path_factory.mktemp("flips"), Small()
    average = {"net": Average(task.nets["net"], 0.9)}
    for number in (1, 2):
        task.step()
        average["net"].update(task.nets["net"])
        checkpoint.save(task, average, Progress(step=number, images=8 * number, sums={"loss": 0.5}), folder)
    return folder


def loaded(folder):
    """What a new task goes on with: its progress, its weights, what was said."""
    task, told = Small(1), []
    progress = checkpoint.load(task, {"net": Average(task.nets["net"], 0.9)}, folder, told.append)
    return progress, task.nets["net"].weight.detach(), told


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_anywhere_gives_way_to_the_checkpoint_before(seed, written, tmp_path):
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    whole, rng = (written / NEWEST).read_bytes(), random.Random(seed)
    head = 8 + int.from_bytes(whole[:8], "little")
    before = load_file(written / PREVIOUS)["net/net/weight"]
    places = [rng.randrange(len(whole)) for _ in range(35)] + [rng.randrange(head) for _ in range(15)]
    if seed == 0:
        places[:8] = range(8)  # the length of the header
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        (tmp_path / NEWEST).write_bytes(flipped)
        progress, weight, told = loaded(tmp_path)
        assert (progress.step, progress.images) == (1, 8) and torch.equal(weight, before), place
        assert told == [f"{NEWEST} is damaged; going on from {PREVIOUS}, the one before it."], place
        assert checkpoint.images_in(tmp_path) == 8, place


@pytest.mark.parametrize("cut", [0, 1, 8, 9, 60, -1, -40])
def test_a_cut_checkpoint_gives_way_too(cut, written, tmp_path):
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    (tmp_path / NEWEST).write_bytes((written / NEWEST).read_bytes()[:cut])
    assert loaded(tmp_path)[0].step == 1
    (tmp_path / PREVIOUS).write_bytes(b"")
    with pytest.raises(RunDamaged, match="No checkpoint in"):
        loaded(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "missing", "pipe", "other"])
def test_something_else_in_its_place_gives_way_too(kind, written, tmp_path):
    import os

    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    (tmp_path / NEWEST).unlink()
    if kind == "folder":
        (tmp_path / NEWEST).mkdir()
    elif kind == "pipe":
        os.mkfifo(tmp_path / NEWEST)
    elif kind == "other":
        (tmp_path / NEWEST).write_text("{}")
    assert loaded(tmp_path)[0].step == 1


def test_a_whole_checkpoint_is_loaded_in_silence(written):
    progress, weight, told = loaded(written)
    assert (progress.step, progress.sums, told) == (2, {"loss": 0.5}, [])
    assert torch.equal(weight, load_file(written / NEWEST)["net/net/weight"])


def test_a_flip_does_not_change_what_is_trained(data, tmp_path):
    train(recipe("speedrun", images=64), data, tmp_path / "a", device=CPU)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.copy(tmp_path / "a" / PREVIOUS, tmp_path / "a" / NEWEST)  # where the other one has to go on from
    path = tmp_path / "b" / NEWEST
    whole = bytearray(path.read_bytes())
    whole[-100] ^= 1
    path.write_bytes(whole)
    for name in "ab":
        train(recipe("speedrun", images=96), data, tmp_path / name, device=CPU)
    found = [load_file(tmp_path / name / NEWEST) for name in "ab"]
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
