"""StyleGAN2 that draws rectangles, as forks train it, and StyleGAN2 whose noise is bred as well."""

import math
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import make_generator
from zeuxis.hub.convert import read_checkpoint, read_raw
from zeuxis.hub.layouts import nvidia
from zeuxis.hub.model_file import network
from zeuxis.hub.weights import fill
from zeuxis.rng import stream
from zeuxis.spaces import Normal, Whitened, parts

ADA = Path(__file__).parent.parent / "fixtures/stylegan2_ada_c0_64px/network.pkl"
Z, WIDTHS, BASE = 12, (10, 8, 6), (3, 5)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEUXIS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def state(base=BASE, seed=0):
    """A generator of three sizes under rosinality's names, its constant of `base` pixels."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=rng)

    out = {f"style.{k}.{part}": draw(*shape) for k in (1, 2) for part, shape in (("weight", (Z, Z)), ("bias", (Z,)))}
    out = {name: value * 100 for name, value in out.items()}  # a rate of 0.01 is in them
    out["input.input"] = draw(1, WIDTHS[0], *base)
    layers = [("conv1", WIDTHS[0], WIDTHS[0])]
    for i, (low, high) in enumerate(pairwise(WIDTHS)):
        layers += [(f"convs.{2 * i}", low, high), (f"convs.{2 * i + 1}", high, high)]
    for k, (name, cin, cout) in enumerate(layers):
        out[f"{name}.conv.weight"] = draw(1, cout, cin, 3, 3)
        out[f"{name}.conv.modulation.weight"], out[f"{name}.conv.modulation.bias"] = draw(cin, Z), 1 + draw(cin)
        out[f"{name}.activate.bias"], out[f"{name}.noise.weight"] = draw(cout), draw(1)
        out[f"noises.noise_{k}"] = draw(1, 1, *(n * 2 ** ((k + 1) // 2) for n in base))
    for i, width in enumerate(WIDTHS):
        name = f"to_rgbs.{i - 1}" if i else "to_rgb1"
        out[f"{name}.conv.weight"], out[f"{name}.bias"] = 0.1 * draw(1, 3, width, 1, 1), 0.1 * draw(1, 3, 1, 1)
        out[f"{name}.conv.modulation.weight"], out[f"{name}.conv.modulation.bias"] = draw(width, Z), 1 + draw(width)
    return out


def reference(w, style, noises=None):
    """Karras et al. 2020, figure 2, for one style (Z,): the picture (3, H, W), by its equations."""
    taps = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 16  # amplified for zeros between

    def blurred(x, pad):
        return torch.cat([F.conv2d(F.pad(c[None, None], pad), taps[None, None])[0] for c in x])

    def layer(name, x, number, up=False):
        weight = w[f"{name}.conv.weight"][0]
        s = w[f"{name}.conv.modulation.weight"] @ style / math.sqrt(Z) + w[f"{name}.conv.modulation.bias"]
        weight = weight * s[None, :, None, None]
        if number is None:
            return F.conv2d(x[None], weight / math.sqrt(weight.shape[1]))[0] + w[f"{name}.bias"][0]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            x = blurred(F.conv_transpose2d(x[None], weight.transpose(0, 1), stride=2)[0], (1, 1, 1, 1))
        else:
            x = F.conv2d(x[None], weight, padding=1)[0]
        noise = w[f"noises.noise_{number}"][0, 0] if noises is None else noises[number]
        x = x + w[f"{name}.noise.weight"] * noise + w[f"{name}.activate.bias"][:, None, None]
        return F.leaky_relu(x, 0.2) * math.sqrt(2)

    x = layer("conv1", w["input.input"][0], 0)
    image = layer("to_rgb1", x, None)
    for i in range(2):
        x = layer(f"convs.{2 * i}", x, 2 * i + 1, up=True)
        x = layer(f"convs.{2 * i + 1}", x, 2 * i + 2)
        large = torch.zeros(3, *(2 * n for n in image.shape[1:]))
        large[:, ::2, ::2] = image
        image = blurred(large, (2, 1, 2, 1)) + layer(f"to_rgbs.{i}", x, None)
    return image


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    path = tmp_path_factory.mktemp("wide") / "wide.pt"
    torch.save({"g_ema": state(), "latent_avg": torch.zeros(Z)}, path)
    return path


@torch.no_grad()
@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_a_rectangle_is_what_the_equations_say(wide, space):
    generator = make_generator(str(wide), space=space, truncation=1.0)
    assert generator.net.img_size == (12, 20) and generator.resolution == 20
    x = generator.space.sample(3, stream(1))
    ws = generator.styles(x)
    images = generator.draw(ws[:, :1].expand(-1, ws.shape[1], -1))
    wanted = torch.stack([reference(state(), w[0]) for w in ws])
    torch.testing.assert_close(images, ((wanted + 1) / 2).clamp(0, 1), atol=1e-4, rtol=0)
    assert images.shape == (3, 3, 12, 20) and float(images.std()) > 0.1
    torch.testing.assert_close(generator.render(x[:1])[0], generator.render(x)[0], atol=1e-6, rtol=0)


def test_a_pickle_of_nvidias_kind_may_hold_a_rectangle(tmp_path):
    raw = read_raw(ADA)
    blocks = raw.content["G_ema"].state["_modules"]["synthesis"].state["_modules"]
    first = blocks["b4"].state["_parameters"]
    first["const"] = torch.nn.Parameter(torch.randn(len(first["const"]), 2, 3))
    for name, block in blocks.items():
        for conv in ("conv0", "conv1"):
            if conv in block.state["_modules"]:
                size = int(name[1:]) // 4
                block.state["_modules"][conv].state["_buffers"]["noise_const"] = torch.randn(2 * size, 3 * size)
    found = nvidia.translate(raw)
    part = found.parts["generator"]
    assert part.facts["base"] == [2, 3] and list(found.parts) == ["generator"]
    net = fill(network("stylegan2", "generator", part.facts, ADA), part.tensors, ADA)
    with torch.no_grad():
        images = net.synthesise(torch.randn(2, net.num_ws, net.w_dim, generator=stream(0)))
    assert images.shape == (2, 3, 32, 48) and bool(torch.isfinite(images).all())


@pytest.mark.parametrize("change", ["noise", "flat", "huge"])
def test_shapes_that_do_not_fit_together_are_refused(change, tmp_path):
    tensors = state()
    if change == "noise":
        tensors["noises.noise_2"] = torch.zeros(1, 1, 6, 12)
    else:
        tensors["input.input"] = torch.zeros(1, WIDTHS[0], 3) if change == "flat" else torch.zeros(1, WIDTHS[0], 3, 65)
    torch.save({"g_ema": tensors, "latent_avg": torch.zeros(Z)}, tmp_path / "net.pt")
    with pytest.raises(WeightsRefused):
        read_checkpoint(tmp_path / "net.pt")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_tools_and_a_search_draw_rectangles(wide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(wide, "wide.pt")
    for words in (
        ["sample", "--generator", "wide.pt", "--seeds", "0-3", "--out", "sample.png"],
        ["mix", "--generator", "wide.pt", "--rows", "0", "--columns", "1,2", "--out", "mix.png"],
        ["interpolate", "--generator", "wide.pt", "--seeds", "0,1", "--frames", "3", "--out", "way.gif"],
        ["generate", "red", "--generator", "wide.pt", "--scorer", "toy", "--judge", "toy", "--generations", "2",
         "--population", "4", "--device", "cpu", "--out", "run"],
        ["replay", "run/images/best.png", "--generator", "wide.pt"],
        ["project", "run/images/best.png", "--generator", "wide.pt", "--steps", "2", "--out", "found"],
    ):  # fmt: skip
        result = run(*words)
        assert result.exit_code == 0, (words, result.output, result.exception)


# Noise


@torch.no_grad()
def test_bred_noise_is_the_noise_of_the_layers_it_names(wide):
    plain, bred = make_generator(str(wide)), make_generator(str(wide), noise=10)
    shapes = [(3, 5), (6, 10), (6, 10)]
    genes = [math.prod(shape) for shape in shapes]
    assert bred.space.dim == plain.space.dim + sum(genes)
    x = bred.space.sample(3, stream(2))
    styles = x[:, : plain.space.dim]
    stored = [state()[f"noises.noise_{k}"][0, 0] for k in range(5)]
    same = torch.cat([styles, torch.cat([n.flatten() for n in stored[:3]]).expand(3, -1)], dim=1)
    torch.testing.assert_close(bred.render(same), plain.render(styles), atol=1e-5, rtol=0)
    images = bred.render(x)
    for row, image in zip(x, images, strict=True):
        pieces = torch.split(row[plain.space.dim :], genes)
        noises = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)] + stored[3:]
        wanted = reference(state(), bred.styles(row[None])[0, 0], noises)
        torch.testing.assert_close(image, ((wanted + 1) / 2).clamp(0, 1), atol=1e-4, rtol=0)
    assert (images - plain.render(styles)).abs().max() > 0.05


def test_noise_joins_any_space_and_has_limits(wide):
    generator = make_generator(str(wide), space="w+", noise=5)
    assert [type(part) for part in parts(generator.space)] == [Whitened, Normal]
    x = generator.space.sample(2, stream(3)).requires_grad_()
    generator.render(x).sum().backward()
    assert bool((x.grad[:, -15:] != 0).all())
    for noise in (1, -1, "all", 3000):
        with pytest.raises(BadInput):
            make_generator(str(wide), noise=noise)
    with pytest.raises(BadInput, match="no noise"):
        make_generator(str(ADA.parent.parent / "stylegan3_t_c0_32px"), noise=16)
