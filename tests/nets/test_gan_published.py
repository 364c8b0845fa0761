"""Published networks trained on: the classes are the same, so weights go in, ten steps on, out and in again."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from zeuxis.compute.device import shapes_only
from zeuxis.hub.convert import convert
from zeuxis.hub.layouts.biggan import published
from zeuxis.hub.model_file import Part, build, read_model, write_model
from zeuxis.nets import biggan, stylegan, stylegan2, stylegan3
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.nets.gan.biggan import layers_of
from zeuxis.rng import stream

FIXTURES = Path(__file__).parent.parent / "fixtures"
MAPPED = {"z_dim": 24, "w_dim": 40}
KINDS = {  # folder of the fixture -> architecture, classes, what its README says of it
    "stylegan2_ada_c5_32px": ("stylegan2-full", (5,), MAPPED | {"channel_max": 30, "mapping_layers": 3}),
    "stylegan3_t_c0_32px": ("stylegan3-t", (), {"z_dim": 32, "w_dim": 32, "channel_max": 32, "layers": 6}),
    "stylegan3_r_c4_32px": ("stylegan3-r", (4,), MAPPED | {"channel_max": 48, "layers": 5}),
}


def trained_on(generator, discriminator, classes, size, steps=10):
    """Ten steps of both on noise, at rates that change pictures."""
    rng = stream(0, "train")
    adams = [torch.optim.Adam(net.train().parameters(), 2e-3, (0.0, 0.99)) for net in (generator, discriminator)]
    for _ in range(steps):
        z = torch.randn(4, generator.z_dim, generator=rng)
        y = torch.stack([torch.randint(0, count, (4,), generator=rng) for count in classes], 1) if classes else None
        fake, real = generator(z, y), torch.rand(4, 3, size, size, generator=rng) * 2 - 1
        loss = F.softplus(-discriminator(real, y)).mean() + F.softplus(discriminator(fake.detach(), y)).mean()
        for adam, value in ((adams[1], loss), (adams[0], None)):
            value = F.softplus(-discriminator(fake, y)).mean() if value is None else value
            adam.zero_grad()
            value.backward()
            adam.step()
    return generator.eval(), discriminator.eval()


@pytest.mark.parametrize("folder", list(KINDS))
def test_a_published_file_is_trained_on_exported_and_read_back(folder, tmp_path):
    name, classes, options = KINDS[folder]
    file = convert(FIXTURES / folder / "network.pkl", tmp_path / "published.safetensors")
    facts = read_model(file).parts["generator"]
    base = facts["channels"][-1] * 32 if name == "stylegan2-full" else 1024
    generator = ARCHITECTURES[name]()[0](32, classes, channel_base=base, **options)
    given = build(file)
    generator.load_state_dict(given.state_dict())  # strict: the same names and shapes
    assert isinstance(generator, type(given)) and generator.published == read_model(file).family
    inputs = load_file(FIXTURES / folder / "inputs.safetensors")
    z, c = inputs["z"][:3], inputs["c"][:3]
    y = c.argmax(1, keepdim=True) if classes else None
    with torch.no_grad():
        before = generator.eval()(z, y)
        ws = given.map(z, c if classes else None)[:, None].repeat(1, given.num_ws, 1)
        torch.testing.assert_close(before, given.synthesise(ws), atol=1e-5, rtol=1e-4)
    discriminator = ARCHITECTURES[name]()[1](32, classes, channel_base=512, channel_max=16, mapping_layers=2)
    generator, _ = trained_on(generator, discriminator, classes, 32)
    path = write_model(
        tmp_path / "trained.safetensors", generator.published, {"generator": Part(facts, generator.state_dict())},
        dtype=torch.float32,
    )  # fmt: skip
    read = build(path)
    with torch.no_grad():
        after = generator(z, y)
        ws = read.map(z, c if classes else None)[:, None].repeat(1, read.num_ws, 1)
        torch.testing.assert_close(after, read.synthesise(ws), atol=1e-5, rtol=1e-4)
        assert (after - before).abs().mean() > 0.01 and not torch.equal(read.w_avg, given.w_avg)
    if name.startswith("stylegan3"):
        rows = dict(generator.named_buffers())
        assert any(not torch.equal(rows[n], v) for n, v in given.named_buffers() if n.endswith("magnitude_ema"))


def test_biggan_is_trained_on_exported_and_read_back(tmp_path):
    file = convert(FIXTURES / "biggan_deep_32px", tmp_path / "published.safetensors")
    facts, given = read_model(file).parts["generator"], build(file)

    class Trained(ARCHITECTURES["biggan"]()[0]):
        """The fixture has other layers than the published sizes."""

        def __init__(self):
            biggan.BigGANDeep.__init__(self, **facts)
            self.resolution, self.classes, self.embed_dim, self.truncation = 32, (1000,), 64, 1.0

    generator = Trained()
    generator.load_state_dict(given.state_dict())
    inputs = load_file(FIXTURES / "biggan_deep_32px" / "inputs.safetensors")
    z, y = inputs["z_t1.0"], inputs["class_vector"].argmax(1, keepdim=True)

    def drawn(net):
        net.set_truncation(1.0, exact=True)
        with torch.no_grad():
            return net(z, net.embeddings(F.one_hot(y[:, 0], 1000).float()))

    with torch.no_grad():
        before = generator.eval()(z, y)
        torch.testing.assert_close(before, drawn(given), atol=1e-5, rtol=1e-4)
    generator, _ = trained_on(generator, ARCHITECTURES["biggan"]()[1](32, (1000,), width=2), (1000,), 32)
    part = Part(facts, generator.state_dict())
    read = build(write_model(tmp_path / "t.safetensors", "biggan-deep", {"generator": part}, dtype=torch.float32))
    with torch.no_grad():
        after = generator(z, y)
    torch.testing.assert_close(after, drawn(read), atol=1e-5, rtol=1e-4)
    assert (after - before).abs().mean() > 0.01


def parameters(net):
    return sum(p.numel() for p in net.parameters())


COUNTS = [  # architecture, pixels, classes, generator, discriminator, where the numbers are from
    ("stylegan2-full", 1024, (), 30_370_060, 29_012_513),  # config f: 30.37 M
    ("stylegan2-full", 256, (), 30_034_338, 28_864_129),
    ("stylegan3-t", 1024, (), 22_313_167, 29_012_513),  # 22.3 M
    ("stylegan3-r", 1024, (), 15_093_151, 29_012_513),
    ("progan", 1024, (), 23_086_795, 23_087_249),  # table 2: 23.1 M each
    ("stylegan", 1024, (), 26_212_019, 23_077_137),  # 26.2 M
]


@pytest.mark.parametrize(("name", "size", "classes", "of_generator", "of_discriminator"), COUNTS)
def test_parameters_at_the_papers_sizes(name, size, classes, of_generator, of_discriminator):
    with shapes_only():
        generator, discriminator = (kind(size, classes) for kind in ARCHITECTURES[name]())
    assert (parameters(generator), parameters(discriminator)) == (of_generator, of_discriminator)


@pytest.mark.parametrize(
    ("size", "of_generator", "of_discriminator"),
    [(128, 50_388_609, 34_590_210), (256, 55_880_833, 38_247_426), (512, 56_163_905, 38_301_122)],
)
def test_biggan_deep_has_the_published_layers(size, of_generator, of_discriminator):
    config = published(size)
    assert [[bool(up), a, b] for up, a, b in layers_of(size)] == config["layers"]
    with shapes_only():
        generator, discriminator = (kind(size, (1000,), normalised=False) for kind in ARCHITECTURES["biggan"]())
    unused = 125 * (128 * 9 + 1)  # of the 128 colour channels, 3 are used
    assert parameters(generator) + unused == of_generator  # 50.4 M, and 34.6 M for the discriminator
    assert parameters(discriminator) == of_discriminator
    assert [type(layer).__name__ for layer in generator.generator.layers].index("Attention") == 8


def test_trained_networks_are_subclasses_of_the_published_ones():
    for name, kind in (
        ("stylegan", stylegan.StyleGAN), ("stylegan2-full", stylegan2.StyleGAN2), ("biggan", biggan.BigGANDeep),
        ("stylegan3-t", stylegan3.StyleGAN3), ("stylegan3-r", stylegan3.StyleGAN3),
    ):  # fmt: skip
        assert issubclass(ARCHITECTURES[name]()[0], kind)
