"""Published ResNets: what is read from shapes, what from config.json, what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.hub.layouts.resnet import CIFAR, IMAGENET
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets.resnet import ResNet

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "weights"
NARROW = FIXTURES / "resnet18_narrow" / "pytorch_model.bin"


def state(path=NARROW):
    return torch.load(path, weights_only=True)


def saved(content, folder, config=None):
    torch.save(content, folder / "pytorch_model.bin")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder / "pytorch_model.bin"


@pytest.fixture
def transformers(tmp_path):
    """A copy of the folder, and its configuration."""
    folder = shutil.copytree(FIXTURES / "resnet_hf_bottleneck", tmp_path / "hf")
    folder.chmod(0o755)
    (folder / "config.json").chmod(0o644)
    return folder, json.loads((folder / "config.json").read_text())


def test_torchvisions_layout():
    found = read_checkpoint(NARROW)
    assert found.family == "resnet" and found.parts["network"].facts == {
        **{"block": "basic", "depths": [2, 2, 2, 2], "widths": [16, 24, 32, 40], "inner": [16, 24, 32, 40]},
        **{"stem": 64, "stem_size": 7, "classes": 12, "shortcut": "conv"},
    }
    assert found.about["mean"] == list(IMAGENET[0]) and found.about["size"] == 224 and found.about["labels"] == []


def test_chenyaofos_layout():
    found = read_checkpoint(FIXTURES / "resnet20_cifar10" / "resnet20.pt")
    facts = found.parts["network"].facts
    assert facts["depths"] == [3, 3, 3] and facts["widths"] == [16, 32, 64] and facts["stem_size"] == 3
    assert found.about["std"] == list(CIFAR[1]) and found.about["size"] == 32 and found.about["labels"] == "cifar-10"


def test_transformers_layout(transformers):
    folder, config = transformers
    found = read_checkpoint(folder)
    facts = found.parts["network"].facts
    assert (facts["block"], facts["depths"], facts["widths"]) == ("bottleneck", [1, 2, 1, 1], [32, 48, 64, 80])
    assert facts["inner"] == [8, 12, 16, 20] and facts["first_stride"] == 1 and facts["early"] is False
    assert found.about["labels"] == []  # LABEL_0 is no name
    names = ["tench, Tinca tinca", "goldfish", "shark", "ray", "cock", "hen", "jay"]
    config |= {"id2label": dict(enumerate(names)), "downsample_in_bottleneck": True, "downsample_in_first_stage": True}
    (folder / "config.json").write_text(json.dumps(config))
    found = read_checkpoint(folder)
    assert found.about["labels"] == names
    assert found.parts["network"].facts["first_stride"] == 2 and found.parts["network"].facts["early"] is True


@pytest.mark.parametrize(
    ("change", "word"),
    [({"depths": [1, 2, 2, 1]}, "depths"), ({"hidden_act": "gelu"}, "gelu"), ({"hidden_sizes": [1]}, "widths")],
)
def test_a_config_of_another_network_is_refused(transformers, change, word):
    folder, config = transformers
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(WeightsRefused, match=word):
        read_checkpoint(folder)


def test_other_names_for_the_same_network(tmp_path):
    plain = state()
    kuangliu = {
        "module." + name.replace("downsample", "shortcut").replace("fc.", "linear."): value
        for name, value in plain.items()
    }
    path = saved({"net": kuangliu, "acc": 95.0, "epoch": 3}, tmp_path)
    assert read_checkpoint(path).parts["network"].facts == read_checkpoint(NARROW).parts["network"].facts


@pytest.mark.parametrize("blocks", [2, 3])
def test_akamasters_shortcuts_have_no_tensors(tmp_path, blocks):
    widths = [16, 32, 64]
    net = ResNet("basic", [blocks] * 3, widths, widths, 16, 3, 10, shortcut="pad").eval()
    names = {f"module.{name.replace('fc.', 'linear.')}": value for name, value in net.state_dict().items()}
    path = saved({"state_dict": names, "best_prec1": 91.7}, tmp_path)
    found = read_checkpoint(path)
    assert found.about["layout"] == "akamaster" and found.about["mean"] == list(IMAGENET[0])
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(build(convert(path), "network")(x), net(x))


@pytest.mark.parametrize("name", ["cifar10_resnet20-12fca82f.th", "cifar10_resnet32-d509ac18.th"])
def test_real_published_weights_are_read(tmp_path, name):
    if not (WEIGHTS / name).exists():
        pytest.skip(f"needs {name} beside the repository, in shared/data")
    about = read_model(convert(WEIGHTS / name, tmp_path / "out.safetensors")).about
    assert about["layout"] == "akamaster" and about["labels"] == "cifar-10"


def test_timms_normalisation_is_taken_from_its_config(tmp_path):
    told = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    config = {"architecture": "resnet18", "pretrained_cfg": told, "label_names": [f"thing {i}" for i in range(12)]}
    about = read_checkpoint(saved(state(), tmp_path, config)).about
    assert about["mean"] == told["mean"] and about["std"] == told["std"] and about["labels"][3] == "thing 3"
    config = {"pretrained_cfg": {"mean": ["a", 1, 2], "std": [0.0, 9e9, 1.0]}, "label_names": ["a\nb"] * 12}
    about = read_checkpoint(saved(state(), tmp_path, config)).about
    assert about["mean"] == list(IMAGENET[0]) and about["std"] == list(IMAGENET[1]) and about["labels"] == []


@pytest.mark.parametrize(
    ("change", "tensor"),
    [
        ({"layer2.1.bn2.running_var": None}, "layer2.1.bn2.running_var"),
        ({"layer3.1.conv2.weight": torch.zeros(32, 32, 1, 1)}, "layer3.1.conv2.weight"),
        ({"layer2.0.downsample.0.weight": ...}, "layer2.0.downsample.0.weight"),
        ({"layer2.1.se.fc.weight": torch.zeros(2, 2)}, "layer2.1.se.fc.weight"),
        ({"fc.weight": ...}, "fc.weight"),
        ({"fc.weight": torch.zeros(12)}, "fc.weight"),
        ({"conv1.weight": ...}, "conv1.weight"),
        ({"layer1.0.conv2.weight": torch.zeros(16, 4, 3, 3)}, "layer1"),
        ({"fc.bias": torch.full((12,), torch.nan)}, "fc.bias"),
        ({"module.fc.bias": torch.zeros(12)}, "fc.bias"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, change, tensor):
    content = {name: value for name, value in (state() | change).items() if value is not ...}
    with pytest.raises(WeightsRefused) as refusal:
        read_checkpoint(saved(content, tmp_path))
    assert refusal.value.tensor.endswith(tensor), refusal.value


def test_an_imagenet_network_without_shortcuts_is_damaged(tmp_path):
    content = {name: value for name, value in state().items() if "downsample" not in name}
    with pytest.raises(WeightsRefused, match="is missing"):
        read_checkpoint(saved(content, tmp_path))


def test_the_converted_tensors_are_the_published_ones(transformers):
    folder, _ = transformers
    published = load_file(folder / "model.safetensors")
    tensors = read_checkpoint(folder).parts["network"].tensors
    assert len(tensors) == sum(not name.endswith("num_batches_tracked") for name in published)
    stem = published["resnet.encoder.stages.1.layers.1.layer.2.normalization.running_var"]
    assert torch.equal(tensors["layer2.1.bn3.running_var"], stem)
