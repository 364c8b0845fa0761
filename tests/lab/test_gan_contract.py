"""What every architecture of the table promises as a training: the same again, resumed, searched, learning."""

import math

import pytest
import torch
from lab_helpers import GANS, exported, recipe, same
from safetensors.torch import load_file

from zeuxis.data import ImageSet
from zeuxis.generators.lab import LabGenerator
from zeuxis.hub.model_file import read_model
from zeuxis.lab import checkpoint
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.train import train
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.rng import stream
from zeuxis.run import RunFolder
from zeuxis.workflows import generate

CPU = torch.device("cpu")
SEARCHED = ("biggan", "stylegan3-t", "stackgan", "began")  # beside those of test_adversarial.py: others behind `long`
NEW = [name for name in GANS if name not in ("pocket", "dcgan", "wgan-gp", "stylegan2", "projected")]


def task_of(name, folder, weights=None, **changes):
    return Adversarial(Lab(recipe(name, **changes), folder, CPU, torch.float32, weights))


def weights_of(task):
    nets = {f"{part}/{key}": value for part, net in task.nets.items() for key, value in net.state_dict().items()}
    return {key: value.clone() for key, value in nets.items()}


def test_every_architecture_has_a_small_recipe():
    assert set(GANS) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", list(GANS))
def test_it_goes_on_from_a_checkpoint_bit_by_bit(name, data, weights, tmp_path):
    """Four steps, and two and a resume and two; the same seed twice on the way, another on the side."""
    one, two, other = (task_of(name, data, weights, seed=seed) for seed in (3, 3, 4))
    assert same(weights_of(one), weights_of(two)) and not same(weights_of(one), weights_of(other))
    before = weights_of(one)
    lines = [one.step(step, step / 4) for step in range(4)]
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert all(line.keys() == lines[0].keys() for line in lines)
    moved = {key.split("/")[0] for key, value in weights_of(one).items() if not torch.equal(value, before[key])}
    assert moved == {"generator", "discriminator"}
    assert [two.step(step, step / 4) for step in range(2)] == lines[:2]
    checkpoint.save(two, {}, Progress(step=2), tmp_path)
    resumed = task_of(name, data, weights)
    assert checkpoint.load(resumed, {}, tmp_path) is not None and resumed.state() == two.state()
    assert [resumed.step(step, step / 4) for step in (2, 3)] == lines[2:]
    assert same(weights_of(resumed), weights_of(one)) and resumed.state() == one.state()


def test_a_critic_told_labels_by_a_second_head_learns_them(data, weights):
    objective = {"source": "wasserstein", "weight": 5.0, "generator_weight": 1.0, "fakes": False}
    options = {"objective": "auxiliary-class", "objective_options": objective}
    critic = {"discriminator": {"width": 16, "classify": True}, "optimizers": {"discriminator": {"lr": 1e-2}}}
    task = task_of("wgan-gp", data, weights, options=options | critic)

    def class_loss():
        drawn = task.draws.others(stream(0, "x"))
        with torch.no_grad():
            return float(task.discriminator(task.draws.real(drawn), drawn.y_real, classify=True).class_loss())

    before = class_loss()
    assert all(math.isfinite(value) for step in range(60) for value in task.step(step, step / 60).values())
    assert class_loss() < 0.8 * before


def exported_by(task, name, folder):
    """The file of a network after one step."""
    task.step(0, 0.0)
    task.export(task.nets, folder)
    return folder / f"{name}.safetensors"


@pytest.mark.parametrize("name", NEW)
def test_what_was_trained_draws_the_same(name, data, weights, tmp_path):
    task = task_of(name, data, weights)
    path = exported_by(task, name, tmp_path)
    assert read_model(path).family == f"gan-{name}"
    generator, (z, y) = LabGenerator(path), task.latents(stream(0, "z"), 6)
    z = z.clamp(-2, 2)
    with torch.no_grad():
        drawn = task.draw(task.generator.eval(), z, y)
        x = z if not task.words else torch.cat([z, generator.space.spaces[1].encode(task.generator.embed(y))], 1)
        found = generator.render(x)[:, : drawn.shape[1]]
        assert torch.allclose(found, drawn, atol=0.02)  # stored as fp16
        logits = task.discriminator.eval()(drawn * 2 - 1)
        logits = logits.mean(1) if logits.ndim == 2 else logits  # of several heads
        assert torch.allclose(generator.realism(drawn), logits, atol=0.02 + 0.02 * float(logits.abs().max()))


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in SEARCHED else pytest.mark.long) for n in NEW])
def test_what_was_trained_can_be_searched(name, data, weights, tmp_path):
    path = exported_by(task_of(name, data, weights), name, tmp_path)
    few = {"population": 4, "generations": 1, "micro_batch": 4, "precision": "fp32", "device": "cpu"}
    toys = {"scorer": "toy", "judge": "toy", "search": "ga", "augment": 0, "realism": 0.1}
    generate("a red disc", out=tmp_path / "run", generator=str(path), seed=1, **few, **toys)
    assert RunFolder(tmp_path / "run").exists() and list((tmp_path / "run/images").iterdir())


@pytest.mark.parametrize("name", ["began", "r3gan"])
def test_a_whole_training_resumes_bit_by_bit(name, data, weights, tmp_path):
    """By the loop itself, with averages: also what an objective, an augmentation and the last line know."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    config, lines = recipe(name), []
    train(config, data, whole, device=CPU, weights=weights, report=lines.append)
    assert all({"D accuracy", "generator gradient", "discriminator gradient"} <= line.keys() for line in lines)
    calls = iter(range(1000))
    with pytest.raises(KeyboardInterrupt):
        train(config, data, cut, device=CPU, weights=weights, stop=lambda: next(calls) > 7)
    train(config, data, cut, device=CPU, weights=weights)
    assert same(exported(whole), exported(cut))
    one, two = (load_file(folder / "checkpoint.safetensors") for folder in (whole, cut))
    assert same(one, two)


STYLES = {"z_dim": 8, "w_dim": 16}
WIDE = {"channel_base": 256, "channel_max": 16}
MAPPED = STYLES | WIDE | {"mapping_layers": 2}
MOMENTUM, NONE = [0.5, 0.99], [0.0, 0.99]  # betas of Adam
FADING, LATER = {"decay_from": 0.3}, {"decay_from": 0.5}
LEARNT = {  # by heart in two minutes at most: generator, discriminator, other options, steps, rate, betas
    "mlp-gan": ({"widths": [256]}, {"widths": [128], "pieces": 2}, FADING, 1600, 2e-3, MOMENTUM),
    "cgan-mlp": ({"widths": [64, 64, 256]}, {"widths": [128, 32, 128]}, FADING, 1600, 1e-3, MOMENTUM),
    "dcgan": ({"width": 16}, {"width": 16}, {}, 300, 2e-3, MOMENTUM),
    "cgan": ({"width": 16}, {"width": 16}, FADING, 400, 1e-3, MOMENTUM),
    "acgan": (
        {"width": 16}, {"width": 8}, FADING | {"objective_options": {"fakes": False, "generator_weight": 0.2}},
        800, 1e-3, MOMENTUM,
    ),
    "began": ({"width": 16}, {"code": 32, "width": 16}, LATER | {"mode_seeking": 0.03}, 1500, 1e-3, MOMENTUM),
    "sngan": ({"width": 16}, {"width": 16}, {}, 800, 2e-3, MOMENTUM),
    "wgan-gp": ({"width": 16}, {"width": 16}, FADING | {"discriminator_steps": 5}, 800, 1e-3, [0.0, 0.9]),
    "stylegan2": ({"w_dim": 16, "widths": [16, 16, 8]}, {"widths": [16, 16, 8]}, {}, 400, 2e-3, MOMENTUM),
    "r3gan": (
        {"widths": [16, 16, 16], "group_width": 8}, {"widths": [16, 16, 16], "group_width": 8}, {}, 400, 2e-3, MOMENTUM,
    ),
    "pocket": ({"embed_dim": 8, "widths": [16, 16, 16, 16]}, {"width": 8}, {}, 300, 2e-3, MOMENTUM),
    "projected": (
        {"embed_dim": 8, "w_dim": 16, "widths": [16, 16, 16, 8]}, {"width": 8, "pixel_width": 8},
        LATER | {"mode_seeking": 0.3}, 900, 2e-3, NONE,
    ),
    "vision-aided": (
        {"embed_dim": 8, "w_dim": 16, "widths": [16, 16, 16, 8]}, {"widths": [16, 16, 16, 8], "heads": 8}, FADING,
        500, 2e-3, NONE,
    ),
    "biggan": ({"embed_dim": 8, "width": 4, "n_stats": 2}, {"width": 4}, {}, 200, 2e-3, MOMENTUM),
    "progan": (WIDE, WIDE, LATER | {"discriminator_steps": 2}, 900, 2e-3, NONE),
    "stylegan": (MAPPED, WIDE | {"mapping_layers": 2}, FADING | {"style_mixing": 0.0}, 800, 2e-3, MOMENTUM),
    "stylegan2-full": (MAPPED, WIDE | {"mapping_layers": 2}, FADING | {"style_mixing": 0.0}, 400, 2e-3, NONE),
    "stylegan3-t": (STYLES | WIDE | {"layers": 4}, WIDE, FADING, 400, 2e-3, NONE),
    "stylegan3-r": (STYLES | WIDE | {"layers": 4}, WIDE, FADING, 400, 2e-3, NONE),
    "cogan": ({"width": 16}, {"widths": [8, 16, 32]}, FADING, 800, 1e-3, MOMENTUM),
    "stackgan": (
        {"text_dim": 8, "condition": 8, "width": 16, "second_width": 16, "blocks": 1},
        {"text_dim": 8, "condition": 8, "width": 8}, FADING, 1200, 1e-3, MOMENTUM,
    ),
}  # fmt: skip
QUICK = ("mlp-gan", "cgan-mlp", "dcgan", "cgan")  # that learn something in a second, of fifty steps


def test_every_architecture_is_asked_to_learn():
    assert set(LEARNT) == set(ARCHITECTURES)


def of_eight(name, data, weights, changes, rate, betas):
    """A task that is shown eight pictures and no others, and how far what it draws is from them and they from it.

    Mean distances of 64 drawn pictures to the nearest of the eight and of these to the nearest drawn one; 1 is the mean
    distance between two of the eight.
    """
    adam = {part: {"lr": rate, "betas": betas} for part in ("generator", "discriminator")}
    plain = {"optimizers": adam, "augmentation": [], "flip": False, "mismatched": False}
    task = task_of(name, data, weights, batch=16, options=plain | changes)
    real = task.train.batch(torch.arange(8)).flatten(1)
    between = torch.cdist(real, real).sum() / 56

    def apart():
        z, y = task.latents(stream(0, "look"), 64)
        with torch.no_grad():
            drawn = (task.draw(task.generator.train(), z, y) * 2 - 1).flatten(1)
        far = torch.cdist(drawn, real) / between
        return float(far.min(1).values.mean()), float(far.min(0).values.mean())

    return task, apart


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.setattr(ImageSet, "__len__", lambda images: min(8, images.pixels.shape[0]))


def task_of_eight(name, data, weights):
    """Its task and how far apart, as `of_eight`; and the steps in which it learns the eight."""
    generator, discriminator, options, steps, rate, betas = LEARNT[name]
    changes = {"generator": {"z_dim": 8} | generator, "discriminator": discriminator} | options
    return *of_eight(name, data, weights, changes, rate, betas), steps


@pytest.mark.parametrize("name", QUICK)
def test_it_comes_nearer_to_eight_pictures(name, data, weights, eight):
    """Shown eight pictures again and again, what it draws comes nearer to them than at the start."""
    task, apart, _ = task_of_eight(name, data, weights)
    before = apart()[0]
    for step in range(50):
        task.step(step, step / 1000)
    assert apart()[0] < 0.8 * before


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "dcgan" else pytest.mark.long) for name in LEARNT]
)
def test_it_learns_eight_pictures_by_heart(name, data, weights, eight):
    """What it draws is nearer to one of the eight than half the way between two, and each of the eight is drawn.

    Networks that grow, and what has two stages, go through all of them.
    """
    task, apart, steps = task_of_eight(name, data, weights)
    assert max(apart()) > 0.7
    for step in range(steps):
        task.step(step, step / steps)
    assert max(apart()) < 0.5
