"""`benchmarks/lab_speed_more.py`: from the same weights and draws its steps have the losses of the engine's."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from lab_helpers import TRANSLATORS, recipe

from zeuxis.config import TrainConfig
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.tasks.vqgan import VQGAN
from zeuxis.lab.translation import Translation
from zeuxis.rng import stream

CPU = torch.device("cpu")
SEED = 3


@pytest.fixture
def bare_of(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield importlib.import_module("lab_speed_more").MORE
    sys.modules.pop("lab_speed_more", None)


def translation(name, data, **options):
    known = {"architecture": name, "name": name, "resolution": 16, "watch": 8} | TRANSLATORS[name] | options
    config = TrainConfig(
        task="translation", data="cifar10", seed=SEED, batch=6, images=96, precision="fp32", options=known
    )
    return Translation(Lab(config, data, CPU, torch.float32))


def drawn_as_the_engine(task, bare, step, ordered):
    """What the engine draws in that step; `ordered` by domain, as CycleGAN's bare step wants it."""
    ways = [("discriminator", k) for k in range(task.opt.discriminator_steps - 1)] + [()]
    rngs = iter([stream(SEED, "step", step, *way) for way in ways])

    def draw():
        bare.rng = next(rngs)
        x, y, target = task._draw(bare.rng)
        order = y[:, 0].argsort(stable=True) if ordered else torch.arange(len(y))
        return x[order], y[order], target[order]

    return draw


def assert_the_same_losses(task, bare, names, ordered):
    for step in range(4):
        bare.draw = drawn_as_the_engine(task, bare, step, ordered)
        found = task.step(step, 0.0)
        assert [float(loss.detach()) for loss in bare.step()] == pytest.approx(
            [found[name] for name in names], rel=1e-4
        )


def test_stargan(bare_of, data):
    task = translation("stargan", data)
    bare = bare_of["stargan"](task)
    assert_the_same_losses(task, bare, ["d_loss", "g_loss", "cycle"], ordered=False)
    for name, net in (("generator", bare.g), ("discriminator", bare.d)):
        for mine, of in zip(net.parameters(), task.nets[name].parameters(), strict=True):
            assert torch.allclose(mine, of, atol=1e-4)


def test_cyclegan(bare_of, data):
    task = translation("cyclegan", data, pool=50)
    assert_the_same_losses(task, bare_of["cyclegan"](task), ["d_loss", "g_loss", "cycle", "identity"], ordered=True)


def test_cyclegan_with_a_full_pool(bare_of, data, monkeypatch):
    task = translation("cyclegan", data, pool=1)  # so that there is one place to choose
    monkeypatch.setattr(
        torch, "rand", lambda *size, generator=None, **kind: torch.zeros(*size, **kind)
    )  # exchanges all
    assert_the_same_losses(task, bare_of["cyclegan"](task), ["d_loss", "g_loss", "cycle", "identity"], ordered=True)


def test_vqgan(bare_of, data):
    task = VQGAN(Lab(recipe("vqgan", options={"perceptual": 1.0}), data, CPU, torch.float32))
    bare = bare_of["vqgan"](task)
    for step in range(4):
        bare.rng = stream(task.lab.config.seed, "step", step)
        found = task.step(step, 0.05)  # where the rate is the recipe's
        wanted = [found[name] for name in ("l1", "perceptual", "commitment")]
        assert [float(loss.detach()) for loss in bare.step()] == pytest.approx(wanted, rel=1e-4)
    assert torch.allclose(bare.book, task.book, atol=1e-4)
    assert torch.allclose(bare.counts, task.usage.counts, atol=1e-5)
