"""Numbers of parameters at the papers' sizes equal the published ones, or those of the published code."""

import pytest
import torch
from torch import nn

from zeuxis.nets.gan import ARCHITECTURES, r3gan
from zeuxis.nets.layers import upsample
from zeuxis.rng import stream


def count(net):
    return sum(p.numel() for p in net.parameters())


def built(name, part, *args, **options):
    with torch.random.fork_rng(devices=[]):
        return ARCHITECTURES[name]()[part](*args, **options)


def test_dcgan_at_64_pixels():
    """3,576,704 and 2,765,568 are those of PyTorch's tutorial on DCGAN, whose convolutions have no biases."""
    generator = built("dcgan", 0, 64, width=64)
    assert count(generator) == 3_576_704 + 3
    assert count(built("dcgan", 1, 64, width=64)) == 2_765_568 + 64 + 1


def test_sngan_for_cifar():
    """4,276,739 and 1,053,825: by hand from table 4 of the paper, and as logged by others (4.3 M)."""
    assert count(built("sngan", 0, 32)) == 4_276_739
    assert count(built("sngan", 1, 32)) == 3584 + 512 + 7 * 147_584 + 16_512 + 129 == 1_053_825


def test_r3gan_for_cifar():
    """The generator of the published CIFAR-10 preset has 20.7 M (768 channels, 96 groups, two blocks a stage)."""
    net = built("r3gan", 0, 32, (10,))
    block = 768 * 1536 * 2 + 1536 * 16 * 9 + 2 * 1536
    assert count(net) == 8 * block + 768 * 16 + (64 + 64) * 768 + 768 * 3 + 10 * 64
    assert 20.7e6 <= count(net) < 20.8e6
    small = built("r3gan", 0, 64, (10,), widths=[32, 32, 32, 32, 16], group_width=16)
    groups = [m.groups for m in small.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert groups == [4] * 8 + [2] * 2


def test_the_perceptrons_of_the_conditional_gan():
    """Section 4.1: 200 and 1000 hidden units of z and label, 1200 together, 784 pixels; maxout as in the text."""
    generator, discriminator = (built("cgan-mlp", part, 28, (10,), channels=1, embed_dim=10) for part in (0, 1))
    assert count(generator) == (100 * 200 + 200) + (10 * 1000 + 1000) + (1200 * 1200 + 1200) + (1200 * 784 + 784) + 100
    of_x, of_y = (784 + 1) * 240 * 5, (10 + 1) * 50 * 5
    assert count(discriminator) == of_x + of_y + (290 + 1) * 240 * 4 + 241 + 100


def test_one_hot_labels_start_as_the_identity():
    generator = built("cgan-mlp", 0, 28, (10,), channels=1, embed_dim=12, one_hot=True)
    assert torch.equal(generator.embed(torch.tensor([[3]])), torch.eye(10, 12)[3:4])


def test_a_unit_of_maxout_by_hand():
    discriminator = built("mlp-gan", 1, 8, channels=1, widths=[3], pieces=2)
    unit = discriminator.body[0]
    x = torch.randn(5, 64, generator=stream(0))
    lines = unit.linear(x)
    assert torch.equal(unit(x)[:, 1], torch.maximum(lines[:, 2], lines[:, 3]))


def test_r3gan_resamples_by_one_two_one_and_starts_as_the_identity():
    up, down = (kind(2, 2) for kind in (r3gan.Up, r3gan.Down))
    x = torch.randn(1, 2, 4, 4, generator=stream(0))
    assert torch.allclose(up(x)[..., ::2, ::2], x) and torch.allclose(
        up(torch.ones_like(x))[..., :-1, :-1], torch.ones(())
    )
    assert torch.allclose(up(x)[..., 0, 1], (x[..., 0, 0] + x[..., 0, 1]) / 2)
    assert torch.allclose(down(torch.ones(1, 2, 8, 8))[..., 1:, 1:], torch.ones(()))
    block = built("r3gan", 0, 8, widths=[8, 8], group_width=4).body[0]
    h = torch.randn(2, 8, 4, 4, generator=stream(1))
    assert torch.equal(block(h), h)


def test_an_autoencoder_that_copies_has_no_error():
    net = built("began", 1, 16, channels=1, width=4, code=6)
    x = torch.rand(3, 1, 16, 16) * 2 - 1
    net.reconstruct = lambda images, y=None: images + torch.tensor([0.0, 0.5, -1.0])[:, None, None, None]
    assert net(x).tolist() == pytest.approx([0.0, -0.5, -1.0])


def test_nearest_upsampling_is_a_doubling_and_a_convolution():
    net = built("dcgan", 0, 16, width=4, z_dim=5, upsampling="nearest").eval()
    assert not [m for m in net.body[3:] if isinstance(m, nn.ConvTranspose2d)]
    h = net.body[:3](torch.randn(2, 5, 1, 1, generator=stream(0)))
    assert torch.allclose(net.body[3](h), upsample(h))
    images = net(torch.randn(2, 5, generator=stream(0)))
    assert images.shape == (2, 3, 16, 16)
