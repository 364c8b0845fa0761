"""Small files of every format that the readers of weights know, to be damaged by fuzzing.py.

Some are whole networks, so that a mutant gets past the parser and into the layouts; some hold what training programs
leave in their files; some are only the beginning of a larger one.
"""

from __future__ import annotations

import io
import json
import random
import warnings
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_pickles import PROTO, generator, legacy, module, name, pairs, storage, tensor, text, whole
from safetensors.torch import save

from zeuxis.hub.convert import read_raw
from zeuxis.hub.model_file import Part, write_model
from zeuxis.hub.pickles import Inert
from zeuxis.nets import NETWORKS

FIXTURES = Path(__file__).parent.parent / "fixtures"
NETWORK = ["module.pkl", "nested.pkl", "stylegan2_ada_c0_64px.pkl", "stylegan_xl_stem_c10_16px.pkl"]
FORMATS = {
    "zip": ["style.pt", "biggan.pth", "weights.bin", "lightning.ckpt", "callbacks.ckpt", "script.pt"],
    "legacy": ["style_old.pt", "weights_old.bin", "arguments_old.ckpt"],
    "safetensors": ["style.safetensors", "plain.safetensors"],
    "model": ["model.safetensors"],
    "network": ["whole.pkl", *2 * NETWORK],  # a whole one takes five times as long as the others
    "tensorflow": ["stylegan2_tf_c0_32px.pkl"],
    "config": ["config.json"],
    "npz": ["pack.npz"],
    "grammar": ["grammar"],
}


class Foreign:
    """A class that no reader knows, as Lightning's callbacks are."""


def seed(kind: str, folder: Path) -> bytes:
    """The undamaged file; `folder` is a place to write."""
    plain = {"layer1.0.conv1.weight": torch.randn(2, 3, 3, 3), "fc.weight": torch.randn(2, 2)}
    match kind:
        case "style.pt" | "style_old.pt":
            return saved({"g_ema": style(), "latent_avg": torch.zeros(2)}, old="old" in kind)
        case "biggan.pth":
            return saved(biggan())
        case "weights.bin" | "weights_old.bin":
            return saved(plain, old="old" in kind)
        case "lightning.ckpt":
            return saved({"state_dict": plain, "epoch": 3, "callbacks": {"a": 1}})
        case "callbacks.ckpt":
            return saved({"state_dict": plain, "callbacks": {Foreign: Foreign()}})
        case "arguments_old.ckpt":
            return saved({"g_ema": plain, "args": Foreign()}, old=True)
        case "script.pt":
            return script()
        case "style.safetensors" | "plain.safetensors":
            return save(style() if kind == "style.safetensors" else plain)
        case "model.safetensors":
            return own_model(folder / "seed.safetensors")
        case "whole.pkl":
            return generator(again(read_raw(FIXTURES / "stylegan2_ada_c0_64px/network.pkl").content["G_ema"]))
        case "module.pkl":
            return (FIXTURES / "hostile/module_src_exec.pkl").read_bytes()
        case "nested.pkl":
            return (FIXTURES / "hostile/nested_storage.pkl").read_bytes()
        case "config.json":
            return json.dumps({"model_type": "resnet", "layers": [[True, 2, 1]], "depths": [1, 2]}).encode()
        case "pack.npz":
            return pack()
        case "grammar":
            return b""
    return (FIXTURES / kind.removesuffix(".pkl") / "network.pkl").read_bytes()[:3000]


def saved(content: Any, old: bool = False) -> bytes:
    """As torch.save writes it."""
    out = io.BytesIO()
    torch.save(content, out, _use_new_zipfile_serialization=not old)
    return out.getvalue()


def script() -> bytes:
    """As torch.jit.save writes it."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out, but files of it are there
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), out)
    return out.getvalue()


def pack() -> bytes:
    """Arrays of three kinds in one file."""
    out = io.BytesIO()
    np.savez(out, images=np.zeros((2, 3, 4, 4), np.uint8), labels=np.arange(2), names=np.array(["a", "b"]))
    return out.getvalue()


def own_model(path: Path) -> bytes:
    """A whole generator of 4 pixels in this project's own format."""
    facts = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "channels": [4], "img_channels": 3, "mapping_layers": 1, "rate": 0.01}
    net = NETWORKS["stylegan2/generator"](**facts)
    write_model(path, "stylegan2", {"generator": Part(facts, net.state_dict())})
    return path.read_bytes()


def style(z: int = 2, widths: tuple[int, ...] = (2, 2)) -> dict[str, torch.Tensor]:
    """A whole StyleGAN2 of 8 pixels under rosinality's names."""
    out = {"style.1.weight": torch.randn(z, z), "style.1.bias": torch.randn(z)}
    out["input.input"] = torch.randn(1, widths[0], 4, 4)
    layers = [("conv1", widths[0], widths[0])]
    for i, (low, high) in enumerate(pairwise(widths)):
        layers += [(f"convs.{2 * i}", low, high), (f"convs.{2 * i + 1}", high, high)]
    for k, (layer, cin, cout) in enumerate(layers):
        side = 4 * 2 ** ((k + 1) // 2)
        out |= {f"{layer}.conv.weight": torch.randn(1, cout, cin, 3, 3), f"{layer}.activate.bias": torch.randn(cout)}
        out |= {f"{layer}.conv.modulation.{what}": torch.randn(*shape)
                for what, shape in (("weight", (cin, z)), ("bias", (cin,)))}  # fmt: skip
        out |= {f"{layer}.noise.weight": torch.randn(1), f"noises.noise_{k}": torch.randn(1, 1, side, side)}
    for i, width in enumerate(widths):
        layer = f"to_rgbs.{i - 1}" if i else "to_rgb1"
        out |= {f"{layer}.conv.weight": torch.randn(1, 3, width, 1, 1), f"{layer}.bias": torch.randn(1, 3, 1, 1)}
        out |= {f"{layer}.conv.modulation.weight": torch.randn(width, z),
                f"{layer}.conv.modulation.bias": torch.randn(width)}  # fmt: skip
    return out


def biggan(width: int = 8) -> dict[str, torch.Tensor]:
    """A whole BigGAN of 8 pixels and two classes under BigGAN-PyTorch's names."""
    shapes = {"linear": (16 * width, 2), "blocks.0.0.conv1": (width, width, 3, 3), "output_layer.2": (3, width, 3, 3)}
    shapes |= {"blocks.0.0.conv2": (width, width, 3, 3), "blocks.0.0.conv_sc": (width, width, 1, 1)}
    out = {f"{layer}.bias": torch.randn(shape[0]) for layer, shape in shapes.items()}
    shapes |= {f"blocks.0.0.{norm}.{part}": (width, 5) for norm in ("bn1", "bn2") for part in ("gain", "bias")}
    out |= {f"{layer}.weight": torch.randn(*shape) for layer, shape in shapes.items()}
    out |= {f"{layer}.u0": torch.randn(1, shape[0]) for layer, shape in shapes.items()}
    for norm in ("blocks.0.0.bn1", "blocks.0.0.bn2", "output_layer.0"):
        out |= {f"{norm}.stored_mean": torch.randn(width), f"{norm}.stored_var": torch.rand(width)}
    out |= {"output_layer.0.gain": torch.randn(width), "output_layer.0.bias": torch.randn(width)}
    return out | {"shared.weight": torch.randn(2, 3)}


EMPTY = legacy(PROTO + storage("FloatStorage", text("0"), 1) + b".", ["0"], b"\1" + bytes(11))


def again(value: Any) -> bytes:
    """The pickle of what a network pickle held, with tensors of one number each."""
    match value:
        case None | bool():
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case int():
            return whole(value)
        case float():
            return b"F" + repr(value).encode() + b"\n"
        case str():
            return text(value)
        case dict():
            return pairs([(again(key), again(inner)) for key, inner in value.items()])
        case list() | tuple():
            rows = b"".join(map(again, value))
            return b"(" + rows + b"t" if isinstance(value, tuple) else b"](" + rows + b"e"
        case torch.Tensor():
            nested = name("torch.storage", "_load_from_bytes") + b"B" + len(EMPTY).to_bytes(4, "little") + EMPTY
            return tensor(nested + b"\x85R", (1,), (1,))
        case Inert() if value.args:
            return module(value.name, again(value.state))
    return b"N"


def opened(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the storages of a zip file; so that a mutant of the pickle has a checksum that fits."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {path.partition("/")[2]: archive.read(path) for path in archive.namelist()}
    storages = {path.removeprefix("data/"): held for path, held in files.items() if path.startswith("data/")}
    return files["data.pkl"], storages


def reheaded(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file whose header tells something else of one tensor: its type, its shape, or where it lies."""
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    entry = head[rng.choice(sorted(head.keys() - {"__metadata__"}))]
    numbers = [-1, 0, 1, 2, 3, 4, 2**20, 2**31, 2**40, 2**63 - 1, 2**64, 0.5, 1e300, None, "4", [4]]
    what = rng.choice(["dtype", "shape", "data_offsets"])
    if what == "dtype":
        entry[what] = rng.choice(["F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "X", 5, None])
    else:
        entry[what] = [rng.choice(numbers) for _ in range(rng.choice([0, 1, 2, 2, 4, 40]))]
    told = json.dumps(head).encode()
    return len(told).to_bytes(8, "little") + told + data[8 + size :]


def rewritten(data: bytes, change: Any) -> bytes:
    """A model file whose facts `change` damages; they have no checksum then, as in files of older versions."""
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    facts = json.loads(head["__metadata__"]["facts"])
    facts = {key: value for key, value in facts.items() if key not in ("header_sha256", "tensors_sha256")}
    head["__metadata__"]["facts"] = change(json.dumps(facts).encode()).decode("latin1")
    packed = json.dumps(head).encode()
    return len(packed).to_bytes(8, "little") + packed + data[8 + size :]


def repacked(data: bytes, change: Any, which: int) -> bytes:
    """An .npz file whose array number `which` is damaged by `change`; the checksum in the zip file fits."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for i, path in enumerate(old.namelist()):
            new.writestr(path, change(old.read(path)) if i == which else old.read(path))
    return out.getvalue()
