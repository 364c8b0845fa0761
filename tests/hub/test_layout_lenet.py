"""LeNet-5 as it is published: its names, a judge of digits, what is refused."""

from pathlib import Path

import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.nets.lenet import LeNet
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.image_classifier import ImageClassifier

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "weights"


def published(folder, change=None):
    torch.manual_seed(0)
    net = LeNet()
    group = {"c": "convnet", "f": "fc"}
    state = {f"{group[name[0]]}.{name}": value for name, value in net.state_dict().items()}
    if change:
        change(state)
    torch.save(state, folder / "lenet.pth")
    return net.eval(), folder / "lenet.pth"


def test_it_is_a_judge_of_digits(tmp_path):
    net, path = published(tmp_path)
    judge = ImageClassifier(convert(path, tmp_path / "lenet.safetensors"))
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(judge.probabilities(images), net(images * 2 - 1).softmax(1), atol=1e-5)
    asked = judge.prepare(Prompt((Phrase("a handwritten seven"),)))
    assert asked.labels == (7,) and judge.classes[7] == "seven"


def test_colour_counts_for_nothing():
    net, grey = LeNet(), torch.rand(2, 1, 32, 32) * 2 - 1
    tinted = torch.cat([grey + 0.2, grey, grey - 0.2], dim=1)
    assert torch.allclose(net(grey.expand(-1, 3, -1, -1)), net(tinted), atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("fc.f6.bias"),
        lambda state: state.update({"fc.f8.bias": torch.zeros(3)}),
        lambda state: state.update({"fc.f7.weight": torch.zeros(11, 84)}),
        lambda state: state.update({"fc.f6.bias": "words"}),
    ],
)
def test_other_networks_are_refused(change, tmp_path):
    _, path = published(tmp_path, change)
    with pytest.raises(WeightsRefused):
        read_checkpoint(path)


@pytest.mark.skipif(not WEIGHTS.exists(), reason="needs the published file")
def test_the_published_file_has_these_names():
    assert read_checkpoint(WEIGHTS / "mnist_lenet_acc0.991.pth").family == "lenet"
