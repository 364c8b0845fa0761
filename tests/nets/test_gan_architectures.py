"""What every GAN architecture in the table promises: shapes, labels, gradients, and a sentence for what cannot be."""

import math
import re

import pytest
import torch
import torch.nn.functional as F

from zeuxis.errors import BadInput
from zeuxis.nets import NETWORKS
from zeuxis.nets.biggan_layers import Attention
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.nets.gan.base import Condition, LatentGenerator, minibatch_deviation
from zeuxis.nets.layers import dtype_of
from zeuxis.rng import stream

LATENT = {"z_dim": 4, "embed_dim": 3}
SMALL = {  # resolution, options of the generator, options of the discriminator
    "pocket": (32, LATENT | {"widths": [8, 8, 6, 4]}, {"width": 4, "trunk_widths": [4, 6, 8, 8]}),
    "dcgan": (16, LATENT | {"width": 4}, {"embed_dim": 3, "width": 4}),
    "wgan-gp": (16, LATENT | {"width": 6}, {"width": 6}),
    "stylegan2": (16, LATENT | {"w_dim": 6, "widths": [8, 6, 4]}, {"widths": [8, 6, 4]}),
    "projected": (32, LATENT | {"w_dim": 6, "widths": [8, 6, 6, 4]}, {"width": 4, "pixel_width": 4}),
    "vision-aided": (32, LATENT | {"w_dim": 6, "widths": [8, 6, 6, 4]}, {"widths": [8, 6, 6, 4], "heads": 4}),
}
SMALL |= {
    "mlp-gan": (16, LATENT | {"widths": [12, 12]}, {"embed_dim": 3, "widths": [8, 6], "pieces": 2}),
    "cgan-mlp": (
        16,
        LATENT | {"widths": [8, 6, 12]},
        {"embed_dim": 3, "widths": [8, 4, 6], "pieces": [2, 2, 2], "dropout": 0.2},
    ),
    "cgan": (16, LATENT | {"width": 4}, {"embed_dim": 3, "width": 4}),
    "acgan": (16, LATENT | {"width": 4}, {"width": 2, "dropout": 0.1}),
    "began": (16, LATENT | {"width": 4}, {"code": 6, "embed_dim": 3, "width": 4}),
    "sngan": (16, LATENT | {"width": 6}, {"width": 6}),
    "r3gan": (
        16,
        LATENT | {"widths": [8, 6, 4], "group_width": 4},
        {"embed_dim": 3, "widths": [8, 6, 4], "group_width": 4},
    ),
}
STYLE = {"channel_base": 64, "channel_max": 8}
SMALL |= {
    "progan": (16, LATENT | STYLE, STYLE),
    "stylegan": (16, {"z_dim": 4, "w_dim": 6, "mapping_layers": 2} | STYLE, {"mapping_layers": 2} | STYLE),
    "stylegan2-full": (16, {"z_dim": 4, "w_dim": 6, "mapping_layers": 2} | STYLE, {"mapping_layers": 2} | STYLE),
    "stylegan3-t": (16, {"z_dim": 4, "w_dim": 6, "layers": 4} | STYLE, {"mapping_layers": 2} | STYLE),
    "stylegan3-r": (16, {"z_dim": 4, "w_dim": 6, "layers": 4} | STYLE, {"mapping_layers": 2} | STYLE),
    "biggan": (16, LATENT | {"width": 2, "n_stats": 2}, {"width": 2}),
    "cogan": (16, LATENT | {"width": 4}, {"widths": [4, 6, 8]}),
    "stackgan": (
        16,
        {"z_dim": 4, "text_dim": 6, "condition": 4, "width": 4, "second_width": 4, "blocks": 1},
        {"text_dim": 6, "condition": 4, "width": 4},
    ),
}
NEED_LABELS = ("cgan", "cgan-mlp", "cogan", "stackgan")
TELLS_NOT = ("acgan",)  # its discriminator is told no label
LABELS = {"no labels": (), "one label": (3,), "two labels": (3, 5)}
CASES = [
    pytest.param(name, classes, channels, id=f"{name}-{labels}-{channels}")
    for name in ARCHITECTURES
    for labels, classes in LABELS.items()
    for channels in (1, 3)
    if (name != "pocket" or (len(classes), channels) == (2, 3))
    and (name not in ("projected", "vision-aided") or channels == 3)
    and (name not in NEED_LABELS or classes)
]
ONE_EACH = [pytest.param(name, (3, 5), 3, id=name) for name in ARCHITECTURES]
# A constant added to a channel is taken away again by a batch norm further on: the gradient of these biases is zero.
WITHOUT_GRADIENT = {
    "pocket": re.compile(r"blocks\.\d\.(conv1|conv2|skip)\.bias"),
    "wgan-gp": re.compile(r"blocks\.\d\.(conv1|conv2|skip)\.bias"),
    "sngan": re.compile(r"blocks\.\d\.(conv1|conv2|skip)\.bias"),
    "biggan": re.compile(r"generator\.layers\.\d\.conv_\d\.bias"),
    "progan": re.compile(r"colours\.[01]\..*"),  # of smaller pictures, which a grown network does not draw
    "stackgan": re.compile(r"first\..*"),  # stage I, while stage II is trained
}
D_WITHOUT_GRADIENT = {name: WITHOUT_GRADIENT[name] for name in ("progan", "stackgan")}


def pair(name, classes, channels=3, seed=0):
    resolution, generator, discriminator = SMALL[name]
    torch.manual_seed(seed)
    kinds = ARCHITECTURES[name]()
    facts = {"resolution": resolution, "classes": list(classes), "channels": channels}
    nets = kinds[0](**facts, **generator), kinds[1](**facts, **discriminator)
    if name == "r3gan":  # the last convolution of a block starts at zero, so nothing reaches what is before it
        for module in (m for net in nets for m in net.modules() if isinstance(m, torch.nn.Conv2d)):
            if not module.weight.any():
                torch.nn.init.normal_(module.weight, std=0.1)
    for module in (m for net in nets for m in net.modules() if isinstance(m, Attention)):  # so does an attention
        torch.nn.init.constant_(module.gamma, 0.5)
    if name == "stackgan":  # so many layers of N(0, 0.02) in so few channels let nothing through
        for weight in (p for net in nets for p in net.parameters() if p.ndim > 1):
            torch.nn.init.normal_(weight, std=0.2)
    for key, weight in nets[0].named_parameters():  # without noise the instance norm sees a constant: slopes of 1e4
        if name == "stylegan" and key.endswith(("const", "noise_strength")):
            torch.nn.init.normal_(weight, std=0.5)
    return nets


def draws(generator, count=6, seed=0):
    rng = stream(seed, "draws")
    z = torch.randn(count, generator.z_dim, generator=rng)
    columns = [torch.randint(0, size, (count,), generator=rng) for size in generator.classes]
    return z, torch.stack(columns, 1) if columns else torch.zeros(count, 0, dtype=torch.long)


def test_every_architecture_is_tested_and_its_networks_can_be_read_from_files():
    assert set(SMALL) == set(ARCHITECTURES)
    for name in ARCHITECTURES:
        assert (NETWORKS[f"gan-{name}/generator"], NETWORKS[f"gan-{name}/discriminator"]) == ARCHITECTURES[name]()


@pytest.mark.parametrize(("name", "classes", "channels"), CASES)
def test_shapes_and_ranges(name, classes, channels):
    generator, discriminator = pair(name, classes, channels)
    z, y = draws(generator, 5)
    images = generator(z, y)
    assert isinstance(generator, LatentGenerator) and generator.classes == discriminator.classes == classes
    assert images.shape == (5, channels, generator.resolution, generator.resolution) and images.dtype is torch.float32
    assert bool(images.isfinite().all()) and images.clamp(-1, 1).std() > 0.001
    for logits in (discriminator(images, y), discriminator(images)):
        assert logits.shape[0] == 5 and logits.ndim <= 2 and bool(logits.isfinite().all())


@pytest.mark.parametrize(("name", "classes", "channels"), CASES)
def test_gradients_reach_every_weight(name, classes, channels):
    generator, discriminator = pair(name, classes, channels)
    z, y = draws(generator, 8)
    fake = generator(z, y)
    real = torch.rand(fake.shape, generator=stream(1, "real")) * 2 - 1
    d_loss = F.softplus(-discriminator(real, y)).mean() + F.softplus(discriminator(fake.detach(), y)).mean()
    if getattr(discriminator, "classifies", False):
        d_loss = d_loss + discriminator(real, y, classify=True).class_loss()
    d_loss.backward()
    _check_gradients(discriminator, D_WITHOUT_GRADIENT.get(name))
    F.softplus(-discriminator(fake, y)).mean().backward()
    _check_gradients(generator, WITHOUT_GRADIENT.get(name))


def _check_gradients(net, without):
    found = {n: p.grad for n, p in net.named_parameters() if p.requires_grad and not (without and without.fullmatch(n))}
    assert all(grad is not None and bool(grad.isfinite().all()) for grad in found.values())
    largest = {n: float(grad.abs().max()) for n, grad in found.items()}
    assert not [n for n, value in largest.items() if value <= 1e-6 * max(largest.values())]


def test_a_critic_that_classifies_is_told_no_label():
    resolution, options, mine = SMALL["wgan-gp"]
    generator, critic = (
        kind(resolution, (3, 5), **more)
        for kind, more in zip(ARCHITECTURES["wgan-gp"](), (options, mine | {"classify": True}), strict=True)
    )
    z, y = draws(generator, 8)
    images = generator(z, y)
    said = critic(images, y, classify=True)
    assert [x.shape for x in said.classes] == [(8, 3), (8, 5)] and torch.equal(said.logits, critic(images, (y + 1) % 3))
    (said.class_loss() + said.logits.sum()).backward()
    _check_gradients(critic, None)


@pytest.mark.parametrize("name", ["pocket", "projected", "vision-aided"])
def test_frozen_features_stay_as_they_are(name):
    generator, discriminator = pair(name, (3, 5))
    z, y = draws(generator)
    images, before = generator(z, y), discriminator.train().frozen(torch.zeros(1, 3, 32, 32))
    maps = discriminator.frozen(images)
    whole, given = (discriminator.eval()(images, y, **known) for known in ({}, {"frozen": maps}))
    assert torch.equal(whole, given)
    discriminator.train()(images, y).sum().backward()
    after = discriminator.frozen(torch.zeros(1, 3, 32, 32))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(("name", "classes", "channels"), ONE_EACH)
def test_labels_count_and_may_be_given_as_embeddings(name, classes, channels):
    generator, discriminator = (net.eval() for net in pair(name, classes, channels))
    with torch.no_grad():
        for module in generator.modules():  # the gains of a conditional batch norm start at zero
            if isinstance(module, torch.nn.Linear) and module.bias is None:
                torch.nn.init.normal_(module.weight, std=0.1)
        z, y = draws(generator)
        images = generator(z, y)
        assert torch.equal(generator(z, generator.embed(y)), images)
        for kind, size in enumerate(classes):  # each kind of label by itself
            other = y.clone()
            other[:, kind] = (other[:, kind] + 1) % size
            assert not torch.allclose(generator(z, other), images, atol=1e-5)
            told = torch.allclose(discriminator(images, other), discriminator(images, y), atol=1e-5)
            assert told == (name in TELLS_NOT)
    with pytest.raises(BadInput, match="needs 2 labels"):
        generator(z)


@pytest.mark.parametrize(("name", "classes", "channels"), ONE_EACH)
def test_a_picture_does_not_depend_on_its_batch(name, classes, channels):
    generator = pair(name, classes, channels)[0].eval()
    z, y = draws(generator)
    with torch.no_grad():
        assert torch.allclose(generator(z, y)[2:3], generator(z[2:3], y[2:3]), atol=1e-5)


@pytest.mark.parametrize(("name", "classes", "channels"), ONE_EACH)
def test_the_same_seed_gives_the_same_weights(name, classes, channels):
    for one, two, other in zip(*(pair(name, classes, channels, seed) for seed in (1, 1, 2)), strict=True):
        same, differs = one.state_dict(), other.state_dict()
        assert all(torch.equal(value, same[key]) for key, value in two.state_dict().items())
        assert any(not torch.equal(value, same[key]) for key, value in differs.items())


@pytest.mark.parametrize(("name", "classes", "channels"), ONE_EACH)
def test_it_runs_in_bf16(name, classes, channels):
    generator, discriminator = pair(name, classes, channels)
    z, y = draws(generator, 8)
    if hasattr(generator, "map"):
        generator.eval()  # in training the noise follows the bits of the styles, which bf16 rounds
    with torch.no_grad():
        torch.manual_seed(0)
        full = discriminator(generator(z, y), y)
        torch.manual_seed(0)  # the same noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = discriminator(generator(z, y).float(), y).float()
    assert dtype_of(generator) is torch.float32 and bool(half.isfinite().all())
    assert (half - full).abs().mean() < 0.2 + 0.2 * full.abs().mean()


WRONG = [
    ("dcgan", "both", {"resolution": 24}, "power of two from 8 to 256, got 24"),
    ("dcgan", "both", {"resolution": 4}, "power of two"),
    ("wgan-gp", "both", {"resolution": 512}, "power of two"),
    ("wgan-gp", "both", {"resolution": 16.0}, "power of two"),
    ("stylegan2", "both", {"resolution": True}, "power of two"),
    ("projected", "discriminator", {"resolution": 16}, "power of two from 32"),
    ("pocket", "both", {"resolution": 64}, 'architecture = "stylegan2"'),
    ("pocket", "both", {"classes": [3]}, "1 kinds"),
    ("pocket", "both", {"channels": 1}, "1 channels"),
    ("dcgan", "both", {"classes": [0]}, "1 to 100,000 names"),
    ("dcgan", "both", {"classes": [2] * 9}, "up to 8 kinds"),
    ("stylegan2", "both", {"channels": 2}, "1 channel .grey. or 3"),
    ("projected", "discriminator", {"channels": 1}, "expected 3 channels, got 1"),
    ("dcgan", "both", {"width": 0}, "width from 1"),
    ("dcgan", "generator", {"z_dim": -1}, "z_dim from 1"),
    ("wgan-gp", "both", {"width": "wide"}, "width from 1 .* got 'wide'"),
    ("wgan-gp", "generator", {"embed_dim": 2.5}, "embed_dim from 1"),
    ("stylegan2", "generator", {"mapping_layers": 0}, "mapping_layers from 1"),
    ("stylegan2", "both", {"widths": [8, 8]}, "Expected 3 widths"),
    ("stylegan2", "discriminator", {"group": 0}, "group from 1"),
    ("projected", "discriminator", {"pixel_width": 0}, "pixel_width from 1"),
    ("vision-aided", "discriminator", {"channels": 1}, "expected 3 channels, got 1"),
    ("vision-aided", "discriminator", {"resolution": 16, "widths": []}, "got 3 at 16 pixels"),
    ("vision-aided", "discriminator", {"heads": 0}, "heads from 1"),
    (
        "vision-aided",
        "discriminator",
        {"resolution": 64, "widths": [], "trunk_widths": [4, 6, 8, 8]},
        "32 pixels, these have 64",
    ),
    ("pocket", "generator", {"widths": [8, 8, 8]}, "number of widths"),
    ("pocket", "discriminator", {"width": 10**9}, "width from 1"),
    ("pocket", "discriminator", {"trunk_widths": [8, 8]}, "number of widths"),
]


@pytest.mark.parametrize(("name", "part", "wrong", "said"), WRONG, ids=[f"{w[0]}-{w[2]}" for w in WRONG])
def test_what_cannot_be_built_is_refused_in_one_sentence(name, part, wrong, said):
    resolution, *options = SMALL[name]
    for kind, mine in zip(ARCHITECTURES[name](), options, strict=True):
        if part == "both" or kind.__name__.lower().endswith(part):
            with pytest.raises(BadInput, match=said) as refusal:
                kind(**({"resolution": resolution, "classes": [3, 5]} | mine | wrong))
            assert len(str(refusal.value)) < 250 and "\n" not in str(refusal.value)


def test_a_condition_is_the_sum_of_one_row_for_each_label():
    net = Condition((3, 5), 4)
    y = torch.tensor([[2, 4], [0, 1]])
    first, second = (table.weight for table in net.tables)
    assert torch.equal(net(y), torch.stack([first[2] + second[4], first[0] + second[1]]))


def test_the_deviation_of_a_batch_by_hand():
    x = torch.zeros(4, 2, 1, 1)
    x[:, 0, 0, 0] = torch.tensor([1.0, 5.0, 3.0, 5.0])  # groups of two: pictures 0 and 2, 1 and 3
    out = minibatch_deviation(x, group=2)
    apart, alike = (math.sqrt(1 + 1e-8) + 1e-4) / 2, 1e-4  # means over the channels; the second never differs
    assert out.shape == (4, 3, 1, 1) and torch.equal(out[:, :2], x)
    assert out[:, 2, 0, 0].tolist() == pytest.approx([apart, alike, apart, alike], rel=1e-4)


@pytest.mark.parametrize(
    ("count", "group", "planes"), [(8, 8, 1), (8, 4, 2), (6, 4, 2), (7, 4, 7), (3, 8, 1), (1, 8, 1)]
)
def test_a_batch_is_cut_into_groups_that_divide_it(count, group, planes):
    x = torch.randn(count, 2, 3, 3, generator=stream(0, "x"))
    out = minibatch_deviation(x, group)[:, 2]
    assert bool(out.isfinite().all()) and torch.equal(out, out[:, :1, :1].expand_as(out))
    assert len(set(out[:, 0, 0].tolist())) in (planes, 1)  # groups of one picture all deviate by nothing
