"""Published pickles as they also occur: fewer networks, no classes, no squares, a generator alone."""

import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.arrays import Array
from zeuxis.hub.checkpoint import Raw
from zeuxis.hub.convert import _in_words, read_checkpoint, read_raw
from zeuxis.hub.layouts import nvidia, nvidia_tf
from zeuxis.hub.pickles import Inert
from zeuxis.hub.weights import fill
from zeuxis.nets import NETWORKS

TF, XL, ADA = "stylegan2_tf_c0_32px", "stylegan_xl_stem_c10_16px", "stylegan2_ada_c0_64px"


@pytest.fixture
def source(request):
    return request.path.parent.parent / "fixtures"


def same(found, wanted):
    assert found.facts == wanted.facts and found.tensors.keys() == wanted.tensors.keys()
    assert all(torch.equal(value, wanted.tensors[name]) for name, value in found.tensors.items())


@pytest.mark.parametrize(
    "shape",
    [
        lambda g, d, gs: gs,
        lambda g, d, gs: (gs,),
        lambda g, d, gs: [g, d, gs],
        lambda g, d, gs: (g, gs),
        lambda g, d, gs: (None, None, gs),
        lambda g, d, gs: {"G": g, "D": d, "Gs": gs},
        lambda g, d, gs: {"Gs": gs},
    ],
    ids=["alone", "one", "list", "two", "none", "dictionary", "named"],
)
def test_tensorflow_networks_however_many(shape, source):
    raw = read_raw(source / TF / "network.pkl")
    whole = nvidia_tf.translate(raw).parts
    held = Raw(raw.file, shape(*raw.content))
    assert nvidia_tf.claims(held) and not nvidia.claims(held)
    found = nvidia_tf.translate(held).parts
    same(found["generator"], whole["generator"])
    assert ("discriminator" in found) == (raw.content[1] in (*_values(held.content),))


def _values(content):
    return (
        content.values() if isinstance(content, dict) else content if isinstance(content, tuple | list) else [content]
    )


def test_a_tensorflow_discriminator_alone_is_named(source):
    raw = read_raw(source / TF / "network.pkl")
    with pytest.raises(WeightsRefused, match="Gs is the one"):
        nvidia_tf.translate(Raw(raw.file, raw.content[1]))


def without_classes(node):
    """The XL fixture as the published networks without classes are: its table stays, its projection is None."""
    node.state["c_dim"] = 0
    mapping = node.state["_modules"]["mapping"].state
    mapping["c_dim"] = 0
    mapping["_modules"]["embed_proj"] = None
    mapping["_buffers"]["w_avg"] = mapping["_buffers"]["w_avg"][0].clone()
    first = mapping["_modules"]["fc0"].state
    weight = first["_parameters"]["weight"][:, : node.state["z_dim"]].clone()
    first["_parameters"]["weight"] = weight
    first["weight_gain"] = first["bias_gain"] / weight.shape[1] ** 0.5
    return weight


@torch.no_grad()
def test_stylegan_xl_without_classes(source):
    raw = read_raw(source / XL / "network.pkl")
    weight = without_classes(raw.content["G_ema"])
    part = nvidia.translate(raw).parts["generator"]
    assert part.facts["c_dim"] == 0 and not [name for name in part.tensors if "embed" in name]
    net = fill(NETWORKS["stylegan3/generator"](**part.facts), part.tensors, raw.file)
    z = torch.randn(3, part.facts["z_dim"], generator=torch.Generator().manual_seed(0))
    h = z / z.square().mean(1, keepdim=True).add(1e-8).sqrt()
    for k in range(part.facts["mapping_layers"]):
        w, b = (weight if k == 0 else part.tensors[f"mapping.fc{k}.weight"]), part.tensors[f"mapping.fc{k}.bias"]
        h = torch.nn.functional.leaky_relu(h @ w.T * (0.01 / w.shape[1] ** 0.5) + b * 0.01, 0.2) * 2**0.5
    torch.testing.assert_close(net.map(z), h)
    assert net.w_avg.shape == (part.facts["w_dim"],)
    assert net.synthesise(h[:, None].expand(-1, net.num_ws, -1)).shape == (3, 3, 16, 16)


@pytest.mark.parametrize("name", [ADA, XL, "stylegan3_r_c4_32px"])
def test_a_generator_alone_is_read(name, source):
    raw = read_raw(source / name / "network.pkl")
    whole = nvidia.translate(raw).parts["generator"]
    for content in (raw.content["G_ema"], {"G": raw.content["G_ema"], "D": None}):
        assert nvidia.claims(Raw(raw.file, content))
        same(nvidia.translate(Raw(raw.file, content)).parts["generator"], whole)


class Persistent:
    """A module as NVIDIA's programs pickle it: by a function of theirs, and its attributes."""

    def __init__(self, node):
        state = dict(node.state)
        children = state.get("_modules") or {}
        state["_modules"] = {k: Persistent(v) if isinstance(v, Inert) else v for k, v in children.items()}
        for name in ("_init_args", "_init_kwargs", "_backward_hooks", "_forward_hooks"):
            state.pop(name, None)
        self.meta = {"type": "class", "version": 5, "class_name": node.name, "module_src": "", "state": state}

    def __reduce__(self):
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)


def _reconstruct_persistent_obj(meta):
    raise AssertionError("the reader has a function of its own for this")


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before-1.6"])
@pytest.mark.parametrize("wrap", [lambda g: g, lambda g: {"G_ema": g, "step": 3}], ids=["alone", "named"])
def test_a_tuned_generator_saved_by_torch_is_read(wrap, old, source, tmp_path, monkeypatch):
    for name in ("torch_utils", "torch_utils.persistence"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj
    monkeypatch.setattr(_reconstruct_persistent_obj, "__module__", "torch_utils.persistence")
    raw = read_raw(source / ADA / "network.pkl")
    path = tmp_path / "model_multi_id.pt"
    torch.save(wrap(Persistent(raw.content["G_ema"])), path, _use_new_zipfile_serialization=not old)
    same(read_checkpoint(path).parts["generator"], nvidia.translate(raw).parts["generator"])


def test_networks_whose_rectangles_are_not_read_are_told_so(source):
    raw = read_raw(source / TF / "network.pkl")
    rows = raw.content[2].state["components"]["synthesis"].state["variables"]
    for k, (name, value) in enumerate(rows):
        if name.endswith("noise4"):
            wide = Array()
            wide.value = np.repeat(value.value, 2, axis=3)
            rows[k] = (name, wide)
    with pytest.raises(WeightsRefused, match="16 x 32 pixels; only square networks are read"):
        nvidia_tf.translate(raw)
    raw = read_raw(source / "stylegan3_t_c0_32px/network.pkl")
    raw.content["G_ema"].state["_modules"]["synthesis"].state["_modules"]["input"].state["size"] = np.array([36, 52])
    with pytest.raises(WeightsRefused, match="36 x 52; only square networks are read"):
        nvidia.translate(raw)


class Thing:
    pass


@pytest.mark.parametrize("content", [Thing(), [Thing(), 1], {"a": 1}], ids=["object", "list", "dictionary"])
def test_what_is_unknown_is_named_in_words(content, tmp_path, monkeypatch):
    module = ModuleType("their_program")
    module.Thing = Thing
    monkeypatch.setitem(sys.modules, "their_program", module)
    monkeypatch.setattr(Thing, "__module__", "their_program")
    (tmp_path / "net.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsRefused) as error:
        read_checkpoint(tmp_path / "net.pkl")
    assert "Inert" not in str(error.value) and ("their_program.Thing" in str(error.value)) == (content != {"a": 1})


def test_words_stay_short():
    assert len(_in_words([Inert("x" * 500)] * 50)) < 250
