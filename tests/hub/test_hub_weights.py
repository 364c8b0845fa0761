"""Tensors into networks: what fits is filled in, what does not is refused with its name and nothing is changed."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from zeuxis.errors import MissingModel, WeightsRefused
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.pocket import POCKET, pocket_path
from zeuxis.hub.weights import fill, fit

PATH = Path("toy.safetensors")


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Embedding(4, 2))


def tensors():
    return {name: value for name, value in network().state_dict().items() if "num_batches" not in name}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_what_fits_is_filled_in_as_float32_and_the_network_ready(dtype):
    net = network(seed=1).train()
    given = {name: value.to(dtype) for name, value in tensors().items()}
    assert fill(net, given, PATH) is net and not net.training
    assert all(torch.equal(net.state_dict()[name], value.float()) for name, value in given.items())
    assert net[0].weight.dtype == torch.float32


def drop(given):
    del given["0.bias"]
    return given


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop, r"toy\.safetensors: 0\.bias: is missing"),
        (lambda t: t | {"3.extra": torch.zeros(1)}, r"3\.extra: is not expected"),
        (lambda t: t | {"0.bias": torch.zeros(4)}, r"0\.bias: has shape \(4,\), expected \(3,\)"),
        (lambda t: t | {"0.bias": torch.tensor([0.0, float("nan"), 0.0])}, r"0\.bias: holds NaN"),
        (lambda t: t | {"0.bias": torch.tensor([0.0, float("inf"), 0.0])}, r"0\.bias: holds NaN or infinity"),
        (
            lambda t: t | {"0.bias": torch.zeros(3, dtype=torch.int16)},
            r"0\.bias: is torch\.int16, expected torch\.float32",
        ),
        (lambda t: t | {"0.bias": torch.full((3,), 1e300, dtype=torch.float64)}, r"0\.bias: holds NaN or infinity"),
        (lambda t: t | {"0.bias": torch.zeros(3, dtype=torch.float8_e4m3fn)}, r"0\.bias: is torch\.float8"),
        (lambda t: t | {"x": torch.zeros(3, dtype=torch.float8_e4m3fn)}, "x: is not expected"),
    ],
    ids=["missing", "unexpected", "shape", "NaN", "infinity", "integers", "too large", "eight bits", "odd extra"],
)
def test_what_does_not_fit_is_refused_by_name(change, said):
    net = network(seed=1)
    before = net[0].weight.detach().clone()
    with pytest.raises(WeightsRefused, match=said):
        fill(net, change(tensors()), PATH)
    assert torch.equal(net[0].weight, before)  # nothing was filled in


def test_many_faults_are_not_all_listed():
    with pytest.raises(WeightsRefused) as error:
        fill(network(), {f"x{i}": torch.zeros(1) for i in range(50)}, PATH)
    assert len(str(error.value)) < 300


def test_shapes_alone_can_be_compared_without_memory():
    with torch.device("meta"):
        net = nn.Linear(10**6, 10**6)  # four terabytes
        given = {"weight": torch.empty(10**6, 10**6), "bias": torch.empty(10**6)}
    fit(net, given, PATH)
    with pytest.raises(WeightsRefused, match="bias: has shape"):
        fit(net, given | {"bias": torch.empty(3, device="meta")}, PATH)


def test_channels_last_weights_are_filled_in_place():
    net = nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(fill(nn.Conv2d(4, 4, 3), net.state_dict(), PATH)(x), net(x), atol=1e-5)


def test_the_hash_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "some.bin"
    path.write_bytes(b"bytes")
    assert file_sha256(path) == hashlib.sha256(b"bytes").hexdigest()
    with pytest.raises(MissingModel, match=r"none\.safetensors.*Reinstall zeuxis, or train it"):
        file_sha256(tmp_path / "none.safetensors")


def test_pocket_models_lie_in_the_package_or_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.delenv("ZEUXIS_POCKET", raising=False)
    assert pocket_path("judge") == POCKET / "judge.safetensors"
    monkeypatch.setenv("ZEUXIS_POCKET", str(tmp_path))
    assert pocket_path("judge") == tmp_path / "judge.safetensors"
