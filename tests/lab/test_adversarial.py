"""The adversarial task: its steps, what it freezes, watches, keeps and exports, and what it refuses in one sentence."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lab_helpers import (
    CLASSES,
    TERM_CLASS,
    TERMS,
    pictures,
    pooled_pixels,
    recipe,
    same,
    write_digits,
    write_trunk,
)
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, MissingModel, SearchStopped, UnknownName, WeightsRefused
from zeuxis.generators.choose import make_generator
from zeuxis.generators.lab import LabGenerator
from zeuxis.hub.model_file import build, read_model, tensors_of
from zeuxis.lab import adversarial, checkpoint, draws, watch
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.adversarial_options import Options, options_of
from zeuxis.lab.augment import diff_augment
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.parts import load_trunk
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.train import train
from zeuxis.lab.watch import Watch
from zeuxis.nets.gan.pocket import PocketDiscriminator, PocketGenerator
from zeuxis.nets.trunk import Trunk
from zeuxis.rng import stream
from zeuxis.run import RunFolder
from zeuxis.workflows import generate

CPU = torch.device("cpu")
REAL_FEATURES = Watch.features  # conftest.py puts a cheap function in its place
ARCHITECTURES = ["pocket", "dcgan", "wgan-gp", "stylegan2", "projected"]  # the others: test_gan_contract.py


def task_of(name, folder, weights=None, **changes):
    return Adversarial(Lab(recipe(name, **changes), folder, CPU, torch.float32, weights))


def weights_of(task):
    return {f"{part}/{name}": value for part, net in task.nets.items() for name, value in net.state_dict().items()}


# the pocket recipe, step by step


class ByHand:
    """The step of the first pocket recipe, written out: hinge loss, guidance, mode seeking, Adam with beta1 = 0."""

    def __init__(self, task, weights, lr_generator, lr_discriminator):
        self.data, self.y = task.train, torch.stack(list(task.train.labels.values()), 1)
        self.guide = load_trunk(weights / "trunk.safetensors")[0].requires_grad_(False)
        torch.manual_seed(3)
        self.g = PocketGenerator(32, (3, 7), z_dim=4, embed_dim=6, widths=(6, 6, 6, 6))
        self.d = PocketDiscriminator(32, (3, 7), width=4, trunk=self.guide.trunk, normalised=True)
        self.g, self.d = (net.to(memory_format=torch.channels_last) for net in (self.g, self.d))
        trained = [p for p in self.d.parameters() if p.requires_grad]
        self.rates = lr_generator, lr_discriminator
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr_generator, betas=(0.0, 0.99))
        self.adam_d = torch.optim.Adam(trained, lr_discriminator, betas=(0.0, 0.99))

    def step(self, step, progress):
        factor = 1.0 if progress < 0.5 else 1 - 0.9 * (progress - 0.5) / 0.5
        self.adam_g.param_groups[0]["lr"], self.adam_d.param_groups[0]["lr"] = (factor * rate for rate in self.rates)
        self.g.train(), self.d.train()
        rng = stream(3, "step", step)
        rows = torch.randint(0, len(self.data), (8,), generator=rng)
        real, y_real = self.data.batch(rows), self.y[rows]
        real = torch.where(torch.rand(8, 1, 1, 1, generator=rng) < 0.5, real.flip(3), real)
        y = self.y[torch.randint(0, len(self.data), (8,), generator=rng)]
        z, y = torch.randn(8, 4, generator=rng), torch.cat([y[:4], y[:4]])  # pairs of one label
        fake = self.g(z, self.g.embed(y))
        real, seen = diff_augment(real, rng, ("translation",)), diff_augment(fake, rng, ("translation",))

        maps = self.guide.trunk.stages(seen)
        d_real = self.d(real, y_real)
        d_fake = self.d(seen.detach(), y, frozen=[x.detach() for x in maps])
        d_loss = F.relu(1 - d_real).mean() + F.relu(1 + d_fake).mean()
        self.adam_d.zero_grad()
        d_loss.backward()
        self.adam_d.step()

        g_loss = -self.d(seen, y, frozen=maps).mean()
        guidance = F.cross_entropy(self.guide.classes(Trunk.pool(maps[-1])), y[:, 0])
        apart = (z[:4] - z[4:]).abs().mean(1) / ((fake[:4] - fake[4:]).abs().mean((1, 2, 3)) + 1e-3)
        apart = apart.mean().clamp(max=100.0)
        self.adam_g.zero_grad()
        (g_loss + 0.05 * guidance + 0.1 * apart).backward()
        self.adam_g.step()
        figures = {"d_loss": d_loss, "g_loss": g_loss, "guidance": guidance, "mode_seeking": apart}
        figures |= {"D(real)": d_real.mean(), "D(fake)": d_fake.mean()}
        return {name: float(value.detach()) for name, value in figures.items()}


def test_the_pocket_recipe_takes_the_steps_that_it_always_took(data, weights):
    rates = {"generator": {"lr": 3e-4}, "discriminator": {"lr": 1e-3}}
    task = task_of("pocket", data, weights, options={"optimizers": rates, "decay_from": 0.5})
    hand = ByHand(task, weights, 3e-4, 1e-3)
    assert same(task.generator.state_dict(), hand.g.state_dict())
    assert same(task.discriminator.state_dict(), hand.d.state_dict())
    for step in range(10):
        assert task.step(step, step / 10) == pytest.approx(hand.step(step, step / 10), rel=1e-6, abs=1e-6)


# every architecture


@pytest.fixture(scope="module")
def trained(data, weights, tmp_path_factory):
    """A short training of each architecture: its folder, made when first asked for."""
    done = {}

    def of(name):
        if name not in done:
            done[name] = tmp_path_factory.mktemp(name)
            train(recipe(name, images=32, checkpoint_every=32), data, done[name], device=CPU, weights=weights)
        return done[name]

    return of


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_two_steps_move_both_networks_and_no_frozen_one(name, data, weights):
    task = task_of(name, data, weights)
    before = {key: value.clone() for key, value in weights_of(task).items()}
    figures = [task.step(step, 0.0) for step in range(2)]
    after = weights_of(task)
    frozen = {key for key in before if "/trunk." in key}
    trained = {f"{part}/{key}" for part, net in task.nets.items() for key, p in net.named_parameters()} - frozen
    biases = {key for key in trained if key.endswith("bias")}  # of layers before a batch norm: nothing moves them
    assert not [key for key in trained - biases if torch.equal(before[key], after[key])]
    assert all(torch.equal(before[key], after[key]) for key in frozen)
    assert all(map(math.isfinite, (value for line in figures for value in line.values())))
    assert figures[0].keys() == figures[1].keys() >= {"d_loss", "g_loss", "D(real)", "D(fake)", *task.penalties}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_export_draws_the_very_pictures(name, data, weights, tmp_path):
    task = task_of(name, data, weights)
    task.step(0, 0.0)
    (last, best) = task.export(task.nets, tmp_path)
    assert (last.name, best.name) == (f"{name}-last.safetensors", f"{name}.safetensors")
    assert same(load_file(last), load_file(best))
    generator, (z, y) = LabGenerator(best), task.latents(stream(0, "z"), 6)
    z = z.clamp(-2, 2)
    x = z if not task.words else torch.cat([z, generator.space.spaces[1].encode(build(best).embed(y))], 1)
    with torch.no_grad():
        drawn = (task.generator.eval()(z, y) / 2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)
        found = generator.render(x)
        assert torch.allclose(found, drawn, atol=0.02) and (found - drawn).abs().mean() < 0.002  # stored as fp16
        logits = task.discriminator.eval()((drawn * 2 - 1)[:, : task.train.channels])
        logits = logits.mean(1) if logits.ndim == 2 else logits
        assert torch.allclose(generator.realism(drawn), logits, atol=0.02 + 0.02 * float(logits.abs().max()))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_export_says_what_it_is(name, trained, data):
    model = read_model(trained(name) / "export" / f"{name}.safetensors")
    grey = name in ("dcgan", "wgan-gp")
    assert model.family == f"gan-{name}" and set(model.parts) == {"generator", "discriminator"}
    assert model.about["data"] == ("MNIST" if grey else "CIFAR-10, AVIF pack") and model.licence
    assert model.about["trained"]["seed"] == 3 and "held_out_frechet" in model.about["trained"]["figures"]
    labels, words = model.about["labels"], {"class": list(CLASSES), "term": [readable(term) for term in TERMS]}
    digits = {"class": list("0123456789")}
    of = {"dcgan": {}, "wgan-gp": digits, "projected": {"class": list(CLASSES)}}
    assert labels == of.get(name, words)
    for part in model.parts.values():
        assert part["classes"] == [len(w) for w in labels.values()] and part["channels"] == (1 if grey else 3)
    if labels == words:
        assert model.about["rows"] == sorted([c, t] for t, c in enumerate(TERM_CLASS))
        assert model.about["counts"] == [8] * len(TERMS)


def readable(term):
    return "minicab" if term == "gypsy_cab" else term.replace("_", " ")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_was_trained_can_be_searched(name, trained, tmp_path):
    path, folder = trained(name) / "export" / f"{name}.safetensors", tmp_path / "run"
    few = {"population": 4, "generations": 2, "micro_batch": 4, "precision": "fp32", "device": "cpu", "view_every": 1}
    toys = {"scorer": "toy", "judge": "toy", "search": "ga", "augment": 0, "realism": 0.1}
    generate("a red disc on white", out=folder, generator=str(path), seed=1, **few, **toys)
    assert RunFolder(folder).exists() and list((folder / "images").iterdir())
    dry = CliRunner().invoke(app, ["generate", "a red disc", "--generator", str(path), "--scorer", "toy", "--dry-run"])
    assert dry.exit_code == 0 and str(path) in dry.stdout


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_sample_grid_always_shows_the_same_latents(name, data, weights):
    task = task_of(name, data, weights)
    one, two = task.samples(task.nets), task.samples(task.nets)
    rows = {"dcgan": 10, "wgan-gp": 10, "projected": len(CLASSES)}.get(name, len(TERMS))
    assert one.shape == (20 * rows, 3, task.train.resolution, task.train.resolution) and torch.equal(one, two)
    assert task.columns == 20 and one.min() >= 0 and one.max() <= 1


def test_the_rows_of_the_grid_are_the_most_frequent_labels(data, weights):
    task = task_of("projected", data, weights)
    _, y = task.watch.grid(task)
    assert y[::20].flatten().tolist() == [2, 0, 1]  # 24 trucks; 16 cats and 16 dogs in their order


def test_latents_come_in_pairs_that_differ_in_z_only(data, weights):
    task = task_of("pocket", data, weights)
    for count in (6, 7):
        z, y = task.latents(stream(0, "pairs"), count, pairs=True)
        assert torch.equal(y[:3], y[3:6]) and len(z) == len(y) == count and (z[:3] != z[3:6]).all()
        assert torch.equal(torch.tensor(TERM_CLASS)[y[:, 1]], y[:, 0])


def test_the_trunk_is_left_as_it_was(weights, trained):
    path = trained("pocket") / "export/pocket.safetensors"
    assert read_model(path).parts["discriminator"]["trunk_widths"] == [4, 6, 8, 8]
    given, found = load_file(weights / "trunk.safetensors"), load_file(path)
    trunk = {n.removeprefix("network."): value for n, value in given.items() if n.startswith("network.trunk.")}
    assert trunk and all(torch.equal(value, found[f"discriminator.{name}"]) for name, value in trunk.items())


@pytest.mark.parametrize("name", ["pocket", "projected"])
def test_the_exported_discriminator_answers_as_the_trained_one(name, data, weights, tmp_path):
    """Its spectral normalisation is folded into plain weights."""
    task = task_of(name, data, weights)
    task.step(0, 0.0)
    path = task.export(task.nets, tmp_path)[0]
    images, y = task.train.batch(torch.arange(6)), task.y[:6]
    with torch.no_grad():
        found, trained = build(path, "discriminator")(images, y), task.discriminator.eval()(images, y)
    assert not [key for key in load_file(path) if "parametrizations" in key]
    assert torch.allclose(found, trained, atol=0.02)


def test_exported_statistics_are_plain_means_over_fresh_latents(data, weights, tmp_path):
    task = task_of("pocket", data, weights)
    task.export(task.nets, tmp_path)
    generator, means = task.generator, []
    for index in range(2):  # batches, see conftest.py
        z, y = task.latents(stream(0, "standing", index), 128)
        with torch.no_grad():
            first = generator.start(torch.cat([z, generator.embed(y)], 1)).view(128, -1, 16)
        means.append(first.mean((0, 2)))
    assert torch.allclose(generator.blocks[0].norm1.norm.running_mean, torch.stack(means).mean(0), atol=1e-5)
    assert generator.blocks[0].norm1.norm.momentum == 0.1  # as it was, for the training that goes on


def test_looking_changes_no_weight(data, weights, tmp_path):
    """Evaluation, samples and export leave the next steps as they are: networks, optimisers, random numbers."""
    one, two = (task_of("pocket", data, weights) for _ in range(2))
    one.step(0, 0.0), two.step(0, 0.0)
    average = {"generator": copy.deepcopy(one.generator), "discriminator": one.discriminator}
    one.evaluate(average), one.samples(average), one.export(average, tmp_path)
    assert one.step(1, 0.5) == two.step(1, 0.5)
    assert same(weights_of(one), weights_of(two))


# how often, and what


def test_five_steps_of_the_discriminator_count_their_pictures(data, weights, tmp_path, monkeypatch):
    updates, descend = [], adversarial.descend
    task = task_of("wgan-gp", data, weights, options={"discriminator_steps": 5})
    assert task.images_per_step == 5 * 8
    names = {id(optimizer): name for name, optimizer in task.optimizers.items()}
    monkeypatch.setattr(adversarial, "descend", lambda o, loss: updates.append(names[id(o)]) or descend(o, loss))
    task.step(0, 0.0)
    assert updates == ["discriminator"] * 5 + ["generator"]
    monkeypatch.setattr(adversarial, "descend", descend)
    lines, five = [], recipe("wgan-gp", images=120, report_every=40, options={"discriminator_steps": 5})
    train(five, data, tmp_path, device=CPU, report=lines.append)
    assert [line["images"] for line in lines] == [40, 80, 120]


def test_each_update_of_the_discriminator_draws_its_own_pictures(data, monkeypatch):
    task, drawn = task_of("wgan-gp", data, options={"discriminator_steps": 3}), []
    batch = ImageSet.batch
    monkeypatch.setattr(ImageSet, "batch", lambda images, rows: drawn.append(rows.tolist()) or batch(images, rows))
    task.step(0, 0.0)
    task.step(1, 0.0)
    assert len(drawn) == 6 and len({tuple(rows) for rows in drawn}) == 6


@pytest.mark.parametrize(("balance", "shares"), [(0.0, [0.5, 0.3, 0.2]), (1.0, [1 / 3] * 3), (0.5, None)])
def test_labels_come_as_they_occur_or_each_as_often(balance, shares, tmp_path):
    shares = shares or [w / sum(map(math.sqrt, (5, 3, 2))) for w in map(math.sqrt, (5, 3, 2))]
    data = {"train": [0] * 5 + [1] * 3 + [2] * 2, "test": [0, 1, 2] * 7}
    for split, labels in data.items():
        _write_folder(tmp_path / split, labels)
    changes = {"data": "folder", "options": {"labels": ["class"], "balance": balance}}
    task = task_of("stylegan2", tmp_path, **changes)
    _, y = task.latents(stream(0, "many"), 20_000)
    assert torch.allclose(torch.bincount(y[:, 0]) / 20_000, torch.tensor(shares), atol=0.015)
    rows = task.draws.rows(stream(1, "many"), 20_000)  # real pictures too
    assert torch.allclose(torch.bincount(task.y[rows, 0]) / 20_000, torch.tensor(shares), atol=0.015)


def _write_folder(folder, labels):
    from PIL import Image

    for number, (label, pixels) in enumerate(zip(labels, pictures(len(labels), 0, 16)[0], strict=True)):
        (folder / f"kind{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"kind{label}" / f"{number}.png")


def test_half_of_the_real_pictures_are_mirrored_unless_they_are_digits(data, weights, monkeypatch):
    seen = []
    for name in ("pocket", "dcgan"):
        task = task_of(name, data, weights, options={"augmentation": []}, batch=40)
        task.objective.discriminator = lambda real, fake: (real.mean() + fake.mean()) * 0
        monkeypatch.setattr(draws, "augmented", lambda x, policy, numbers: seen.append(x.detach()) or x)
        task.step(0, 0.0)
        rng = stream(3, "step", 0)
        plain = task.train.batch(task.draws.rows(rng, 40))
        moved = (seen[-2] != plain).flatten(1).any(1)
        assert bool((moved == (seen[-2] == plain.flip(3)).flatten(1).all(1))[moved].all())
        assert (10 <= int(moved.sum()) <= 30) if name == "pocket" else not bool(moved.any())


# the best checkpoint


def _fixed_distance(monkeypatch, *distances):
    """Evaluations that find one distance after another."""
    left = list(distances)
    monkeypatch.setattr(watch, "frechet_distance", lambda real, fake: left.pop(0))


def test_the_best_stays_when_a_later_evaluation_is_worse(data, tmp_path, monkeypatch):
    _fixed_distance(monkeypatch, 5.0, 3.0, 4.0)  # after 16, 32 and 64 images; then 2.0 at the end
    few = recipe("stylegan2", images=64, report_every=16, checkpoint_every=32)
    lines = []
    train(few, data, tmp_path, device=CPU, report=lines.append)
    best, last = (read_model(tmp_path / f"export/stylegan2{end}.safetensors") for end in ("", "-last"))
    assert [line.get("held_out_frechet") for line in lines] == [5.0, 3.0, None, 4.0]
    assert best.about["trained"]["figures"]["held_out_frechet"] == 3.0
    assert last.about["trained"]["figures"]["held_out_frechet"] == 4.0
    assert best.tensors_sha256["generator"] != last.tensors_sha256["generator"]
    kept = load_file(tmp_path / "export/stylegan2.safetensors")
    _fixed_distance(monkeypatch, 3.5)  # a longer run remembers what the best was
    train(few.model_copy(update={"images": 96}), data, tmp_path, device=CPU)
    assert same(kept, load_file(tmp_path / "export/stylegan2.safetensors"))
    _fixed_distance(monkeypatch, 2.5)
    train(few.model_copy(update={"images": 128}), data, tmp_path, device=CPU)
    assert not same(kept, load_file(tmp_path / "export/stylegan2.safetensors"))


def test_the_checkpoint_keeps_the_best_distance(data, weights, tmp_path, monkeypatch):
    task = task_of("dcgan", data)
    assert task.state()["best"] is None
    _fixed_distance(monkeypatch, 2.25)
    task.evaluate(task.nets)
    checkpoint.save(task, {}, Progress(step=1), tmp_path)
    fresh = task_of("dcgan", data)
    assert checkpoint.load(fresh, {}, tmp_path) == Progress(step=1)
    assert fresh.state() == task.state() and task.state()["best"] == 2.25
    for other in ({}, {"best": 1.0}, {"best": 1.0, "by": "another network"}):
        fresh.load_state(other)  # the best by another measure is no best
        assert fresh.state()["best"] is None


# signs of collapse


def _signs(task, draw=None):
    if draw is not None:
        task.draw = draw
    return task.evaluate(task.nets)


def test_real_pictures_show_no_sign_of_collapse(data, monkeypatch):
    task = task_of("stylegan2", data)
    found = _signs(task, lambda net, z, y: task.test.batch(torch.arange(len(z))) / 2 + 0.5)
    assert found["collapse_signs"] == 0 and found["duplicates"] <= 0.2 and found["coverage"] > 0.8
    assert found["held_out_frechet"] < _signs(task, lambda net, z, y: torch.rand(len(z), 3, 16, 16))["held_out_frechet"]


def test_a_constant_generator_is_seen_to_collapse(data):
    task = task_of("stylegan2", data)
    found = _signs(task, lambda net, z, y: torch.full((len(z), 3, 16, 16), 0.9))
    assert found["duplicates"] == pytest.approx(19 / 20) and found["coverage"] < 0.1
    assert found["collapse_signs"] >= 2


def test_a_discriminator_that_is_always_right_is_saturated(data):
    task = task_of("stylegan2", data)
    white = lambda net, z, y: torch.ones(len(z), 3, 16, 16)  # noqa: E731  # no real picture is as light
    found = {}
    for sign in (-1, 1):
        task.discriminator.forward = lambda images, y=None, sign=sign: sign * images.mean((1, 2, 3))
        found[sign] = _signs(task, white)
    assert found[-1]["saturation"] == 1.0 and found[1]["saturation"] == 0.0
    assert found[-1]["collapse_signs"] == found[1]["collapse_signs"] + 1


def test_a_discriminator_that_knows_nothing_is_right_in_half_of_the_pairs(data):
    task = task_of("stylegan2", data, options={"watch": 28})
    values = torch.randn(10_000, generator=stream(0, "logits"))
    task.discriminator.forward = lambda images, y=None: values[: len(images)] if len(images) == 28 else None
    assert _signs(task)["saturation"] == pytest.approx(0.5, abs=0.02)  # equal logits are no pair


def test_the_figures_of_the_real_features(data, weights, monkeypatch):
    """MobileNet v1 itself, on few pictures: grey ones are shown as RGB."""
    monkeypatch.setattr(Watch, "features", REAL_FEATURES)
    task = task_of("wgan-gp", data)
    features = task.watch.features(task.test.batch(torch.arange(3)) / 2 + 0.5)
    assert features.shape == (3, 512) and bool((features >= 0).all()) and features.std(0).max() > 0
    found = _signs(task)
    assert found["held_out_frechet"] > 1 and 0 <= found["coverage"] <= 1
    assert _signs(task) == found  # always the same latents and pictures


def test_the_watch_needs_two_held_out_pictures(data, tmp_path):
    with pytest.raises(BadInput, match="two held-out pictures at least, got 1"):
        task_of("wgan-gp", write_digits(tmp_path, test=1))
    few = task_of("wgan-gp", write_digits(tmp_path, test=2))
    assert all(map(math.isfinite, few.evaluate(few.nets).values()))


def test_a_training_that_turns_to_nan_stops_with_one_sentence(data, tmp_path):
    wild = {"optimizers": {name: {"lr": 1e18} for name in ("generator", "discriminator")}, "objective": "least-squares"}
    with pytest.raises(SearchStopped, match=r"became NaN or infinite at image \d+: first g_loss .* Lower the rate"):
        train(recipe("dcgan", images=800, report_every=800, options=wild), data, tmp_path, device=CPU)
    assert not list(tmp_path.glob("export/*"))


def test_an_average_that_is_no_number_is_not_evaluated(data):
    """Where the last update before an evaluation was the one that broke it, no loss has shown it yet."""
    task = task_of("dcgan", data)
    nn.init.constant_(task.generator.body[-2].bias, math.nan)
    with pytest.raises(SearchStopped, match="draws NaN"):
        task.evaluate(task.nets)


def test_weights_that_fp16_cannot_hold_are_not_exported(data, tmp_path):
    task = task_of("dcgan", data)
    nn.init.constant_(task.generator.body[-2].bias, 1e6)
    with pytest.raises(WeightsRefused, match=r"is not finite in torch\.float16; nothing was written"):
        task.export(task.nets, tmp_path)
    assert not list(tmp_path.iterdir())


# what it refuses


WRONG = [
    ("dcgan", {"architecture": "dcgam"}, UnknownName, r"Unknown GAN architecture 'dcgam'\. Did you mean dcgan"),
    ("dcgan", {"objective": "hings"}, UnknownName, r"Unknown GAN objective 'hings'\. Did you mean hinge"),
    ("dcgan", {"penalties": {"r3": {"weight": 1.0}}}, UnknownName, "Unknown penalty 'r3'"),
    ("dcgan", {"penalties": {"r1": {"weight": 0.0}}}, BadInput, "penalties.r1.weight to be above 0"),
    (
        "dcgan",
        {"penalties": {"r1": {"weight": 1.0, "every": 0}}},
        BadInput,
        "penalties.r1.every to be at least 1, got 0",
    ),
    ("dcgan", {"penalties": {"r1": {}}}, BadInput, "penalties.r1.weight is missing"),
    ("dcgan", {"learning_rate": 1e-4}, BadInput, "no 'learning_rate'.* Known: architecture, generator"),
    ("dcgan", {"augmentation": ["blur"]}, BadInput, "Unknown augmentation 'blur'.* Known: colour, trans"),
    ("dcgan", {"augmentation": "colour"}, BadInput, "augmentation to be a list"),
    ("dcgan", {"discriminator_steps": 0}, BadInput, "discriminator_steps to be at least 1"),
    ("dcgan", {"balance": 2}, BadInput, "balance to be at most 1"),
    ("dcgan", {"mode_seeking": -1}, BadInput, "mode_seeking to be at least 0"),
    ("dcgan", {"optimizers": {"critic": {}}}, BadInput, "optimizers 'critic'.* Known: generator, discriminator"),
    ("dcgan", {"optimizers": {"generator": {"betas": [1.0, 0.9]}}}, BadInput, "optimizers.generator.betas"),
    ("dcgan", {"optimizers": {"generator": {"lr": 0}}}, BadInput, "optimizers.generator.lr"),
    ("dcgan", {"generator": {"widths": 8}}, BadInput, "generator of dcgan 'widths'. Did you mean width"),
    ("dcgan", {"generator": {"width": -4}}, BadInput, "width from 1"),
    ("dcgan", {"discriminator": {"width": "wide"}}, BadInput, "width from 1 to 65536, got 'wide'"),
    ("dcgan", {"generator": {"channels": 3}}, BadInput, "'channels'"),
    ("dcgan", {"resolution": 24}, BadInput, "power of two from 8 to 256, got 24"),
    ("dcgan", {"resolution": 2000}, BadInput, "resolution of 1 to 1024"),
    ("dcgan", {"channels": 2}, BadInput, "1 or 3 channels, got 2"),
    (
        "dcgan",
        {"labels": ["colour"]},
        BadInput,
        r"as conditions, got 'colour'\. The data have: class",
    ),
    ("dcgan", {"labels": ["class", "class"]}, BadInput, "each label once"),
    ("dcgan", {"guidance": 0.1}, BadInput, 'set trunk = "trunk"'),
    ("dcgan", {"watch": 2}, BadInput, "watch to be at least 20, got 2"),
    ("wgan-gp", {"trunk": "trunk"}, BadInput, "cat, dog, truck, ..., the data have 0, 1, 2"),
    ("dcgan", {"trunk": "trunk"}, BadInput, "classes, and .* have none"),
    ("stylegan2", {"trunk": "trunk"}, BadInput, "'stylegan2' cannot be built: .*'trunk'"),
    ("projected", {"resolution": 16, "generator": {}}, BadInput, "from 32 to 256, got 16"),
    ("pocket", {"labels": ["class"]}, BadInput, 'architecture = "stylegan2"'),
    ("pocket", {"resolution": 64}, BadInput, "64 pixels"),
    ("pocket", {"generator": {"widths": [6, 6]}}, BadInput, "number of widths"),
    ("pocket", {"trunk": "text"}, WeightsRefused, "holds text of text-tower, no network"),
    ("pocket", {"trunk": "missing"}, MissingModel, r"missing\.safetensors"),
    ("pocket", {"trunk": None}, BadInput, "Guidance needs a trained classifier"),
]


@pytest.mark.parametrize(("name", "wrong", "error", "said"), WRONG, ids=[f"{w[0]}-{w[1]}"[:60] for w in WRONG])
def test_a_wrong_option_is_refused_in_one_sentence_before_the_folder_is_taken(
    name, wrong, error, said, data, weights, tmp_path
):
    with pytest.raises(error, match=said) as refusal:
        train(recipe(name, options=wrong), data, tmp_path / "run", device=CPU, weights=weights)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 600
    assert not (tmp_path / "run/train.json").exists()


def test_a_trunk_of_other_classes_is_refused(data, tmp_path):
    write_trunk(tmp_path, ("zero", "one", "two"), ("zero",))
    with pytest.raises(BadInput, match=r"zero, one, two.*cat, dog, truck"):
        task_of("pocket", data, tmp_path)


def test_the_pocket_architecture_trains_without_a_trunk_too(data, tmp_path):
    """On random features, without guidance."""
    plain = {"trunk": None, "guidance": 0.0}
    task = task_of("pocket", data, options=plain | {"discriminator": {"width": 4, "trunk_widths": [4, 4, 4, 4]}})
    assert "guidance" not in task.step(0, 0.0)
    path = task.export(task.nets, tmp_path)[0]
    assert make_generator(str(path)).realism(torch.rand(2, 3, 32, 32)).shape == (2,)
    assert type(build(path, "discriminator").trunk) is Trunk


def test_options_have_defaults_and_are_fixed():
    options = options_of({"architecture": "dcgan"})
    assert options == Options(architecture="dcgan") and options.objective == "hinge"
    with pytest.raises(ValueError, match="frozen"):
        options.objective = "wasserstein"


def test_the_cheap_features_of_these_tests_are_means_over_fields():
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, :2, :2] = 1
    assert pooled_pixels(None, x)[0].tolist() == [1.0] + [0.0] * 15


# starting from an earlier export


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_training_may_start_from_an_earlier_export(name, data, weights, trained, tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    for file in (weights / "trunk.safetensors", trained(name) / "export" / f"{name}.safetensors"):
        (parts / file.name).write_bytes(file.read_bytes())
    task = task_of(name, data, parts, options={"start": name}, seed=9)
    path = parts / f"{name}.safetensors"
    (z, y), images = task.latents(stream(0, "z"), 6), task.train.batch(torch.arange(6))
    generator, discriminator = (build(path, part) for part in ("generator", "discriminator"))
    with torch.no_grad():
        assert torch.allclose(task.generator.eval()(z, y), generator(z, y), atol=1e-4)
        expected, found = discriminator(images, task.y[:6]), task.discriminator.eval()(images, task.y[:6])
        assert torch.allclose(
            found, expected, atol=0.1 * float(expected.abs().max())
        )  # norms after few power iterations
    assert all(map(math.isfinite, task.step(0, 0.0).values()))


def test_a_start_that_does_not_fit_is_refused(data, weights, trained, tmp_path):
    for name in ("dcgan", "stylegan2"):
        path = trained(name) / "export" / f"{name}.safetensors"
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(BadInput, match="holds a gan-stylegan2, expected gan-dcgan"):
        task_of("dcgan", data, tmp_path, options={"start": "stylegan2"})
    with pytest.raises(BadInput, match="does not fit"):
        task_of("dcgan", data, tmp_path, options={"start": "dcgan", "generator": {"width": 8}})
    with pytest.raises(MissingModel, match=r"absent\.safetensors"):
        task_of("dcgan", data, tmp_path, options={"start": "absent"})
    with pytest.raises(BadInput, match=r"other labels than those of the data: its class .* is .* here"):
        task_of("stylegan2", _relabelled(data, tmp_path), tmp_path, options={"start": "stylegan2"})


def test_a_transfer_takes_all_but_what_is_known_of_labels(data, trained, tmp_path):
    path = trained("stylegan2") / "export" / "stylegan2.safetensors"
    (tmp_path / path.name).write_bytes(path.read_bytes())
    options = {"start": "stylegan2", "transfer": True}
    task = task_of("stylegan2", _relabelled(data, tmp_path), tmp_path, options=options)
    new = task_of("stylegan2", data)
    for part, net in (("generator", task.generator), ("discriminator", task.discriminator)):
        given, fresh = tensors_of(path, part), new.nets[part].state_dict()
        of_labels = [name for name in given if "labels." in name]
        assert of_labels
        for name, value in net.state_dict().items():
            assert torch.equal(value, fresh[name] if name in of_labels else given[name].float())


def _relabelled(data, folder):
    arrays = dict(np.load(data / "cifar10.npz"))
    np.savez(folder / "cifar10.npz", **arrays | {"classes": arrays["classes"][::-1]})
    return folder
