"""The ResNet of published files, against the references' outputs."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from zeuxis.errors import BadInput
from zeuxis.hub.convert import convert
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets.resnet import Block, ResNet

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SMALL = {
    "block": "basic",
    "depths": [1, 2],
    "widths": [8, 12],
    "inner": [8, 12],
    "stem": 8,
    "stem_size": 3,
    "classes": 5,
}
PUBLISHED = {
    "resnet18_narrow": "pytorch_model.bin",
    "resnet20_cifar10": "resnet20.pt",
    "resnet_hf_bottleneck": "",
}


def seen(about, images):
    """As the converted file says the network was trained to see them."""
    mean, std = (torch.tensor(about[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    return (images.float() / 255 - mean) / std


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_the_logits_are_the_references(name, tmp_path):
    given, expected = (load_file(FIXTURES / name / f"{kind}.safetensors") for kind in ("inputs", "outputs"))
    path = convert(FIXTURES / name / PUBLISHED[name], tmp_path / "out.safetensors")
    net, x = build(path, "network"), seen(read_model(path).about, given["image"])
    limit = 1e-5 * expected["logits"].abs().max()
    assert expected["logits"].std(0).mean() > 1000 * limit  # they do depend on the picture
    plain = net(x)
    assert (plain - expected["logits"]).abs().max() < limit
    assert (net.fold()(x) - expected["logits"]).abs().max() < limit
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())


@pytest.mark.parametrize(
    ("block", "depths", "count"),
    [
        ("basic", [2, 2, 2, 2], 11_689_512),  # as torchvision counts them
        ("basic", [3, 4, 6, 3], 21_797_672),
        ("bottleneck", [3, 4, 6, 3], 25_557_032),
        ("bottleneck", [3, 4, 23, 3], 44_549_160),
    ],
)
def test_the_published_sizes(block, depths, count):
    inner = [64, 128, 256, 512]
    widths = inner if block == "basic" else [4 * width for width in inner]
    with torch.device("meta"):
        net = ResNet(block, depths, widths, inner, 64, 7, 1000)
        assert sum(p.numel() for p in net.parameters()) == count
        assert net.eval()(torch.empty(2, 3, 224, 224)).shape == (2, 1000)


def test_a_folded_network_computes_the_same():
    net = ResNet(**SMALL).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(value, 0.5, 2)
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = net(x)
        assert torch.allclose(net.fold()(x), before, rtol=1e-4, atol=1e-4 * float(before.abs().max()))


@pytest.mark.parametrize(("early", "strided"), [(False, 2), (True, 1)])
def test_a_bottleneck_takes_its_stride_where_it_is_told(early, strided):
    net = ResNet("bottleneck", [1, 1], [8, 16], [2, 4], 4, 3, 5, first_stride=2, early=early)
    for stage in (net.layer1, net.layer2):
        strides = [getattr(stage[0], f"conv{i}").stride[0] for i in (1, 2, 3)]
        assert [i for i, stride in enumerate(strides, 1) if stride == 2] == [strided]
        assert stage[0].downsample[0].stride == (2, 2)


def test_without_a_change_of_shape_the_shortcut_is_the_input():
    assert Block(4, (4, 4), (3, 3), 1, 0, pad=False).downsample is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"block": "dense"},
        {"shortcut": "none"},
        {"stem_size": 5},
        {"first_stride": 3},
        {"depths": [1]},
        {"depths": [], "widths": [], "inner": []},
        {"depths": [1, 0]},
        {"widths": [8, 12.0]},
        {"widths": [8, 16]},
        {"classes": 0},
        {"shortcut": "pad", "widths": [8, 4], "inner": [8, 4]},
        {"widths": [60000, 60000], "inner": [60000, 60000]},
        {"depths": [60000, 1], "widths": [1, 1], "inner": [1, 1]},
    ],
)
def test_facts_that_describe_no_network_are_refused(wrong):
    ResNet(**SMALL)
    with pytest.raises(BadInput, match=r"Expected .* got"):
        ResNet(**SMALL | wrong)
