"""Penalties on slopes: closed forms, gradients to the weights, float32, and the lazy schedule."""

import re

import pytest
import torch
from lab_helpers import GANS, OPTIONS, recipe
from torch import nn

from zeuxis.lab import adversarial
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.adversarial_options import Penalty
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.biggan_layers import Attention
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.rng import stream

CPU = torch.device("cpu")


class Linear(nn.Module):
    """D(x, y) = (1 + y) w.x"""

    def __init__(self, shape=(3, 4, 4)):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape, generator=stream(0, "weight")))

    def forward(self, images, y):
        return (1 + y[:, 0]) * (images * self.weight).sum((1, 2, 3))


class Square(nn.Module):
    """D(x, y) = a |x|^2 / 2, whose slope at x is a |x|."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))

    def forward(self, images, y):
        return self.a * images.square().sum((1, 2, 3)) / 2


def pictures(count=4, channels=3, size=4, seed=0):
    return torch.rand(count, channels, size, size, generator=stream(seed, "pictures")) * 2 - 1


def given(count=4, y_real=0, y_fake=0):
    full, on_real = torch.full((count, 1), 1), torch.arange(count).float()
    return pictures(count), pictures(count, seed=1), y_real * full, y_fake * full, on_real, stream(0, "penalty")


def test_on_a_linear_discriminator_each_is_its_closed_form():
    net = Linear()
    length = net.weight.detach().norm().item()
    assert PENALTIES["r1"](net, *given()).item() == pytest.approx(length**2 / 2, rel=1e-5)
    assert PENALTIES["r2"](net, *given()).item() == pytest.approx(length**2 / 2, rel=1e-5)
    assert PENALTIES["gradient"](net, *given()).item() == pytest.approx((length - 1) ** 2, rel=1e-5)
    assert PENALTIES["drift"](net, *given()).item() == (0 + 1 + 4 + 9) / 4  # of what D said, without another pass


def test_real_and_generated_pictures_keep_their_own_labels():
    net = Linear()
    length = net.weight.detach().norm().item()
    found = {name: PENALTIES[name](net, *given(y_real=1, y_fake=2)).item() for name in PENALTIES}
    found.pop("drift")
    expected = {"r1": (2 * length) ** 2 / 2, "r2": (3 * length) ** 2 / 2, "gradient": (2 * length - 1) ** 2}
    assert found == pytest.approx(expected, rel=1e-5)


def test_each_looks_at_its_own_pictures():
    net, (real, fake, *labels, _) = Square(), given()
    of_real, of_fake = (0.7**2 * x.square().sum((1, 2, 3)).mean().item() / 2 for x in (real, fake))
    assert PENALTIES["r1"](net, real, fake, *labels, stream(0)).item() == pytest.approx(of_real, rel=1e-5)
    assert PENALTIES["r2"](net, real, fake, *labels, stream(0)).item() == pytest.approx(of_fake, rel=1e-5)
    place = torch.rand(4, 1, 1, 1, generator=stream(0, "penalty"))
    slopes = 0.7 * (real + place * (fake - real)).flatten(1).norm(dim=1)
    between = PENALTIES["gradient"](net, real, fake, *labels, stream(0, "penalty")).item()
    assert between == pytest.approx((slopes - 1).square().mean().item(), rel=1e-5)


def test_its_gradient_by_hand():
    net = Linear()
    PENALTIES["r1"](net, *given()).backward()
    assert torch.allclose(net.weight.grad, net.weight.detach(), atol=1e-5)  # d/dw |w|^2 / 2
    net.weight.grad = None
    PENALTIES["gradient"](net, *given()).backward()
    length = net.weight.detach().norm()
    assert torch.allclose(net.weight.grad, 2 * (length - 1) * net.weight.detach() / length, atol=1e-4)


OF_SMALLER = {  # pictures, which a grown network does not see
    "progan": ("colours.0.weight", "colours.1.weight"),
    "stackgan": tuple(f"first.{name}.weight" for name in ("text", "body.0", "head.0", "head.3")),
}


UNMOVED = {  # what only shifts, in networks that are linear in pieces, or what no logit hangs on
    "mlp-gan": r"labels\..*", "cgan-mlp": r"(labels|of_y)\..*", "acgan": r"heads\..*",
}  # fmt: skip


def discriminator_of(name):
    """The smallest of its architecture for two labels and three channels, and what a penalty is given."""
    size, classes = (32 if name in ("pocket", "projected", "vision-aided") else 16), (3, 5)
    torch.manual_seed(0)
    options = OPTIONS[name]["discriminator"] | ({"trunk_widths": [4, 6, 8, 8]} if name == "pocket" else {})
    net = ARCHITECTURES[name]()[1](resolution=size, classes=classes, channels=3, **options).train()
    for module in (m for m in net.modules() if isinstance(m, Attention)):  # it starts at zero
        torch.nn.init.constant_(module.gamma, 0.5)
    if name == "r3gan":  # the last convolution of a block starts at zero
        for module in (m for m in net.modules() if isinstance(m, nn.Conv2d) and not m.weight.any()):
            nn.init.normal_(module.weight, std=0.1)
    y = torch.stack([torch.arange(6) % size for size in classes], 1)
    real = pictures(6, size=size)
    return net, (real, pictures(6, size=size, seed=1), y, y.flip(0), net(real, y))


def of_kinds(*usual):
    """Every architecture but these behind `long`."""
    return [pytest.param(name, marks=() if name in usual else pytest.mark.long) for name in ARCHITECTURES]


@pytest.mark.parametrize("penalty", ["r1", *(pytest.param(p, marks=pytest.mark.long) for p in PENALTIES if p != "r1")])
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_its_gradient_reaches_every_weight(name, penalty):
    """Also through frozen features. Biases of layers that are linear in pieces do not move a slope."""
    net, rest = discriminator_of(name)
    value = PENALTIES[penalty](net, *rest, stream(0, "penalty"))
    value.backward()
    trained = {n: p for n, p in net.named_parameters() if p.requires_grad and p.ndim > 1}
    trained = {n: p for n, p in trained.items() if not re.fullmatch(UNMOVED.get(name, ""), n)}
    largest = {n: 0.0 if p.grad is None else float(p.grad.abs().max()) for n, p in trained.items()}
    assert value.isfinite() and all(p.grad is None or bool(p.grad.isfinite().all()) for p in net.parameters())
    largest = {n: size for n, size in largest.items() if n not in OF_SMALLER.get(name, ())}
    assert not [n for n, size in largest.items() if size <= 1e-8 * max(largest.values())]
    assert not any(p.grad is not None for p in net.parameters() if not p.requires_grad)


@pytest.mark.parametrize("penalty", [name for name in PENALTIES if name != "drift"])  # which asks no network
@pytest.mark.parametrize("name", of_kinds("pocket", "stylegan", "acgan", "cogan", "stackgan"))
def test_it_is_computed_in_float32_whatever_surrounds_it(name, penalty):
    found, inside = [], []
    for half in (False, True):
        net, (real, fake, *labels) = discriminator_of(name)
        net.register_forward_pre_hook(lambda *_: inside.append(torch.is_autocast_enabled("cpu")))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            found.append(PENALTIES[penalty](net, real, fake, *labels, stream(0, "penalty")))
    assert found[0].dtype is found[1].dtype is torch.float32 and torch.equal(*found)
    assert inside == [False, False]


def task_of(name, data, weights, dtype=torch.float32, **options):
    return Adversarial(Lab(recipe(name, options=options), data, CPU, dtype, weights))


@pytest.mark.parametrize(("every", "steps"), [(1, 1), (3, 1), (4, 2), (2, 2)])
def test_a_lazy_penalty_weighs_as_much_on_the_whole(every, steps, data, weights, monkeypatch):
    task = task_of("stylegan2", data, weights, penalties={}, discriminator_steps=steps)
    task.penalties = {"r1": (lambda net, *rest: 0 * net.real.bias.sum() + 5.0, Penalty(weight=2.0, every=every))}
    totals, descend = [], adversarial.descend

    def watched(optimizer, loss):
        if optimizer is task.optimizers["discriminator"]:
            totals.append(float(loss.detach()))
        descend(optimizer, loss)

    monkeypatch.setattr(adversarial, "descend", watched)
    bare = []
    figures = task.objective.discriminator
    task.objective.discriminator = lambda *logits: bare.append(figures(*logits)) or bare[-1]
    logged = [task.step(step, 0.0)["r1"] for step in range(12 // steps)]
    added = [total - float(loss.detach()) for total, loss in zip(totals, bare, strict=True)]
    assert added == pytest.approx([2.0 * 5.0 * every if k % every == 0 else 0.0 for k in range(12)], abs=1e-4)
    assert sum(added) / 12 == pytest.approx(10.0, abs=1e-4)
    assert sum(logged) / len(logged) == pytest.approx(5.0)  # the mean over a report's lines is the penalty itself


@pytest.mark.parametrize("name", list(GANS))
def test_the_engine_gives_the_plain_network_and_both_labels(name, data, weights):
    task, seen = task_of(name, data, weights, torch.bfloat16, penalties={}, discriminator_steps=1), []

    def penalty(net, real, fake, y_real, y_fake, on_real, rng):
        seen.append((net, real, fake, y_real, y_fake, on_real))
        inside = PENALTIES["r1"](net.eval(), real, fake, y_real, y_fake, on_real, rng)
        assert not torch.is_autocast_enabled("cpu") and inside.dtype is torch.float32
        net.train()
        return inside

    task.penalties = {"r1": (penalty, Penalty(weight=1.0))}
    figures = task.step(0, 0.0)
    ((net, real, fake, y_real, y_fake, on_real),) = seen
    assert on_real.dtype is torch.float32 and len(on_real) == 8 and on_real.requires_grad
    assert type(net) is ARCHITECTURES[name]()[1] and net is task.discriminator  # not compiled
    assert real.dtype is fake.dtype is torch.float32 and not real.requires_grad and not fake.requires_grad
    assert real.shape == fake.shape and y_real.shape == y_fake.shape == (8, len(task.words))
    assert figures["r1"] > 0
    if task.words:
        assert not torch.equal(y_real, y_fake)
