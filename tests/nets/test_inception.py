"""Inception-v3 for FID: layout, network and features against torch-fidelity's outputs; weights filled by rule."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.evaluation.inception_features import InceptionFeatures, grey_levels
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets.inception import TAPS, Inception

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "inception_v3_fid"
EXPECTED = load_file(FIXTURE / "outputs.safetensors")
RULE = json.loads((FIXTURE / "rule.json").read_text())
TOLERANCE = 1e-4  # of the largest absolute value


def ruled(name, shape):
    """The fixture's rule: a tensor is a function of its name."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    seed = zlib.crc32((RULE["salt"] + name).encode())
    x = np.random.RandomState(seed).standard_normal(shape)
    if name.endswith(".conv.weight"):
        x = x * np.sqrt(2 / np.prod(shape[1:]))
    elif name.startswith("fc."):
        x = 2 * x / np.sqrt(shape[1]) if name == "fc.weight" else x
    else:
        scaled = {"running_mean": 0.1 * x, "running_var": np.exp(0.2 * x), "weight": 1 + 0.2 * x, "bias": 0.2 * x}
        x = scaled[name.rpartition(".")[2]]
    return torch.from_numpy(x.astype(np.float32))


@pytest.fixture(scope="module")
def state():
    return {name: ruled(name, shape) for name, shape in RULE["keys"].items()}


@pytest.fixture(scope="module")
def published(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "network.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def converted(published):
    return convert(published)


@pytest.fixture(scope="module")
def features(converted):
    return InceptionFeatures(converted)


@pytest.fixture(scope="module")
def taps(features):
    given = load_file(FIXTURE / "inputs.safetensors")
    found = [features.taps(given[f"image_{size}"]) for size in (32, 64, 256)]
    return {width: torch.cat([each[width] for each in found]) for width in TAPS}


def off(found, expected):
    """Largest difference, relative to the largest absolute value."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def test_the_rule_fills_what_the_reference_was_filled_with(state):
    assert len(state) == 566
    for name, probe in EXPECTED.items():
        if name.startswith("probe_"):
            assert torch.equal(state[name.removeprefix("probe_")].flatten()[:4], probe)


def test_features_at_every_depth_are_the_references(taps):
    for width in TAPS:
        expected = EXPECTED["pool_2048" if width == 2048 else f"tap_{width}"]
        assert off(taps[width], expected) < TOLERANCE, width
    assert taps[2048].std(0).mean() / taps[2048].mean() > 0.1  # they do depend on the picture


def test_logits_with_and_without_bias_are_the_references(features, taps):
    assert off(features.logits_of(taps[2048]), EXPECTED["logits_unbiased"]) < TOLERANCE
    assert off(features.net.logits(taps[2048], bias=True).detach(), EXPECTED["logits"]) < TOLERANCE


def test_a_converted_file_says_what_it_is(converted):
    model = read_model(converted)
    assert model.family == "inception" and model.parts == {"network": {"classes": 1008}}
    assert model.licence == "Apache-2.0"
    assert isinstance(build(converted, "network"), Inception)


def test_pictures_count_as_the_8_bits_they_are_saved_with(features, taps):
    image = load_file(FIXTURE / "inputs.safetensors")["image_32"]
    nearly = image.float() / 255 + 0.4 / 255
    assert torch.equal(grey_levels(nearly.clamp(0, 1)), image.float())
    assert off(features(nearly)[:2], taps[2048][:2]) < 1e-6


def test_features_do_not_depend_on_the_batch_size(features):
    images = load_file(FIXTURE / "inputs.safetensors")["image_64"]
    one_by_one = torch.cat([features(image[None]) for image in images])
    assert off(features(images), one_by_one) < 1e-5


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 1, 8, 8), (3, 8, 8)])
def test_what_is_no_set_of_pictures_is_refused(features, shape):
    with pytest.raises(BadInput, match="Expected pictures"):
        features(torch.zeros(shape))


def test_torchvisions_inception_is_refused_with_advice(state, tmp_path):
    for change, word in (
        ({"AuxLogits.conv0.conv.weight": torch.zeros(1)}, "torchvision's"),
        ({"fc.weight": torch.zeros(1000, 2048)}, r"\(1000, 2048\), expected \(1008, 2048\)"),
        ({"fc.weight": None}, "is a NoneType"),
    ):
        torch.save(state | change, tmp_path / "other.pth")
        with pytest.raises(WeightsRefused, match=word):
            read_checkpoint(tmp_path / "other.pth")


@pytest.mark.parametrize("name", ["fc.weight", "Mixed_6b.branch7x7_2.conv.weight"])
def test_a_lacking_tensor_is_named(state, tmp_path, name):
    torch.save({key: value for key, value in state.items() if key != name}, tmp_path / "less.pth")
    with pytest.raises(WeightsRefused, match="is missing") as refusal:
        read_checkpoint(tmp_path / "less.pth")
    assert refusal.value.tensor.endswith(name)
