"""rosinality's StyleGAN2 as it is found: converted, in training, fine-tuned, inside of an encoder's checkpoint."""

import argparse
from itertools import pairwise

import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.generators.stylegan import StyleGAN
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.hub.layouts.rosinality import SAMPLES
from zeuxis.rng import stream

Z, WIDTHS = 12, (10, 8, 6)


def state(seed=0, colours=3):
    """A generator of 16 pixels under rosinality's names."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=rng)

    out = {f"style.{k}.{part}": draw(*shape) for k in (1, 2) for part, shape in (("weight", (Z, Z)), ("bias", (Z,)))}
    out = {name: value * 100 for name, value in out.items()}  # a rate of 0.01 is in them
    out["input.input"] = draw(1, WIDTHS[0], 4, 4)
    layers = [("conv1", WIDTHS[0], WIDTHS[0])]
    for i, (low, high) in enumerate(pairwise(WIDTHS)):
        layers += [(f"convs.{2 * i}", low, high), (f"convs.{2 * i + 1}", high, high)]
    for k, (name, cin, cout) in enumerate(layers):
        out[f"{name}.conv.weight"] = draw(1, cout, cin, 3, 3)
        out[f"{name}.conv.modulation.weight"], out[f"{name}.conv.modulation.bias"] = draw(cin, Z), draw(cin)
        out[f"{name}.activate.bias"], out[f"{name}.noise.weight"] = draw(cout), draw(1)
        side = 4 * 2 ** ((k + 1) // 2)
        out[f"noises.noise_{k}"] = draw(1, 1, side, side)
    for i, width in enumerate(WIDTHS):
        name = f"to_rgbs.{i - 1}" if i else "to_rgb1"
        out[f"{name}.conv.weight"], out[f"{name}.bias"] = draw(1, colours, width, 1, 1), draw(1, colours, 1, 1)
        out[f"{name}.conv.modulation.weight"], out[f"{name}.conv.modulation.bias"] = draw(width, Z), draw(width)
    return out


AVERAGE = torch.linspace(-1, 1, Z)


def under(prefix, tensors):
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def optimiser():
    return {"state": {0: {"exp_avg": torch.zeros(3), "step": 5}}, "param_groups": [{"lr": 0.002, "params": [0]}]}


FILES = {
    "converted": lambda: {"g_ema": state(), "latent_avg": AVERAGE},
    "bare": lambda: state(),
    "parallel": lambda: under("module.", state()),
    "training": lambda: {
        "g": state(1), "d": {"x": torch.zeros(2)}, "g_ema": state(), "g_optim": optimiser(), "d_optim": optimiser(),
        "args": argparse.Namespace(size=16, latent=Z), "ada_aug_p": 0.0,
    },
    "nada": lambda: {"g_ema": state(), "g_optim": optimiser()},
    "psp": lambda: {
        "state_dict": under("encoder.", {"body.weight": torch.zeros(4)}) | under("decoder.", state()),
        "latent_avg": AVERAGE.repeat(6, 1), "opts": {"device": "cuda", "args": argparse.Namespace(a=1)},
    },
    "restyle": lambda: {"state_dict": under("decoder.", state()) | {"latent_avg": AVERAGE[None]}, "opts": {}},
    "tuned": lambda: {"state_dict": under("generator_frozen.", state(1)) | under("generator_trainable.", state())},
    "restorer": lambda: {"params": state(1), "params_ema": state()},
}  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("ros") / "g.pt"
    torch.save({"g_ema": state(), "latent_avg": AVERAGE}, path)
    return read_checkpoint(path).parts["generator"]


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before-1.6"])
@pytest.mark.parametrize("kind", FILES)
def test_the_generator_is_found(kind, old, reference, tmp_path):
    path = tmp_path / "net.pt"
    torch.save(FILES[kind](), path, _use_new_zipfile_serialization=not old)
    read = read_checkpoint(path)
    part = read.parts["generator"]
    assert read.family == "stylegan2" and part.facts == reference.facts
    told = "w_avg" not in read.about
    for name, value in reference.tensors.items():
        if name != "mapping.w_avg" or told:
            torch.testing.assert_close(part.tensors[name], value, msg=name)
    assert told == (kind in ("converted", "psp", "restyle"))


def test_a_mean_that_is_missing_is_estimated_and_the_same_each_time(tmp_path):
    torch.save({"g_ema": state()}, tmp_path / "net.pt")
    first, again = (read_checkpoint(tmp_path / "net.pt") for _ in range(2))
    mean = first.parts["generator"].tensors["mapping.w_avg"]
    assert torch.equal(mean, again.parts["generator"].tensors["mapping.w_avg"])
    assert f"{SAMPLES:,} samples" in first.about["w_avg"]
    generator = StyleGAN(convert(tmp_path / "net.pt"), truncation=1.0)
    with torch.no_grad():
        styles = generator.net.map(torch.randn(40_000, Z, generator=stream(1)))
    assert (mean - styles.mean(0)).abs().max() < 5 * float(styles.std(0).max()) / SAMPLES**0.5
    assert (mean.abs() / styles.std(0)).max() > 0.1  # it is no zero


def test_it_is_drawn(tmp_path):
    torch.save(FILES["training"](), tmp_path / "net.pt")
    generator = StyleGAN(convert(tmp_path / "net.pt"))
    images = generator.render(generator.space.sample(3, stream(0)))
    assert images.shape == (3, 3, 16, 16) and float(images.std()) > 0.01


def test_without_a_mapping_network_there_is_no_mean(tmp_path):
    torch.save({name: value for name, value in state().items() if not name.startswith("style.")}, tmp_path / "net.pt")
    with pytest.raises(WeightsRefused, match="mapping network"):
        read_checkpoint(tmp_path / "net.pt")


@pytest.mark.parametrize("change", ["extra", "missing"])
def test_what_does_not_fit_is_named(change, tmp_path):
    tensors = state()
    if change == "extra":
        tensors["to_rgbs.0.more"] = torch.zeros(1)
    else:
        del tensors["convs.1.conv.weight"]
    torch.save({"g_ema": tensors}, tmp_path / "net.pt")
    with pytest.raises(WeightsRefused, match="not expected" if change == "extra" else "is missing"):
        read_checkpoint(tmp_path / "net.pt")
