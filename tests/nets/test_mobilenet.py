"""The two MobileNets: against reference logits of another program, padding, features, taps, and the shipped files."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from zeuxis.errors import BadInput, MissingModel, WeightsRefused
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets import mobilenet
from zeuxis.nets.layers import Precisions
from zeuxis.nets.mobilenet import ByteConv, MobileNetV1, MobileNetV2, load_pocket

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "mobilenet_logits" / "outputs.safetensors"
SIZES = {"v1": 160, "v2": 224}
STRIDES = (4, 8, 16, 32)


@pytest.fixture(scope="module")
def nets():
    return {version: load_pocket(version) for version in SIZES}


def images(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def noise(size):
    """What the reference logits were computed for."""
    return (torch.from_numpy(np.random.RandomState(0).randint(0, 256, (2, 3, size, size)).astype("f4")) - 128) / 128


@pytest.mark.parametrize("version", SIZES)
def test_logits_are_those_of_the_reference(nets, version):
    expected = load_file(FIXTURE)[version][:, 1:]  # 0 is TensorFlow's background
    with torch.no_grad():
        found = nets[version](noise(SIZES[version]))
    # Another order of summation moves a logit by 1e-5; padding on the wrong side moves it by tenths and more.
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("version", SIZES)
def test_padding_on_the_other_side_would_be_noticed(nets, version, monkeypatch):
    monkeypatch.setattr(mobilenet, "_turned", lambda x: x)  # so it is before, not after
    net = copy.deepcopy(nets[version])
    for conv in net.modules():
        if isinstance(conv, ByteConv):
            conv.kernel = conv.kernel.flip(2, 3)
    with torch.no_grad():
        found = net(noise(SIZES[version]))
    assert (found - load_file(FIXTURE)[version][:, 1:]).abs().max() > 0.5


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("height", [1, 2, 5, 8])
@pytest.mark.parametrize("width", [7, 10])
def test_padding_is_tensorflows_same(stride, height, width):
    conv, x = ByteConv(4, 4, 3, stride, groups=4), images(2, 4, height, width)
    conv.kernel = images(4, 1, 3, 3, seed=1)
    pads = []
    for length in (width, height):  # tensorflow.org/api_docs/python/tf/nn, "SAME"
        total = max(3 - stride, 0) if length % stride == 0 else max(3 - length % stride, 0)
        pads += [total // 2, total - total // 2]
    expected = F.conv2d(F.pad(x, pads), conv.kernel.flip(2, 3), None, stride, groups=4)
    assert expected.shape[2:] == (-(-height // stride), -(-width // stride))
    torch.testing.assert_close(conv(x.flip(2, 3)).flip(2, 3), expected)


def test_bytes_become_floats_on_loading():
    conv = ByteConv(1, 2)
    weight = torch.tensor([3, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    zero = torch.tensor(5, dtype=torch.int32)
    conv.load_state_dict({"weight": weight, "scale": torch.tensor(0.5), "zero": zero, "bias": torch.ones(2)})
    assert conv.kernel.flatten().tolist() == [-1.0, 125.0]
    assert conv(torch.ones(1, 1, 1, 1)).flatten().tolist() == [0.0, 126.0]


@pytest.mark.parametrize(("version", "width"), [("v1", 512), ("v2", 1280)])
@pytest.mark.parametrize("shape", [(33, 33), (64, 96)])
def test_any_size_gives_features_and_logits(nets, version, width, shape):
    x = images(3, 3, *shape)
    with torch.no_grad():
        features, logits = nets[version].features(x), nets[version](x)
        assert features.shape == (3, width) and logits.shape == (3, 1000)
        assert features.min() >= 0 and features.max() <= 6  # means of ReLU6
        torch.testing.assert_close(nets[version].head(features[:, :, None, None]).flatten(1), logits)
        torch.testing.assert_close(nets[version](x[1:2]), logits[1:2], atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [32, 64, 70, 96, 128])
def test_taps_have_the_published_channels(nets, size):
    net = nets["v2"]
    with torch.no_grad():
        maps = net.taps(images(2, 3, size, size))
        rest = F.relu6(net.last(maps[-1])).mean((2, 3))
    assert [m.shape for m in maps] == [(2, net.channels[s], -(-size // s), -(-size // s)) for s in STRIDES]
    assert [net.channels[s] for s in STRIDES] == [24, 32, 96, 320]
    torch.testing.assert_close(rest, net.features(images(2, 3, size, size)))
    assert min(float(m.std()) for m in maps) > 0.05


def test_taps_come_in_the_order_asked_for(nets):
    x = images(1, 3, 64, 64)
    four, eight = nets["v2"].taps(x, (4, 8))
    swapped = nets["v2"].taps(x, at=[8, 4, 2])
    assert torch.equal(swapped[0], eight) and torch.equal(swapped[1], four) and swapped[2].shape == (1, 16, 32, 32)


def test_taps_are_differentiable_in_the_images_only(nets):
    def loss(x):
        return sum(m.square().mean() for m in nets["v2"].taps(x))

    x = images(2, 3, 64, 64).requires_grad_()
    (slope,) = torch.autograd.grad(loss(x), x, create_graph=True)
    assert slope.abs().sum() > 0 and not any(p.requires_grad for p in nets["v2"].parameters())
    with torch.no_grad():
        step = 0.01 * slope / slope.norm()
        expected = float(loss(x + step) - loss(x - step)) / 2
        assert float((slope * step).sum()) == pytest.approx(expected, rel=0.02)
    slope.square().sum().backward()  # and once more, as gradient penalties need it
    assert bool(x.grad.isfinite().all()) and x.grad.abs().sum() > 0


@pytest.mark.parametrize("version", SIZES)
def test_bfloat16_is_near_and_leaves_the_network_as_it_was(nets, version):
    x, copies = images(4, 3, 96, 96), Precisions(nets[version])
    with torch.no_grad():
        exact, fast = nets[version](x), copies[torch.bfloat16](x)
        assert fast.dtype == torch.float32 and 0 < (fast - exact).std() < 0.1 * exact.std()
        assert copies[torch.bfloat16].features(x).dtype == torch.float32
        assert torch.equal(nets[version](x), exact)


@pytest.mark.parametrize(
    "x",
    [images(3, 32, 32), images(1, 4, 32, 32), images(1, 3, 0, 32), torch.zeros(1, 3, 32, 32, dtype=torch.uint8)],
    ids=["three axes", "four channels", "empty", "bytes"],
)
def test_other_shapes_are_refused(nets, x):
    for call in (nets["v1"], nets["v1"].features, nets["v2"], nets["v2"].taps):
        with pytest.raises(BadInput, match=r"\(N, 3, H, W\)"):
            call(x)


@pytest.mark.parametrize("at", [(), (3,), (4, 64)])
def test_other_strides_are_refused(nets, at):
    with pytest.raises(BadInput, match="strides out of"):
        nets["v2"].taps(images(1, 3, 32, 32), at)


@pytest.mark.parametrize(
    "facts", [{"width": 0.0}, {"width": True}, {"width": "1"}, {"size": 0}, {"size": 2.0}, {"classes": 10**9}]
)
def test_facts_out_of_range_are_refused(facts):
    with pytest.raises(BadInput, match="Expected a"):
        MobileNetV1(**facts)
    with pytest.raises((BadInput, TypeError)):
        MobileNetV2(**facts)


def test_widths_multiply_the_channels():
    assert MobileNetV1(1.0).head.weight.shape == (1000, 1024, 1, 1)
    assert [b.pointwise.weight.shape[0] for b in MobileNetV1(0.25).blocks][-3:] == [128, 256, 256]


@pytest.mark.parametrize(("version", "bytes_"), [("v1", 1.4e6), ("v2", 3.6e6)])
def test_the_shipped_file_is_a_model_file_of_bytes(nets, version, bytes_):
    path = mobilenet.POCKET / f"mobilenet_{version}.safetensors"
    model, tensors = read_model(path), load_file(path)
    assert (model.family, model.licence) == (f"mobilenet-{version}", "Apache-2.0")
    assert "google-coral" in model.source["origin"] and path.stat().st_size < bytes_
    assert {v.dtype for k, v in tensors.items() if k.endswith(".weight")} == {torch.uint8}
    x = images(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(build(path, "network")(x), nets[version](x))


def test_the_state_that_is_saved_is_the_bytes(nets):
    again = MobileNetV1()
    assert not any(name.endswith("kernel") for name in again.state_dict())
    again.load_state_dict(nets["v1"].state_dict())
    x = images(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(again(x), nets["v1"](x), atol=1e-4, rtol=0)


def test_what_cannot_be_loaded_is_said(monkeypatch, tmp_path):
    with pytest.raises(BadInput, match="v1 or v2"):
        load_pocket("v3")
    monkeypatch.setattr(mobilenet, "POCKET", tmp_path)
    with pytest.raises(MissingModel, match="Reinstall"):
        load_pocket("v1")
    whole = (Path(mobilenet.__file__).parents[1] / "pocket" / "mobilenet_v1.safetensors").read_bytes()
    for damaged in (whole[:-100], b"", b"\xff" * 200):
        (tmp_path / "mobilenet_v1.safetensors").write_bytes(damaged)
        with pytest.raises(WeightsRefused, match="is damaged"):
            load_pocket("v1")
    (tmp_path / "mobilenet_v2.safetensors").write_bytes(whole)  # v1 in its place
    with pytest.raises(WeightsRefused, match="is damaged"):
        load_pocket("v2")
