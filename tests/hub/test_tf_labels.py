"""TensorFlow's StyleGAN2 with labels, written as its pickles are, beside a second writing of what is published."""

import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import make_generator
from zeuxis.hub.convert import convert, read_checkpoint, read_raw
from zeuxis.hub.weights import fill
from zeuxis.nets import NETWORKS
from zeuxis.rng import stream

SOURCE = Path(__file__).parent.parent / "fixtures/stylegan2_tf_c0_32px/network.pkl"
CLASSES = 3


class Network:
    """Stands for dnnlib.tflib.network.Network: its pickle is a name and a state."""

    def __init__(self, state):
        self.__dict__.update(state)


def plain(node):
    """An unlabelled network of the fixture as a dictionary of names, numbers and arrays."""
    state = dict(node.state) | {"static_kwargs": dict(node.state["static_kwargs"])}
    state["variables"] = [(name, np.array(getattr(value, "value", value))) for name, value in state["variables"]]
    state["components"] = {name: Network(plain(inner)) for name, inner in state["components"].items()}
    return state


def labelled(path, monkeypatch, change=lambda variables: None):
    """The fixture as a pickle with labels; returns the arrays that were added or changed."""
    for name in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["dnnlib.tflib.network"].Network = Network
    monkeypatch.setattr(Network, "__module__", "dnnlib.tflib.network")
    g, d, gs = (plain(node) for node in read_raw(SOURCE).content)
    rng = np.random.default_rng(5)
    new = {
        "LabelConcat/weight": rng.standard_normal((CLASSES, 32)).astype(np.float32),
        "Dense0/weight": rng.standard_normal((64, 32)).astype(np.float32) * 100,
    }
    for network in (g, gs):
        mapping = network["components"]["mapping"]
        mapping.variables = list((dict(mapping.variables) | new).items())
        network["static_kwargs"]["label_size"] = CLASSES
    judged = dict(d["variables"])
    width = judged["Output/weight"].shape[0]
    output = {
        "Output/weight": rng.standard_normal((width, CLASSES)).astype(np.float32),
        "Output/bias": rng.standard_normal(CLASSES).astype(np.float32),
    }
    change(output)
    d["variables"], d["static_kwargs"]["label_size"] = list((judged | output).items()), CLASSES
    path.write_bytes(pickle.dumps(tuple(Network(state) for state in (g, d, gs)), protocol=3))
    return dict(gs["components"]["mapping"].variables), output


def styles_by_hand(v, z, c):
    """G_mapping once more: labels times their table behind z, both normalised together, then the layers."""
    x = np.concatenate([z, c @ v["LabelConcat/weight"]], axis=1)
    x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-8)
    for i in range(3):
        weight = v[f"Dense{i}/weight"]
        x = x @ weight * (0.01 / np.sqrt(len(weight))) + v[f"Dense{i}/bias"] * 0.01
        x = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    return x


@torch.no_grad()
def test_labels_stand_behind_z_and_both_are_normalised_as_one(tmp_path, monkeypatch):
    variables, _ = labelled(tmp_path / "network.pkl", monkeypatch)
    part = read_checkpoint(tmp_path / "network.pkl").parts["generator"]
    net = fill(NETWORKS["stylegan2/generator"](**part.facts), part.tensors, tmp_path)
    rng = np.random.default_rng(1)
    z, c = rng.standard_normal((6, 32)), np.eye(CLASSES)[[0, 1, 2, 0, 1, 2]]
    found = net.map(torch.from_numpy(z).float(), torch.from_numpy(c).float())
    wanted = torch.from_numpy(styles_by_hand(variables, z, c)).float()
    assert (wanted[:3] - wanted[3:]).abs().max() > 0.1
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    with pytest.raises(BadInput, match="knows classes"):
        net.map(torch.zeros(1, 32))


@torch.no_grad()
def test_the_discriminator_has_one_logit_for_each_class(tmp_path, monkeypatch):
    _, output = labelled(tmp_path / "network.pkl", monkeypatch)
    labelled_part = read_checkpoint(tmp_path / "network.pkl").parts["discriminator"]
    judge = fill(NETWORKS["stylegan2/discriminator"](**labelled_part.facts), labelled_part.tensors, tmp_path)
    images = torch.rand(4, 3, 32, 32, generator=stream(0, "x")) * 2 - 1
    without = read_checkpoint(SOURCE).parts["discriminator"]
    for k in range(CLASSES):  # what a network without labels says, whose only logit is that of class k
        one = {
            "b4.out.weight": torch.from_numpy(output["Output/weight"].T[k : k + 1].copy()),
            "b4.out.bias": torch.from_numpy(output["Output/bias"][k : k + 1].copy()),
        }
        single = fill(NETWORKS["stylegan2/discriminator"](**without.facts), without.tensors | one, tmp_path)
        c = torch.eye(CLASSES)[[k] * 4]
        torch.testing.assert_close(judge(images, c), single(images), atol=1e-4, rtol=1e-4)
    with pytest.raises(BadInput, match="knows classes"):
        judge(images)


@torch.no_grad()
def test_it_is_bred_class_by_class(tmp_path, monkeypatch):
    labelled(tmp_path / "network.pkl", monkeypatch)
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    generator = make_generator(str(convert(tmp_path / "network.pkl")), classes=("1",))
    x = generator.space.sample(3, stream(0))
    images = generator.render(x)
    assert images.shape == (3, 3, 32, 32) and generator.describe(x[0]) == "100 % 1"
    assert generator.realism(images).shape == (3,)


def test_a_discriminator_that_does_not_fit_its_labels_is_refused(tmp_path, monkeypatch):
    def change(output):
        output["Output/weight"], output["Output/bias"] = output["Output/weight"][:, :2], output["Output/bias"][:2]

    labelled(tmp_path / "network.pkl", monkeypatch, change)
    with pytest.raises(WeightsRefused, match="one for each of 3 labels"):
        read_checkpoint(tmp_path / "network.pkl")
