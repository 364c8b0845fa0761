"""CIFAR ResNets in the layout of the published checkpoints."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from zeuxis.nets.resnet import CIFAR_DEVIATION, CIFAR_MEAN, Block, CifarResNet, cifar_from_state
from zeuxis.rng import stream

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def noise(*shape):
    return torch.rand(*shape, generator=stream(0, "noise"))


def test_the_shortcut_takes_every_second_pixel_and_adds_zero_channels_on_both_sides():
    block = Block(2, (4, 4), (3, 3), 2, 0, pad=True).eval()
    for layer in (block.conv1, block.conv2):
        torch.nn.init.zeros_(layer.weight)  # the shortcut alone is left
    x = torch.arange(32.0).view(1, 2, 4, 4)
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, 1] = torch.tensor([[0.0, 2.0], [8.0, 10.0]])
    expected[0, 2] = torch.tensor([[16.0, 18.0], [24.0, 26.0]])
    assert torch.equal(block(x), expected)


def test_a_block_of_equal_widths_adds_its_input():
    block = Block(3, (3, 3), (3, 3), 1, 0, pad=True).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = noise(2, 3, 5, 5)
    assert torch.allclose(block(x), x)


@pytest.mark.parametrize(("blocks", "depth"), [(3, 20), (5, 32)])
def test_depth_is_six_times_the_blocks_plus_two(blocks, depth):
    net = CifarResNet(blocks)
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == depth
    assert net.eval()(noise(2, 3, 32, 32)).shape == (2, 10)


def test_images_are_normalised_inside():
    net = CifarResNet(1).eval()
    grey = torch.tensor(CIFAR_MEAN)[:, None, None].expand(1, 3, 32, 32)
    seen = []
    net.conv1.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    net(grey), net(grey + torch.tensor(CIFAR_DEVIATION)[:, None, None])
    assert torch.allclose(seen[0], torch.zeros(1), atol=1e-6) and torch.allclose(seen[1], torch.ones(1), atol=1e-5)


def test_a_published_state_is_rebuilt_as_it_was():
    net, x = CifarResNet(2, classes=7).eval(), noise(2, 3, 32, 32)
    copied = cifar_from_state({f"module.{name}": value for name, value in net.state_dict().items()})
    assert torch.equal(copied(x), net(x)) and not copied.training
    assert not any(p.requires_grad for p in copied.parameters())


def test_the_head_is_a_mean_over_places():
    net, x = CifarResNet(1).eval(), noise(2, 3, 32, 32)
    last = []
    net.layer3.register_forward_hook(lambda module, given, out: last.append(out))
    logits = net(x)
    assert torch.allclose(logits, net.fc(F.avg_pool2d(last[0], 8).flatten(1)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "right"), [("cifar10_resnet20-12fca82f.th", 458), ("cifar10_resnet32-d509ac18.th", 462)]
)
def test_published_weights_get_as_many_images_right_as_measured(name, right):
    weights, pack = DATA / "weights" / name, DATA / "cifar10.npz"
    if not (weights.exists() and pack.exists()):
        pytest.skip(f"needs {name} and cifar10.npz beside the repository, in shared/data")
    with np.load(pack) as arrays:
        sheet = np.asarray(Image.open(io.BytesIO(arrays["exact_500"].tobytes())).convert("RGB"))
        labels = torch.from_numpy(arrays["test_labels"][arrays["exact_500_index"]].astype(np.int64))
    tiles = sheet.reshape(-1, 32, 25, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
    images = torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2).float() / 255
    net = cifar_from_state(torch.load(weights, map_location="cpu", weights_only=True)["state_dict"])
    with torch.no_grad():
        found = torch.cat([net(x).argmax(1) for x in images.split(100)])
    assert int((found == labels).sum()) == right
