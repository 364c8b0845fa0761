"""The task "translation": the same again, resumed, its losses and pool by hand, what is drawn from which domain."""

import math

import numpy as np
import pytest
import torch
from lab_helpers import LATENT, TRANSLATORS, exported, same
from PIL import Image

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, UnknownName
from zeuxis.generators.choose import check_generator
from zeuxis.hub.model_file import build, read_model
from zeuxis.lab import checkpoint
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.train import train
from zeuxis.lab.translation import Translation
from zeuxis.lab.translation_parts import Pool, cycle_consistency, domain_classification, options_of
from zeuxis.nets.gan.base import Classified
from zeuxis.rng import stream

CPU = torch.device("cpu")


def recipe(name, images=96, **changes):
    options = (
        {"architecture": name, "name": name, "resolution": 16, "watch": 8}
        | TRANSLATORS[name]
        | changes.pop("options", {})
    )
    fields = {"data": "cifar10", "seed": 3, "batch": 6, "ema": 0.9, "precision": "fp32"}
    fields |= {"checkpoint_every": 36, "report_every": 12}
    return TrainConfig(task="translation", images=images, options=options, **(fields | changes))


def task_of(name, data, **changes):
    return Translation(Lab(recipe(name, **changes), data, CPU, torch.float32))


def weights_of(task):
    return {f"{part}/{k}": v.clone() for part, net in task.nets.items() for k, v in net.state_dict().items()}


@pytest.mark.parametrize("name", list(TRANSLATORS))
def test_it_goes_on_from_a_checkpoint_bit_by_bit(name, data, tmp_path):
    one, two, other = (task_of(name, data, seed=seed) for seed in (3, 3, 4))
    assert same(weights_of(one), weights_of(two)) and not same(weights_of(one), weights_of(other))
    before = weights_of(one)
    lines = [one.step(step, step / 4) for step in range(4)]
    assert all(math.isfinite(value) for line in lines for value in line.values())
    moved = {key.split("/")[0] for key, value in weights_of(one).items() if not torch.equal(value, before[key])}
    assert moved == {"generator", "discriminator"} | ({"pool"} if name == "cyclegan" else set())
    assert [two.step(step, step / 4) for step in range(2)] == lines[:2]
    checkpoint.save(two, {}, Progress(step=2), tmp_path)
    resumed = task_of(name, data)
    assert checkpoint.load(resumed, {}, tmp_path) is not None
    assert [resumed.step(step, step / 4) for step in (2, 3)] == lines[2:]
    assert same(weights_of(resumed), weights_of(one)) and resumed.state() == one.state()


@pytest.mark.parametrize("name", list(TRANSLATORS))
def test_a_whole_training_resumes_bit_by_bit_and_its_file_translates(name, data, tmp_path):
    whole, cut, lines = tmp_path / "whole", tmp_path / "cut", []
    config = recipe(name)
    paths = train(config, data, whole, device=CPU, report=lines.append)
    calls = iter(range(1000))
    with pytest.raises(KeyboardInterrupt):
        train(config, data, cut, device=CPU, stop=lambda: next(calls) > 6)
    train(config, data, cut, device=CPU)
    assert same(exported(whole), exported(cut))
    figures = {"held_out_kernel", "untranslated_kernel", "back", "moved", "D accuracy", "generator gradient"}
    assert figures <= lines[-1].keys() and all(map(math.isfinite, lines[-1].values()))
    model, net = read_model(paths[0]), build(paths[0])
    assert model.about["label"] == "class" and len(model.about["domains"]) == net.classes[0]
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    drawn = net(images, torch.tensor([[0], [1]]))
    assert drawn.shape == images.shape and bool((drawn.abs() <= 1).all())
    with Image.open(sorted((whole / "samples").iterdir())[-1]) as sheet:
        assert sheet.width == 12 * 16 and sheet.height == 2 * (1 + net.classes[0]) * 16
    with pytest.raises(BadInput, match="zeuxis translate PICTURE"):
        check_generator(str(paths[0]))


def test_batches_have_each_domain_as_often_and_targets_that_differ(data):
    task = task_of("stargan", data)
    seen, rng = set(), stream(0, "draws")
    for _ in range(20):
        images, y, target = task._draw(rng)
        assert images.shape == (6, 3, 16, 16) and torch.bincount(y[:, 0]).tolist() == [2, 2, 2]
        assert not bool((y == target).any())
        hue = images.mean((2, 3)).argmax(1)  # the ground of the class is red, green, blue
        assert torch.equal(hue, y[:, 0])
        seen |= {(int(a), int(b)) for a, b in zip(y, target, strict=True)}
    assert len(seen) == 6


def test_the_losses_by_hand():
    one, two = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[0.5, -1.0]]]])
    assert float(cycle_consistency(one, two)) == pytest.approx((0.5 + 2) / 2)
    logits = torch.tensor([[0.0, math.log(3.0)]])
    assert float(domain_classification(Classified(one, (logits,), torch.tensor([[1]])))) == pytest.approx(
        math.log(4 / 3)
    )


def test_the_pool_keeps_its_first_pictures_and_then_exchanges_half():
    pool, rng = Pool(2, 2, (1, 1, 1)), stream(0, "pool")
    shown = pool.exchange(torch.arange(4.0).view(4, 1, 1, 1), torch.tensor([[0], [1], [1], [0]]), rng)
    assert shown.flatten().tolist() == [0, 1, 2, 3]
    assert pool.images.flatten().tolist() == [0, 3, 1, 2] and pool.filled.tolist() == [2, 2]
    fakes = torch.full((400, 1, 1, 1), 9.0)
    kept = pool.exchange(fakes.clone(), torch.zeros(400, 1).long(), stream(1, "pool")).flatten().tolist()
    assert sorted(set(kept)) == [0, 3, 9]  # each old one once, then the pool's are 9 as well
    assert pool.images[1].flatten().tolist() == [1, 2]
    numbered = pool.exchange(torch.arange(10.0, 410).view(-1, 1, 1, 1), torch.zeros(400, 1).long(), rng)
    exchanged = (numbered.flatten() != torch.arange(10.0, 410)).sum()
    assert 150 < int(exchanged) < 250
    assert torch.equal(Pool(0, 2, (1, 1, 1)).exchange(fakes, torch.zeros(400, 1).long(), rng), fakes)


def test_the_generator_is_shown_the_way_back_and_the_identity(data):
    """With heavy weights on both, translating changes less than without."""
    adam = {"generator": {"lr": 5e-3, "betas": [0.5, 0.9]}}
    found = {}
    for weight in (0.0, 100.0):
        task = task_of("cyclegan", data, options={"cycle": weight, "identity": weight, "optimizers": adam})
        figures = [task.step(step, step / 1000) for step in range(16)]
        found[weight] = task.evaluate(task.nets)["back"], figures
    assert found[100.0][0] < 0.7 * found[0.0][0]
    assert found[100.0][1][-1]["cycle"] < 0.6 * found[100.0][1][0]["cycle"]
    assert not {"cycle", "identity"} & found[0.0][1][0].keys()


def test_it_learns_to_change_the_ground(data):
    """Eight pictures of red and of blue ground: after some steps the translation has the other's colour."""
    adam = {part: {"lr": 4e-3, "betas": [0.5, 0.9]} for part in ("generator", "discriminator")}
    options = {"cycle": 1.0, "identity": 0.5, "optimizers": adam, "generator": {"width": 8, "blocks": 1}}
    task = task_of("cyclegan", data, batch=8, options=options)
    before = task.evaluate(task.nets)
    for step in range(40):
        task.step(step, step / 1000)
    after = task.evaluate(task.nets)
    assert after["held_out_kernel"] < 0.5 * before["untranslated_kernel"]


WRONG = [
    ({"domains": ["cat", "cot"]}, UnknownName, r"class 'cot'\. Did you mean cat"),
    ({"domains": ["cat"]}, BadInput, "2 to 64 different domains"),
    ({"domains": ["cat", "cat"]}, BadInput, "2 to 64 different domains"),
    ({"label": "colour"}, UnknownName, "label of the data 'colour'"),
    ({"where": {"term": ["puppy"]}}, BadInput, "none of 'cat'|2 to 64"),
    ({"classification": 1.0}, BadInput, 'architecture = "stargan"'),
    ({"objective": "relativistic"}, BadInput, "hinge, .*, got relativistic"),
    ({"objective": "hinges"}, UnknownName, "hinge"),
    ({"cycle": -1}, BadInput, "cycle"),
    ({"cicle": 1}, BadInput, "Did you mean cycle"),
    ({"generator": {"widths": 3}}, UnknownName, "widths"),
    ({"generator": LATENT}, UnknownName, "z_dim"),
    ({"discriminator": {"layers": 4}}, BadInput, "fewer layers"),
    ({"resolution": 18}, BadInput, "that 4 divides"),
    ({"architecture": "dcgan"}, UnknownName, "translator"),
    ({"optimizers": {"critic": {}}}, UnknownName, "critic"),
]


@pytest.mark.parametrize(("options", "kind", "said"), WRONG)
def test_what_cannot_be_trained_is_refused_in_one_sentence(options, kind, said, data):
    with pytest.raises(kind, match=said) as refusal:
        task_of("cyclegan", data, options=options)
    assert "\n" not in str(refusal.value)


def test_other_labels_choose_pictures(data):
    where = {"term": ["puppy", "poodle dog", "tabby cat"]}
    every = task_of("cyclegan", data, options={"domains": ["dog", "cat"]})
    task = task_of("cyclegan", data, options={"domains": ["dog", "cat"], "where": where})
    assert task.domains == ("dog", "cat") and len(task.train) < len(every.train)
    assert np.bincount(task.y).tolist() == [16, 8]


def test_options_say_what_they_know():
    with pytest.raises(BadInput, match="Known: architecture"):
        options_of({"architecture": "cyclegan", "latent": 3})
