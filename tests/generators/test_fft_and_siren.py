"""Pictures without a trained network: a Fourier spectrum and a sine network."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from zeuxis import configs
from zeuxis.cli.main import app
from zeuxis.config import make_config
from zeuxis.errors import BadInput
from zeuxis.generators.choose import make_generator
from zeuxis.generators.fft import CONTRAST, FFTImage
from zeuxis.generators.siren import Siren
from zeuxis.pictures.metadata import read_metadata
from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.types import Evaluation


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@torch.no_grad()
def test_a_spectrum_is_the_sum_of_its_waves():
    """Against the sum over frequencies, written out."""
    generator = FFTImage(resolution=16, frequencies=2, decay=1.0)
    assert generator.space.dim == 3 * 5 * 3 * 2
    x = generator.space.sample(1, stream(0))
    images = generator.render(x)[0].double()
    c = x.double().reshape(3, 5, 3, 2)
    y = np.arange(16)
    planes = np.zeros((3, 16, 16))
    total = sum((4 if kx else 1) / max(1, kx**2 + ky**2) for kx in range(3) for ky in (0, 1, 2, -2, -1))
    for channel in range(3):
        for row, ky in enumerate((0, 1, 2, -2, -1)):
            for kx in range(3):
                a = complex(*c[channel, row, kx].tolist()) / max(1, np.hypot(kx, ky)) / total**0.5
                wave = a * np.exp(2j * np.pi * (ky * y[:, None] + kx * y[None]) / 16)
                planes[channel] += wave.real * (2 if kx else 1)
    logits = torch.logit(images) / CONTRAST
    brightness = (logits.sum(dim=0) / 3 / 0.577).numpy()
    assert np.allclose(brightness, planes[0], atol=1e-4)


def test_fewer_frequencies_and_a_faster_decay_are_smoother():
    def roughness(**options):
        generator = FFTImage(**options)
        images = generator.render(generator.space.sample(8, stream(1)))
        return float(images.diff(dim=3).abs().mean() / images.std())

    assert roughness(frequencies=4) < roughness(frequencies=16) and roughness(decay=3) < roughness(decay=1)


def test_a_sine_network_is_what_the_paper_says():
    generator = Siren(resolution=16, width=4, depth=1, frequency=5.0)
    assert generator.space.dim == 2 * 4 + 4 + 4 * 3 + 3
    x = generator.space.sample(1, stream(2))
    scale = generator._fixed.on(torch.device("cpu"))[0]
    genes = x[0].double() * scale
    w1, b1, w2, b2 = genes[:8].reshape(2, 4), genes[8:12], genes[12:24].reshape(4, 3), genes[24:]
    place = torch.tensor([2 * (5 + 0.5) / 16 - 1, 2 * (3 + 0.5) / 16 - 1], dtype=torch.float64)  # x, then y
    colour = torch.sigmoid(torch.sin(place @ w1 + b1) @ w2 + b2)
    torch.testing.assert_close(generator.render(x)[0, :, 3, 5], colour.float())
    assert float(scale[0]) == pytest.approx(5 / 12**0.5)


def red_middle(images):
    """Red in the middle, blue at the border: a score with a gradient."""
    middle, edge = images[:, :, 8:24, 8:24].mean((2, 3)), images[:, :, :4].mean((2, 3))
    return middle[:, 0] - middle[:, 1:].sum(1) + edge[:, 2] - edge[:, :2].sum(1)


@pytest.mark.parametrize("name", ["fft", "siren"])
@pytest.mark.parametrize("search", ["adam", "cma-ga"])
def test_it_is_searched_with_a_gradient_and_without(name, search):
    options = {"resolution": 32, "frequencies": 4} if name == "fft" else {"resolution": 32, "width": 12, "depth": 2}
    generator = make_generator(name, **options)
    few = {"screen": 2, "rate": 0.2} if search == "adam" else {}
    found = SEARCHES[search](generator.space, population=16, **few)
    first = None
    for generation in range(30 if search == "adam" else 60):
        batch = found.ask(stream(0, generation, "ask"))
        x = batch.x.detach().requires_grad_(batch.gradient)
        with torch.set_grad_enabled(batch.gradient):
            score = red_middle(generator.render(x))
        gradient = torch.autograd.grad(score.sum(), x)[0] if batch.gradient else None
        found.tell(batch, Evaluation(score.detach(), gradient=gradient))
        first = found.best[1] if first is None else first
    assert found.best[1] > first + 0.5


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fft", {"resolution": 8}), ("fft", {"resolution": 4096}), ("fft", {"frequencies": 32}), ("fft", {"decay": -1}),
        ("fft", {"resolution": 64.5}), ("siren", {"width": 1000}), ("siren", {"depth": 0}), ("siren", {"frequency": 0}),
        ("siren", {"resolution": "large"}), ("siren", {"waves": 3}), ("fft", {"decay": float("nan")}),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused_in_a_sentence(name, options):
    with pytest.raises(BadInput):
        make_generator(name, **options)


def test_a_saved_picture_keeps_its_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--generator-option", "resolution=32", "--generator-option", "frequencies=6", "--each", "--out", "s.png")
    assert zeuxis_("sample", "--generator", "fft", "--seeds", "1", *words).exit_code == 0
    assert read_metadata("s/seed0001.png").options == {"resolution": 32, "frequencies": 6}
    assert "identical" in zeuxis_("replay", "s/seed0001.png").output
    run = ("generate", "a red disc", "--start-from", "s/seed0001.png", "--scorer", "toy", "--judge", "none")
    result = zeuxis_(*run, "--population", "4", "--generations", "1", "--out", "run", "--quiet")
    assert result.exit_code == 0, result.output
    assert read_metadata("run/images/best.png").options == {"resolution": 32, "frequencies": 6}


@pytest.mark.parametrize(
    ("name", "generator"), [("aphantasia", "fft"), ("deep-daze", "siren"), ("big-sleep", "biggan-deep-512")]
)
def test_the_programs_before_have_a_configuration_each(name, generator):
    fields = configs.fields(name)
    config = make_config(prompt=("a lighthouse",), **fields)
    assert (config.generator, config.search) == (generator, "adam") and config.augment >= 8
    assert config.scorer[0] in ("clip-vit-b-32", "pocket-64") and name in configs.about()


def test_a_kind_of_file_is_told_from_a_generator():
    listed = zeuxis_("list", "generators").output
    assert all(f"\n{name} " in listed for name in ("fft", "siren", "vqgan", "stylegan2", "biggan-deep"))
    result = zeuxis_("sample", "--generator", "vqgan")
    assert result.exit_code == 2 and "Name a file or folder of it" in result.output
