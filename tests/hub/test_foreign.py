"""Lightning's checkpoints: the tensors of a file full of foreign classes, and nothing of it run."""

import sys
import zipfile
from functools import partial
from types import ModuleType

import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.archives import read_archive


class Callback:
    """A class that the reader has never heard of, with a state of its own."""

    def __init__(self, **state):
        self.__dict__.update(state)


class Hostile:
    """Pickled as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.fixture
def foreign(monkeypatch):
    module = ModuleType("lightning_fabric_of_old")
    module.Callback = Callback
    monkeypatch.setitem(sys.modules, "lightning_fabric_of_old", module)
    monkeypatch.setattr(Callback, "__module__", "lightning_fabric_of_old")


def weights():
    shared = torch.randn(4, 3)
    layer = torch.nn.Linear(3, 2)
    return {**layer.state_dict(), "half": torch.ones(3, dtype=torch.bfloat16), "row": shared[1], "turned": shared.T} | {
        "count": torch.tensor(7), "none": torch.zeros(0), "parameter": torch.nn.Parameter(torch.randn(2))
    }  # fmt: skip


def checkpoint(**more):
    return {
        "epoch": 3,
        "state_dict": weights(),
        "callbacks": {Callback: {"best": torch.tensor(1.0)}, "a": Callback(patience=3, inner=Callback(x=[1, 2]))},
        "hyper_parameters": Callback(lr=1e-4),
        **more,
    }


def test_only_the_tensors_are_kept(tmp_path, foreign):
    path, held = tmp_path / "net.ckpt", checkpoint()
    torch.save(held, path)
    with pytest.raises(Exception, match="Callback"):
        torch.load(path, weights_only=True)
    found = read_archive(path)
    assert found.keys() == {"state_dict"} and found["state_dict"].keys() == held["state_dict"].keys()
    for name, value in held["state_dict"].items():
        assert torch.equal(found["state_dict"][name], value) and found["state_dict"][name].dtype == value.dtype
        assert type(found["state_dict"][name]) is torch.Tensor


@pytest.mark.parametrize("where", ["beside", "inside"])
@pytest.mark.parametrize("name", ["os", "builtins", "unknown", "partial"])
def test_nothing_is_run(tmp_path, foreign, name, where):
    canary = tmp_path / "canary"
    words = f"open({str(canary)!r}, 'w').close()"
    import os
    import webbrowser

    calls = {
        "os": Hostile(os.system, f"touch {canary}"),
        "builtins": Hostile(exec, words),
        "unknown": Hostile(webbrowser.open, str(canary)),
        "partial": Hostile(partial, exec, words),
    }
    held = checkpoint(bad=calls[name]) if where == "beside" else checkpoint()
    if where == "inside":
        held["state_dict"]["weight"] = calls[name]
    torch.save(held, tmp_path / "net.ckpt")
    if where == "beside" and name == "unknown":  # a name that means nothing to the reader does nothing
        assert read_archive(tmp_path / "net.ckpt")["state_dict"].keys() == weights().keys()
    else:
        with pytest.raises(WeightsRefused):
            read_archive(tmp_path / "net.ckpt")
    assert not canary.exists()


def rewritten(source, path, change):
    """The same zip, each file as `change(name, data)` gives it; None leaves it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda name, data: None if name.endswith("data/0") else data,  # a storage is missing
        lambda name, data: data[:-4] if name.endswith("data/0") else data,  # or short
        lambda name, data: b"big" if name.endswith("byteorder") else data,
        lambda name, data: data[: len(data) // 2] if name.endswith("data.pkl") else data,
        lambda name, data: data.replace(b"FloatStorage", b"BloatStorage") if name.endswith("data.pkl") else data,
    ],
    ids=["missing", "short", "order", "cut", "type"],
)
def test_damaged_files_are_refused(tmp_path, foreign, change):
    torch.save(checkpoint(), tmp_path / "net.ckpt")
    with pytest.raises(WeightsRefused, match=r"Nothing in it was run|other order"):
        read_archive(rewritten(tmp_path / "net.ckpt", tmp_path / "bad.ckpt", change))


def test_foreign_classes_without_weights_are_refused(tmp_path, foreign):
    torch.save({"model": Callback(a=1)}, tmp_path / "net.ckpt")
    with pytest.raises(WeightsRefused, match="asks for"):
        read_archive(tmp_path / "net.ckpt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_weights_of_torchscript_are_read_and_its_program_is_not(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.ReLU()))
    torch.jit.save(torch.jit.script(net.half()), tmp_path / "net.pt")
    found = read_archive(tmp_path / "net.pt")
    assert found.keys() == net.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in net.state_dict().items())
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "empty.pt")
    with pytest.raises(WeightsRefused, match="without weights"):
        read_archive(tmp_path / "empty.pt")
    code = rewritten(tmp_path / "net.pt", tmp_path / "code.pt", lambda n, d: b"raise OSError" if "/code/" in n else d)
    assert read_archive(code).keys() == found.keys()
