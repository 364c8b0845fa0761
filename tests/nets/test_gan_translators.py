"""CycleGAN, StarGAN, CoGAN and StackGAN: parameters at the papers' sizes, shapes, gradients, what shares what."""

from itertools import pairwise

import pytest
import torch

from zeuxis.errors import BadInput
from zeuxis.nets import NETWORKS
from zeuxis.nets.gan import ARCHITECTURES, TRANSLATORS, cogan, cyclegan, stackgan, stargan
from zeuxis.nets.gan.base import by_domain

SMALL = {
    "cyclegan": ({"width": 4, "blocks": 1}, {"width": 4, "layers": 2}),
    "stargan": ({"width": 4, "blocks": 1}, {"width": 4}),
}


def count(net):
    return sum(p.numel() for p in net.parameters())


def pair(name, domains=3, channels=3):
    torch.manual_seed(0)
    facts = {"resolution": 16, "classes": [domains], "channels": channels}
    return [kind(**facts, **options) for kind, options in zip(TRANSLATORS[name](), SMALL[name], strict=True)]


def test_cyclegan_at_the_size_of_the_paper():
    """11.378 M and 2.765 M, as the authors' code prints them, for each direction."""
    with torch.device("meta"):
        generator, discriminator = cyclegan.Generator(256, [2]), cyclegan.Discriminator(256, [2])
        assert discriminator(torch.empty(1, 3, 256, 256)).shape == (1, 30 * 30)
    assert [count(net) for net in generator.nets] == [11_378_179] * 2
    assert [count(net) for net in discriminator.nets] == [2_764_737] * 2


def test_a_patch_has_70_pixels():
    net = cyclegan.patches(3, 4, 3).double()
    x = torch.zeros(1, 3, 256, 256, dtype=torch.double, requires_grad=True)
    for module in net:
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x  # it would let a patch see all pixels
    net(x)[0, 0, 15, 15].backward()
    rows = (x.grad[0].abs().sum((0, 2)) > 0).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_stargan_at_the_size_of_the_paper():
    """Tables 4 and 5 at 128 pixels with five domains: 8.43 M and 44.8 M."""
    with torch.device("meta"):
        generator, discriminator = stargan.Generator(128, [5]), stargan.Discriminator(128, [5])
        assert discriminator(torch.empty(1, 3, 128, 128)).shape == (1, 4)
    down = (3 + 5) * 64 * 49 + 64 * 128 * 16 + 128 * 256 * 16 + 2 * (64 + 128 + 256)
    up = 256 * 128 * 16 + 128 * 64 * 16 + 64 * 3 * 49 + 2 * (128 + 64)
    assert count(generator) == down + 6 * 2 * (256 * 256 * 9 + 2 * 256) + up == 8_430_528
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    convs = sum(a * b * 16 + b for a, b in pairwise(widths))
    assert count(discriminator) == convs + 2048 * 9 + 2048 * 5 * 4 == 44_762_048


def test_cogan_at_the_size_of_the_paper():
    """The appendix' layers for digits: 1024, 512, 256, 128 shared channels; 20 own, 50 and 500 shared units."""
    with torch.device("meta"):
        generator = cogan.Generator(28, [2], channels=1)
        discriminator = cogan.Discriminator(28, [2], channels=1)
        shared = generator.shared(torch.empty(1, 100, 1, 1))
    assert shared.shape == (1, 128, 25, 25)
    ups = 100 * 1024 * 16 + (1024 * 512 + 512 * 256 + 256 * 128) * 9
    norms = 2 * (1024 + 512 + 256 + 128) + 4
    assert count(generator) == ups + norms + 2 * (128 * 36 + 1)
    assert count(discriminator) == 2 * (25 * 20 + 20) + (20 * 25 * 50 + 50) + (16 * 50 * 500 + 500) + 1 + 501


def test_stackgan_at_the_size_of_the_authors_code():
    """256 pixels from 64: 1536 first channels, texts of 1024 numbers as 128; no biases but of the linear layers."""
    facts = {"text_dim": 1024, "condition": 128, "ratio": 4}
    with torch.device("meta"):
        generator = stackgan.Generator(256, [1], width=96, second_width=192, blocks=4, **facts)
        discriminator = stackgan.Discriminator(256, [1], width=96, **facts)
    text = 1024 * 256 + 256
    widths = [1536, 768, 384, 192, 96]
    ups = sum(a * b * 9 + 2 * b for a, b in pairwise(widths))
    first = 228 * 16 * 1536 + 2 * 16 * 1536
    assert count(generator.first) == text + first + ups + 96 * 27 + 3
    encode = 3 * 192 * 9 + 192 * 384 * 16 + 2 * 384 + 384 * 768 * 16 + 2 * 768
    joint = (768 + 128) * 768 * 9 + 2 * 768 + 4 * 2 * (768 * 768 * 9 + 2 * 768)
    widths = [768, 384, 192, 96, 48]
    ups = sum(a * b * 9 + 2 * b for a, b in pairwise(widths))
    assert count(generator.second) == text + encode + joint + ups + 48 * 27 + 3
    widths = [96 * 2**k for k in range(6)]
    downs = 3 * 96 * 16 + sum(a * b * 16 + 2 * b for a, b in pairwise(widths))
    narrow = sum(a * a // 2 * 9 + a for a in (3072, 1536))
    head = (768 + 128) * 768 * 9 + 2 * 768 + 768 * 16 + 1
    assert count(discriminator.second) == 1024 * 128 + 128 + downs + narrow + head


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", list(SMALL))
def test_pictures_become_pictures_of_the_domain_asked_for(name, channels):
    generator, discriminator = pair(name, channels=channels)
    assert TRANSLATORS[name]() == (NETWORKS[f"gan-{name}/generator"], NETWORKS[f"gan-{name}/discriminator"])
    images, y = torch.rand(6, channels, 16, 16) * 2 - 1, torch.arange(6)[:, None] % 3
    drawn = generator(images, y)
    assert drawn.shape == images.shape and bool((drawn.abs() <= 1).all())
    other = generator(images, (y + 1) % 3)
    assert bool(((other - drawn).abs().amax((1, 2, 3)) > 1e-6).all())
    assert torch.allclose(generator(images[2:3], y[2:3]), drawn[2:3], atol=1e-5)
    logits = discriminator(drawn, y)
    assert logits.shape[0] == 6 and logits.ndim == 2 and discriminator(drawn).shape == logits.shape
    total = logits.square().mean()
    if name == "stargan":
        said = discriminator(drawn, y, classify=True)
        assert said.classes[0].shape == (6, 3)
        total = total + said.class_loss()
        assert torch.allclose(generator(images, torch.eye(3)[y[:, 0]]), drawn)
    total.backward()
    for net in (generator, discriminator):
        grads = {n: p.grad for n, p in net.named_parameters()}
        assert all(grad is not None and bool(grad.isfinite().all()) for grad in grads.values())
        assert all(bool(grad.any()) for n, grad in grads.items() if n.endswith("weight"))


def test_the_network_of_each_domain_sees_its_own_rows():
    nets = torch.nn.ModuleList(torch.nn.Conv2d(1, 1, 1, bias=False) for _ in range(3))
    for k, net in enumerate(nets):
        torch.nn.init.constant_(net.weight, 10.0**k)
    x, share = torch.ones(4, 1, 1, 1), torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0.5, 0.5, 0]])
    assert by_domain(nets, x, share).flatten().tolist() == [10, 1, 100, 5.5]


def test_one_latent_is_drawn_in_each_domain_by_layers_that_are_shared():
    torch.manual_seed(0)
    net = cogan.Generator(28, [2], channels=1, z_dim=8, width=4).eval()
    z = torch.randn(3, 8)
    digits, edges = (net(z, torch.full((3, 1), k)) for k in (0, 1))
    assert digits.shape == (3, 1, 28, 28) and not torch.allclose(digits, edges)
    half = net(z, torch.full((3, 2), 0.5))
    assert torch.allclose(half, torch.tanh((torch.atanh(digits) + torch.atanh(edges)) / 2), atol=1e-5)
    net.zero_grad()
    net(z, torch.zeros(3, 1).long()).sum().backward()
    assert net.own[1].weight.grad is None and net.shared[0].weight.grad is not None


def test_stage_two_leaves_stage_one_as_it_is():
    torch.manual_seed(0)
    small = {"text_dim": 6, "condition": 4, "width": 4}
    net, judge = (
        stackgan.Generator(16, [3], second_width=4, blocks=1, **small),
        stackgan.Discriminator(16, [3], **small),
    )
    z, y = torch.randn(4, 100), torch.tensor([[0], [1], [2], [0]])
    for progress, trained, rest in ((0.4, "first", "second"), (0.6, "second", "first")):
        for part in (net, judge):
            part.zero_grad()
            part.set_progress(progress)
        images = net(z, y)
        assert images.shape == (4, 3, 16, 16)
        (judge(images, y).mean() + net.divergence(y).mean()).backward()
        for part in (net, judge):
            of = {stage: [p.grad for p in getattr(part, stage).parameters()] for stage in (trained, rest)}
            assert all(grad is not None for grad in of[trained]) and all(grad is None for grad in of[rest])
        blocks = images.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
        assert bool((blocks == blocks[..., :1]).all()) == (progress < 0.5)


def test_the_divergence_by_hand():
    net = stackgan.Augmentation(1, 2)
    torch.nn.init.zeros_(net.linear.weight)
    with torch.no_grad():
        net.linear.bias.copy_(torch.tensor([1.0, 3.0, 0.0, 2.0]))  # means 1 and 3, log variances 0 and 2
    wanted = (1 + 1 - 1 - 0 + 9 + torch.tensor(2.0).exp() - 1 - 2) / 4
    assert torch.allclose(net.divergence(torch.zeros(1, 1)), wanted)
    assert net.eval()(torch.zeros(1, 1)).tolist() == [[1, 3]]
    torch.manual_seed(0)
    draws = net.train()(torch.zeros(4000, 1))
    assert torch.allclose(draws.std(0), torch.tensor([0.0, 1.0]).exp(), atol=0.1)


WRONG = [
    (cogan.Generator, {"resolution": 28, "classes": []}, "second_domain"),
    (cogan.Generator, {"resolution": 8, "classes": [2]}, "power of two from 16 to 64"),
    (cogan.Discriminator, {"resolution": 16, "classes": [2], "widths": [3]}, "3 widths"),
    (stackgan.Generator, {"resolution": 16, "classes": []}, "texts = true"),
    (stackgan.Generator, {"resolution": 16, "classes": [2], "ratio": 3}, "ratio of 2 or 4"),
    (stackgan.Generator, {"resolution": 16, "classes": [2], "switch": 1.0}, "between 0 and 1"),
    (stackgan.Generator, {"resolution": 16, "classes": [2], "second_width": 5}, "ratio 2 divides"),
    (stackgan.Discriminator, {"resolution": 8, "classes": [2]}, "power of two from 16"),
    (cyclegan.Generator, {"resolution": 16, "classes": []}, "2 to 64 domains"),
    (cyclegan.Generator, {"resolution": 16, "classes": [2], "blocks": -1}, "blocks from 0"),
    (stargan.Generator, {"resolution": 16, "classes": [1]}, "2 to 64 domains"),
    (stargan.Discriminator, {"resolution": 24, "classes": [2]}, "power of two"),
    (stargan.Discriminator, {"resolution": 256, "classes": [2], "width": 2**12}, "smaller width"),
]


@pytest.mark.parametrize(("kind", "facts", "said"), WRONG)
def test_what_cannot_be_built_is_refused_in_one_sentence(kind, facts, said):
    with pytest.raises(BadInput, match=said) as refusal:
        kind(**facts)
    assert "\n" not in str(refusal.value)


def test_architectures_and_translators_have_names_of_their_own():
    assert not set(ARCHITECTURES) & set(TRANSLATORS)
